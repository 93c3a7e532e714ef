"""Playlists: M3U and M3U8 (with the #EXTINF lines of Winamp), and XSPF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from musicu.ingest.playlist_tables import PLAYLIST
from musicu.playlists.playlist_files import parse_playlist

Row = dict[str, Any]


def playlist_rows(name: str, content: bytes, folder: Path) -> Iterator[Row]:
    """Rows of RAW for the tracks of an M3U or XSPF playlist in a file of that name.

    folder: where it lies; `Path()` where that is not known, as in an archive.
    Raises SourceError where it is none.
    """
    found = parse_playlist(content, PurePath(name), folder)
    for entry in found.entries:
        yield {
            "context": PLAYLIST + (found.title or ""),
            "track_id": entry.track_id,
            "isrc": entry.isrc,
            "recording_mbid": entry.musicbrainz_recording_id,
            "artist": entry.artist,
            "title": entry.title,
            "album": entry.album,
            "path": None if entry.file is None else entry.file.as_posix(),
        }
