"""Which track of a catalog an entry of a playlist means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import pyarrow as pa

from musicu.catalog.identity import artist_key, artist_keys, codes, title_key
from musicu.catalog.locations import absolute
from musicu.catalog.rows import track_file
from musicu.playlists.entries import Entry, Playlist

#: Recordings of one name whose lengths differ by more are not taken for each other.
_APART_SECONDS = 10.0
_TAIL = 3  # parts of a path that are enough, where only one file ends in them

Row = Mapping[str, Any]
_COLUMNS = [
    *("track_id", "root", "path", "path_bytes", "title", "artists", "album_artist", "album"),
    *("duration_seconds", "isrc", "musicbrainz_recording_id"),
]


@dataclass(frozen=True, slots=True)
class Found:
    """An entry, the track that it means (None: not in the catalog), and what told so.

    by: "path", "id", "code" (ISRC or MusicBrainz), "moved" (the end of the path) or "name"; None
    where nothing was found.
    """

    entry: Entry
    row: Row | None
    by: str | None


def match_playlist(playlist: Playlist, tracks: pa.Table) -> list[Found]:
    """The catalog's track for each entry, in order.

    Tried in turn: the file itself, the catalog's id, ISRC or MusicBrainz id, the last three parts
    of the path where they name one file, performer and title (the nearest in length of several).
    """
    known = _Known(tracks.select(_COLUMNS).to_pylist())
    return [known.find(entry) for entry in playlist.entries]


class _Known:
    """The tracks by everything that can name them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._by: dict[tuple[str, Any], list[Row]] = {}
        for row in rows:
            for key in _keys_of_track(row):
                self._by.setdefault(key, []).append(row)

    def find(self, entry: Entry) -> Found:
        """The first track, by the surest key that any has."""
        for key in _keys_of_entry(entry):
            rows = self._by.get(key, [])
            if key[0] == "name":
                rows = _nearest(rows, entry.duration_seconds)
            if rows and (key[0] != "moved" or len(rows) == 1):
                return Found(entry, rows[0], key[0])
        return Found(entry, None, None)


def _keys_of_track(row: Row) -> Iterator[tuple[str, Any]]:
    if row["root"] is not None and row["path"]:
        file = absolute(track_file(row))
        yield "path", file
        yield "moved", _tail(file)
    yield "id", row["track_id"]
    for code in codes(row):
        yield "code", code
    if title := title_key(row["title"]):
        for artist in artist_keys(row):
            yield "name", (title, artist)


def _keys_of_entry(entry: Entry) -> Iterator[tuple[str, Any]]:
    if entry.file is not None:
        yield "path", absolute(entry.file)
    if entry.track_id:
        yield "id", entry.track_id
    said = {"isrc": entry.isrc, "musicbrainz_recording_id": entry.musicbrainz_recording_id}
    for code in sorted(codes(said)):
        yield "code", code
    if entry.file is not None:
        yield "moved", _tail(entry.file)
    if title := title_key(entry.title):
        parts = [part for name in entry.artists for part in (name, *name.split(", "))]
        for artist in dict.fromkeys(filter(None, map(artist_key, parts))):
            yield "name", (title, artist)


def _tail(file: PurePath) -> tuple[str, ...]:
    return tuple(part.casefold() for part in file.parts[-_TAIL:])


def _nearest(rows: list[Row], seconds: float | None) -> list[Row]:
    """Those whose length can be right, the nearest first."""
    if seconds is None:
        return rows
    apart = {id(row): abs((row["duration_seconds"] or seconds) - seconds) for row in rows}
    fit = [row for row in rows if apart[id(row)] <= _APART_SECONDS]
    return sorted(fit, key=lambda row: apart[id(row)])
