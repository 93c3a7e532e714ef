"""Playlists in and out: M3U8, XSPF, JSPF and CSV, matched to a catalog, copied to a folder."""

from musicu.playlists.entries import Entry, Playlist
from musicu.playlists.entry_matching import EntryMatch, match_playlist
from musicu.playlists.playlist_files import SUFFIXES, check_ending, read_playlist, write_playlist
from musicu.playlists.playlist_folder import place_tracks

__all__ = [
    "SUFFIXES",
    "Entry",
    "EntryMatch",
    "Playlist",
    "check_ending",
    "match_playlist",
    "place_tracks",
    "read_playlist",
    "write_playlist",
]
