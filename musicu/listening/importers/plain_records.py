"""Any other JSON of listens: objects with a title and an artist, under the names that tables have.

Maloja, Web Scrobbler, Pano Scrobbler, Koito and many scripts write records like
`{"time": …, "track": {"title": …, "artists": […]}}`. What an object holds one step down counts as
its own. The list may lie within other objects, under any name; what has no moment, as a library or
a playlist, is none.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from musicu.ingest.columns import plain
from musicu.listening.importers.raw import RecordError, Records, Row, members, text_in, title_in

#: RAW column → plain names of members, the best first.
_NAMES = {
    "title": "title trackname tracktitle songname songtitle track song name",
    "artist": "artist artistname artists artistnames performer",
    "album": "album albumname albumtitle release",
    "timestamp": "timestamp listenedat playedat scrobbledat time uts date timems datetime endtime",
    "user": "user username",
    "recording_mbid": "recordingmbid mbid",
    "isrc": "isrc",
    "path": "path",
}
_WRAPPERS = ("track", "song", "item", "media")
_DEEPEST = 4
_FIRST = 100


def records_within(document: Any) -> Records | None:
    """The listens of a document; None where no list in it holds any."""
    waiting: deque[tuple[Any, int]] = deque([(document, 0)])
    while waiting:
        found, depth = waiting.popleft()
        if isinstance(found, list) and any(map(_is_listen, found[:_FIRST])):
            return Records(found, _row)
        if isinstance(found, dict) and depth < _DEEPEST:
            waiting.extend((value, depth + 1) for value in found.values())
    return None


def _is_listen(record: Any) -> bool:
    row = _said(record) if isinstance(record, dict) else {}
    return all(row.get(name) for name in ("title", "artist", "timestamp"))


def _row(record: Any) -> Row:
    row = _said(members(record))
    title_in(row, "title")
    if not row["artist"]:
        raise RecordError("no artist")
    return row


def _said(record: Row) -> Row:
    """What an object says, and after it what it holds one step down."""
    inner = [value for name, value in record.items() if plain(name) in _WRAPPERS]
    layers = [
        {plain(name): value for name, value in layer.items()}
        for layer in (record, *inner)
        if isinstance(layer, dict)
    ]
    return {
        target: next(filter(None, (text_in(layer, *names.split()) for layer in layers)), None)
        for target, names in _NAMES.items()
    }
