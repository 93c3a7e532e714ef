"""Playlists: M3U and M3U8 (with the #EXTINF lines of Winamp), XSPF and JSPF.

JSPF is XSPF as JSON (xspf.org/jspf). The playlists that ListenBrainz exports name a recording by
the identifier `https://musicbrainz.org/recording/<id>`, and say when it was added in the extension
`https://musicbrainz.org/doc/jspf#track`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from musicu.ingest.path_list import path_forms
from musicu.ingest.playlist_tables import PLAYLIST
from musicu.listening.importers.raw import moment
from musicu.playlists.files import parse_playlist

Row = dict[str, Any]

_RECORDING = re.compile(r"musicbrainz\.org/recording/([0-9a-f-]{36})", re.I)
_EXTENSION = "https://musicbrainz.org/doc/jspf#track"


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


def jspf_within(document: Any, name: str) -> list[Row] | None:
    """Rows of RAW for the tracks of a JSPF playlist; None where it is something else."""
    playlist = document.get("playlist") if isinstance(document, dict) else None
    if not isinstance(playlist, dict) or not isinstance(playlist.get("track"), list):
        return None
    title = playlist.get("title") or name
    return [_jspf_row(track, title, playlist.get("creator")) for track in playlist["track"]]


def _jspf_row(track: Row, playlist: str, creator: str | None) -> Row:
    extension = (track.get("extension") or {}).get(_EXTENSION) or {}
    found = _RECORDING.search(" ".join(_texts(track.get("identifier"))))
    paths = _texts(track.get("location"))
    return {
        "user": creator,
        "timestamp": moment(extension.get("added_at")),
        "context": PLAYLIST + playlist,
        "recording_mbid": found[1].lower() if found else None,
        "artist": track.get("creator"),
        "title": track.get("title"),
        "album": track.get("album"),
        "path": path_forms(paths[0])[0].replace("\\", "/") if paths else None,
    }


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
