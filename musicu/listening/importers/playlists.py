"""Playlists: M3U and M3U8 (with the #EXTINF lines of Winamp), and XSPF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from musicu.ingest.playlist_tables import PLAYLIST
from musicu.playlists.xspf import read_xspf

Row = dict[str, Any]


def m3u_rows(text: str, name: str) -> Iterator[Row]:
    """Rows of RAW for the tracks of an M3U playlist, which is called `name` unless it says so."""
    said = ""
    for line in text.lstrip("\ufeff").splitlines():
        line = line.strip()
        if line.upper().startswith("#PLAYLIST:"):
            name = line.partition(":")[2].strip() or name
        elif line.upper().startswith("#EXTINF:"):
            said = line.partition(",")[2].strip()
        elif line and not line.startswith("#"):
            artist, _, title = said.partition(" - ")
            yield {
                "context": PLAYLIST + name,
                "path": _plain_path(line),
                "artist": artist.strip() if title else None,
                "title": (title or said).strip(),
            }
            said = ""


def xspf_rows(content: bytes, name: str) -> Iterator[Row]:
    """Rows of RAW for the tracks of an XSPF playlist; raises SourceError where it is none."""
    found = read_xspf(content, Path())
    for entry in found.entries:
        yield {
            "context": PLAYLIST + (found.title or name),
            "track_id": entry.track_id,
            "isrc": entry.isrc,
            "recording_mbid": entry.musicbrainz_recording_id,
            "artist": entry.artist,
            "title": entry.title,
            "album": entry.album,
            "path": None if entry.file is None else entry.file.as_posix(),
        }


def _plain_path(location: str) -> str:
    """A path with forward slashes, out of a path or a file's address."""
    if location.startswith("file:"):
        location = unquote(urlparse(location).path)
    return location.replace("\\", "/")
