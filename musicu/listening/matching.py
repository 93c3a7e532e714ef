"""Which track of a catalog a listen means.

Tried in turn: the track's id; the file's path, for playlists; the ISRC; the MusicBrainz recording;
artist and title as `catalog.identity` makes them comparable, with the listed artist whole or its
first name, and at last with the title's brackets taken off where what they say makes no other
recording ("Song (Remastered 2011)" is "Song", "Song (Live)" is not). Where several tracks fit
by name, that of the same album stands before the others, then the lowest id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.identity import artist_key, fold, title_key, version_of

#: By what a listen was matched, in the order tried; "" where it was not.
WAYS = ("id", "path", "isrc", "musicbrainz", "name", "")

_SAME_RECORDING = frozenset({"remaster"})
_BRACKETS = re.compile(r"\s*(?:[\(\[\{][^\)\]\}]*[\)\]\}]|\s[-–—]\s.*$)")
_JOINTS = re.compile(r"\s*(?:,|;|&|/|\+|\bx\b|\bvs\.?\b|\band\b|\bwith\b)\s*", re.I)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What became of some listens.

    row: int64 [listens], the catalog's row, -1 for none. way: int64 [listens], a place in WAYS.
    ambiguous: bool [listens], whether other recordings fit as well by name.
    """

    row: Ints
    way: Ints
    ambiguous: NDArray[np.bool_]


class Matcher:
    """Finds listens among the tracks of a catalog."""

    def __init__(self, tracks: pa.Table) -> None:
        """Index a table of `schema.TRACKS`."""
        self.ids = tracks["track_id"].combine_chunks()
        self._known = {
            "id": ("track_id", self.ids),
            "isrc": ("isrc", _isrcs(_text(tracks, "isrc"))),
            "musicbrainz": ("recording_mbid", _lower(_text(tracks, "musicbrainz_recording_id"))),
        }
        self._paths = _paths(tracks)
        self._names: dict[tuple[str, str], list[int]] = {}
        self._loose: dict[tuple[str, str], list[int]] = {}
        columns = ["title", "artists", "album_artist", "album", "content_hash"]
        part = tracks.select(columns)
        self._albums = [fold(album) for album in part["album"].to_pylist()]
        self._hashes = part["content_hash"].to_pylist()
        for row, track in enumerate(part.to_pylist()):
            self._add(row, track)
        self._seen: dict[tuple[str, str, str], tuple[int, bool]] = {}

    def match(self, raw: pa.Table) -> Matches:
        """Which track each row of a table of RAW means."""
        row = np.full(raw.num_rows, -1, np.int64)
        way = np.full(raw.num_rows, len(WAYS) - 1, np.int64)
        ambiguous = np.zeros(raw.num_rows, bool)
        for number, name in enumerate(WAYS[:-1]):
            open_rows = np.flatnonzero(row < 0)
            part = raw.take(pa.array(open_rows))
            if name == "name":
                found, doubtful = self._by_name(part)
                ambiguous[open_rows] = doubtful
            else:
                found = self._by_path(part) if name == "path" else self._by_key(part, name)
            row[open_rows] = found
            way[open_rows[found >= 0]] = number
        return Matches(row, way, ambiguous)

    def _add(self, row: int, track: Mapping[str, Any]) -> None:
        names = [name for name in track["artists"] or () if name]
        artists = {artist_key(name) for name in [*names, track["album_artist"], ", ".join(names)]}
        title = track["title"]
        for artist in artists - {""}:
            self._names.setdefault((artist, title_key(title)), []).append(row)
            self._loose.setdefault((artist, _loose_title(title)), []).append(row)

    def _by_key(self, raw: pa.Table, way: str) -> Ints:
        column, known = self._known[way]
        asked = raw[column].combine_chunks()
        asked = {"isrc": _isrcs, "musicbrainz": _lower}.get(way, lambda texts: texts)(asked)
        found = pc.index_in(asked, value_set=known, skip_nulls=True)
        rows: Ints = pc.fill_null(found, -1).to_numpy().astype(np.int64)
        return rows

    def _by_path(self, raw: pa.Table) -> Ints:
        rows = [self._path_row(path) for path in raw["path"].to_pylist()]
        return np.array(rows, np.int64)

    def _path_row(self, path: str | None) -> int:
        """The track whose path the given one ends with, or that ends with the given one."""
        parts = fold(path).split("/") if path else []
        for start in range(len(parts)):
            rows = self._paths.get("/".join(parts[start:]))
            if rows is not None:
                return rows[0] if len(rows) == 1 else -1
        return -1

    def _by_name(self, raw: pa.Table) -> tuple[Ints, NDArray[np.bool_]]:
        columns = [raw[name].to_pylist() for name in ("artist", "title", "album")]
        found = [
            self._named(*(cell or "" for cell in cells)) for cells in zip(*columns, strict=True)
        ]
        rows = np.array([row for row, _ in found], np.int64)
        return rows, np.array([doubtful for _, doubtful in found], bool)

    def _named(self, artist: str, title: str, album: str) -> tuple[int, bool]:
        asked = (artist, title, album)
        if asked not in self._seen:
            self._seen[asked] = self._look_up(*asked)
        return self._seen[asked]

    def _look_up(self, artist: str, title: str, album: str) -> tuple[int, bool]:
        if not artist or not title:
            return -1, False
        artists = [artist_key(artist), artist_key(_JOINTS.split(artist)[0])]
        for names, key in ((self._names, title_key(title)), (self._loose, _loose_title(title))):
            for name in artists:
                rows = names.get((name, key)) if name and key.strip("|") else None
                if rows:
                    return self._best(rows, fold(album))
        return -1, False

    def _best(self, rows: list[int], album: str) -> tuple[int, bool]:
        same = [row for row in rows if album and self._albums[row] == album]
        fits = same or rows
        recordings = {self._hashes[row] or row for row in fits}
        return min(fits, key=lambda row: self.ids[row].as_py()), len(recordings) > 1


def _loose_title(title: str | None) -> str:
    """A title without what stands in brackets or after a dash, but with the version it names."""
    versions = sorted(version_of(title) - _SAME_RECORDING)
    if version_of(title) & _SAME_RECORDING:
        versions = []  # the words beside "remaster" are its year
    return title_key(_BRACKETS.sub("", title or "")) + "|" + ",".join(versions)


def _paths(tracks: pa.Table) -> dict[str, list[int]]:
    """Rows by path relative to the root, and by the file's name alone."""
    found: dict[str, list[int]] = {}
    for row, path in enumerate(tracks["path"].to_pylist()):
        whole = fold(path)
        for key in {whole, whole.rpartition("/")[2]} - {""}:
            found.setdefault(key, []).append(row)
    return found


def _isrcs(texts: pa.Array) -> pa.Array:
    """ISRCs without hyphens and spaces (ISO 3901 writes them either way); "" is null."""
    plain = pc.utf8_upper(pc.replace_substring_regex(texts, r"[\s-]", ""))
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)


def _lower(texts: pa.Array) -> pa.Array:
    plain = pc.utf8_trim_whitespace(pc.utf8_lower(texts))
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)


def _text(tracks: pa.Table, name: str) -> pa.Array:
    return tracks[name].combine_chunks().cast(pa.string())
