"""Playlists in and out: M3U8, XSPF, JSPF and CSV, matched to a catalog, copied to a folder."""

from musicu.playlists.entries import Entry, Playlist
from musicu.playlists.files import SUFFIXES, check_ending, read_playlist, write_playlist
from musicu.playlists.folder import place_tracks
from musicu.playlists.matching import EntryMatch, match_playlist

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
