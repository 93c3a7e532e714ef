"""JSPF, which is XSPF as JSON (xspf.org/jspf).

The playlists that ListenBrainz exports name a recording by the identifier
`https://musicbrainz.org/recording/<id>`, and say when it was added in the extension
`https://musicbrainz.org/doc/jspf#track`.
"""

from __future__ import annotations

import re
from typing import Any

from musicu.ingest.path_list import path_forms
from musicu.ingest.playlist_tables import PLAYLIST
from musicu.listening.importers.raw import RecordError, Records, Row, members, object_in, text_in

_RECORDING = re.compile(r"musicbrainz\.org/recording/([0-9a-f-]{36})", re.I)
_EXTENSION = "https://musicbrainz.org/doc/jspf#track"


def jspf_within(document: Any, name: str) -> Records | None:
    """The tracks of a JSPF playlist, called `name` unless it says so; None for anything else."""
    playlist = document.get("playlist") if isinstance(document, dict) else None
    if not isinstance(playlist, dict) or not isinstance(playlist.get("track"), list):
        return None
    title = text_in(playlist, "title") or name
    creator = text_in(playlist, "creator")
    return Records(playlist["track"], lambda track: _row(track, title, creator))


def _row(track: Any, playlist: str, creator: str | None) -> Row:
    track = members(track)
    found = _RECORDING.search(" ".join(_texts(track.get("identifier"))))
    row = {
        "recording_mbid": found[1].lower() if found else None,
        "title": text_in(track, "title"),
        "path": next(map(_plain_path, _texts(track.get("location"))), None),
    }
    if not any(row.values()):
        raise RecordError("no title, recording or location")
    return {
        **row,
        "user": creator,
        "timestamp": _added(object_in(track, "extension").get(_EXTENSION)),
        "context": PLAYLIST + playlist,
        "artist": text_in(track, "creator"),
        "album": text_in(track, "album"),
    }


def _added(extension: Any) -> Any:
    """When the track was added; the specification has extensions as arrays, many write objects."""
    told = extension if isinstance(extension, list) else [extension]
    return next((e["added_at"] for e in told if isinstance(e, dict) and "added_at" in e), None)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]


def _plain_path(location: str) -> str:
    """A path with forward slashes, out of a path or a file's address."""
    return path_forms(location)[0].replace("\\", "/")
