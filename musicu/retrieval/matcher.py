"""Which track of a catalog a mention means: the one way for playlists, listens and paths.

Tried in turn: the file itself; the catalog's id; the ISRC; the MusicBrainz recording; the end of
the path; artist and title. A file's name alone is no identity: as many files end in
"01 - Intro.flac" as there are albums. The end of a path counts from two parts on where tags or the
length agree, from three on where nothing is said that could. Names fit as they are spelled, else
folded, else but for a remaster's brackets, else by letters and digits alone, which is told apart
as "loose name". Where several tracks fit, that of the same album stands before the others, then
the nearest in length, then the lowest id.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.folding import exact, fold, loose_texts
from musicu.catalog.identity import codes, title_key
from musicu.ingest.path_list import path_forms
from musicu.retrieval.mention import LOOSE, Mention, NamedTrack, bare_key, has_brackets, stem

#: By what a track was found, the surest first; "" where it was not.
WAYS = ("path", "id", "isrc", "musicbrainz", "moved", "name", "loose name", "")

_TEXTS = (
    *("track_id", "root", "path", "title", "album_artist", "album", "content_hash"),
    *("isrc", "musicbrainz_recording_id"),
)
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")
_SURE_PARTS = 3  # of a path, where nothing else is said

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TrackMatch:
    """The row that a mention means, -1 for none, and by which of WAYS it was found.

    ambiguous: whether other recordings fit as well by name.
    """

    row: int = -1
    by: str = ""
    ambiguous: bool = False


class TrackMatcher:
    """Finds mentions among the tracks of a catalog; what a way needs is made when it is tried."""

    def __init__(self, tracks: pa.Table) -> None:
        """Index a table with columns of `schema.TRACKS`; those that are not there say nothing."""
        self._tracks = tracks
        self._texts = {name: _column(tracks, name, pa.string()) for name in _TEXTS}
        self._artists = _column(tracks, "artists", pa.list_(pa.string()))
        self._seconds = _column(tracks, "duration_seconds", pa.float64())
        self._bytes = _column(tracks, "path_bytes", pa.binary())
        self._named: dict[int, NamedTrack] = {}

    @property
    def ids(self) -> pa.Array:
        """The tracks' ids, row by row."""
        return self._texts["track_id"]

    def find(self, mention: Mention) -> TrackMatch:
        """The track that a mention means."""
        said = _said(mention)
        by_path = self._by_path(mention.file, said) if mention.file else TrackMatch()
        if by_path.by == "path":
            return by_path
        for way, rows in self._by_codes(mention):
            if rows:
                return TrackMatch(self._best(rows, said)[0], way)
        return by_path if by_path.by else self._by_name(said)

    def name(self, row: int) -> NamedTrack:
        """What the catalog says of a row; by its file's name where it has no title."""
        if row not in self._named:
            artists = tuple(self._artists[row].as_py() or ())
            owner = self.text("album_artist", row)
            self._named[row] = NamedTrack(
                self.text("title", row) or stem(self.text("path", row) or ""),
                (*artists, owner) if owner else artists,
                self.text("album", row),
                self._seconds[row].as_py(),
            )
        return self._named[row]

    def text(self, column: str, row: int) -> str | None:
        """A row's text in one of the columns that tracks are matched by."""
        found: str | None = self._texts[column][row].as_py()
        return found

    def _by_codes(self, mention: Mention) -> Iterable[tuple[str, list[int]]]:
        if mention.track_id:
            yield "id", self._ids.rows(mention.track_id)
        if mention.isrc:
            for code in codes({"isrc": mention.isrc}):
                yield "isrc", self._isrcs.rows(code)
        if mention.musicbrainz_recording_id:
            for code in codes({"musicbrainz_recording_id": mention.musicbrainz_recording_id}):
                yield "musicbrainz", self._recordings.rows(code)

    def _by_name(self, said: NamedTrack) -> TrackMatch:
        if not said.title or not said.artists:
            return TrackMatch()
        fits: dict[int, list[int]] = {}
        for row in self._rows_named_like(said):
            spelling = said.spelled_like(self.name(row))
            if spelling is not None and said.may_last(self.name(row)):
                fits.setdefault(spelling, []).append(row)
        if not fits:
            return TrackMatch()
        row, ambiguous = self._best(fits[min(fits)], said)
        return TrackMatch(row, "loose name" if min(fits) == LOOSE else "name", ambiguous)

    def _rows_named_like(self, said: NamedTrack) -> Iterable[int]:
        """The rows of a loosely equal title, whole or bare, and artist, each once."""
        title, bare, artists = title_key(said.title), bare_key(said.title), said.loose_artists
        found = [row for artist in artists for row in self._titles.rows(f"{artist}\n{title}")]
        found += [row for artist in artists for row in self._bare_titles.rows(f"{artist}\n{bare}")]
        return dict.fromkeys(found)

    def _best(self, rows: Sequence[int], said: NamedTrack) -> tuple[int, bool]:
        """The one of some rows that fits best, and whether others fit as well."""

        def order(row: int) -> tuple[bool, float]:
            track = self.name(row)
            return bool(said.album) and track.album != said.album, said.apart(track) or 0.0

        first = min(map(order, rows))
        fits = [row for row in rows if order(row) == first]
        recordings = {self.text("content_hash", row) or row for row in fits}
        return min(fits, key=lambda row: self.text("track_id", row) or ""), len(recordings) > 1

    def _by_path(self, file: PurePath | str, said: NamedTrack) -> TrackMatch:
        for form in path_forms(str(file)):
            parts = path_parts(form)
            rows = self._path_ends.rows(_end(parts)) if len(parts) > 1 else []
            whole = [row for row in rows if self._is_file(row, parts)]
            same = [row for row in whole if exact(self._path(row)) == exact(form)]
            if len(whole) == 1 or len(same) == 1:
                return TrackMatch((same or whole)[0], "path")
            if found := self._moved(rows, parts, said):
                return TrackMatch(self._best(found, said)[0], "moved")
        return TrackMatch()

    def _is_file(self, row: int, parts: Sequence[str]) -> bool:
        """Whether all that is known of a row's path is what these parts say."""
        known = path_parts(self._path(row))
        if self.text("root", row):
            return known == list(parts)
        return known == list(parts[-len(known) :])

    def _moved(self, rows: Sequence[int], parts: Sequence[str], said: NamedTrack) -> list[int]:
        """The rows whose paths share the longest end, where they are one recording."""
        shared: dict[int, list[int]] = {}
        for row in rows:
            count = _common(path_parts(self._path(row)), parts)
            agree = said.agrees(self.name(row))
            if agree or (agree is None and count >= _SURE_PARTS):
                shared.setdefault(count, []).append(row)
        longest = shared.get(max(shared, default=0), [])
        one = {self.text("content_hash", row) or row for row in longest}
        return longest if len(one) == 1 else []

    def _path(self, row: int) -> str:
        """A row's path from its root, or as much of it as is known, with forward slashes."""
        named = self._bytes[row].as_py()
        path = os.fsdecode(named) if named else self.text("path", row) or ""
        root = self.text("root", row)
        return f"{root.replace(os.sep, '/').rstrip('/')}/{path}" if root else path

    @cached_property
    def _ids(self) -> KeyRows:
        return KeyRows(self._texts["track_id"].to_pylist())

    @cached_property
    def _isrcs(self) -> KeyRows:
        return KeyRows(_codes("isrc", self._texts["isrc"]))

    @cached_property
    def _recordings(self) -> KeyRows:
        name = "musicbrainz_recording_id"
        return KeyRows(_codes(name, self._texts[name]))

    @cached_property
    def _path_ends(self) -> KeyRows:
        roots = pc.replace_substring(pc.fill_null(self._texts["root"], ""), os.sep, "/")
        whole = pc.binary_join_element_wise(roots, self._texts["path"], "/")
        ends = pc.replace_substring_regex(whole, r"(?s)^.*?([^/]+/+[^/]*)$", r"\1").to_pylist()
        for row in np.flatnonzero(pc.is_valid(self._bytes)).tolist():
            ends[row] = "/".join(self._path(row).rsplit("/", 2)[-2:])
        return KeyRows([end and _end(path_parts(end)) for end in ends])

    @cached_property
    def _title_keys(self) -> list[str]:
        titles = self._texts["title"]
        if titles.null_count:
            titles = pc.coalesce(titles, stems(self._texts["path"]))
        keys: list[str] = loose_texts(titles).to_pylist()
        guests = pc.match_substring_regex(titles, r"(?i)[\s(\[{](?:featuring|feat|ft|f/)")
        for row in np.flatnonzero(pc.fill_null(guests, False)).tolist():
            keys[row] = title_key(titles[row].as_py())
        return keys

    @cached_property
    def _titles(self) -> KeyRows:
        return self._by_artist(self._title_keys)

    @cached_property
    def _bare_titles(self) -> KeyRows:
        titles = self._texts["title"].to_pylist()
        pairs = zip(titles, self._title_keys, strict=True)
        return self._by_artist(
            [bare_key(t) if t and has_brackets(t) else f"{key}|" for t, key in pairs]
        )

    def _by_artist(self, titles: Sequence[str]) -> KeyRows:
        """Rows by each of their artists and what they are called."""
        owners = self._texts["album_artist"].to_pylist()
        keys, rows = [], []
        for row, names in enumerate(self._artists.to_pylist()):
            artists = (*(names or ()), owners[row]) if owners[row] else tuple(names or ())
            for artist in NamedTrack(None, artists).loose_artists:
                keys.append(f"{artist}\n{titles[row]}")
                rows.append(row)
        return KeyRows(keys, np.array(rows, np.int64))


class KeyRows:
    """Rows by a text, 16 bytes a row: hashes, sorted."""

    def __init__(self, keys: Sequence[str | None], rows: Ints | None = None) -> None:
        """Index keys, "" and None left out; rows: of each key, its place where None."""
        hashes = np.fromiter(map(hash, keys), np.int64, len(keys))
        known = np.flatnonzero(np.fromiter(map(bool, keys), bool, len(keys)))
        order = np.argsort(hashes[known], kind="stable")
        self._hashes = hashes[known][order]
        self._rows: Ints = known[order] if rows is None else rows[known[order]]

    def rows(self, key: str) -> list[int]:
        """The rows of a text, rising; others, for two texts of one hash, once in 2 ** 64."""
        first, stop = (np.searchsorted(self._hashes, hash(key), side) for side in _SIDES)
        found: list[int] = self._rows[first:stop].tolist() if key else []
        return found


def path_parts(path: str) -> list[str]:
    """The folded names along a path of any system, without drives, "." and ".."."""
    names = os.path.normpath(path.replace("\\", "/")).replace("\\", "/").split("/")
    return [fold(name) for name in names if name not in ("", ".", "..") and name[1:] != ":"]


def stems(paths: pa.Array) -> pa.Array:
    """The names of files without their endings."""
    files = pc.replace_substring_regex(paths, r"(?s)^.*/", "")
    return pc.replace_substring_regex(files, r"(?s)^(.+)\.[^.]*$", r"\1")


def _end(parts: Sequence[str]) -> str:
    return "/".join(parts[-2:])


def _common(parts: Sequence[str], other: Sequence[str]) -> int:
    """How many names two paths share at their ends."""
    pairs = list(zip(reversed(parts), reversed(other), strict=False))
    return next((n for n, (a, b) in enumerate(pairs) if a != b), len(pairs))


def _said(mention: Mention) -> NamedTrack:
    """What is said beside the path: nothing where a title only repeats the file's name."""
    title, artists = mention.title, mention.artists
    if mention.file is not None and not any(name.strip("0123456789.- ") for name in artists):
        name = stem(str(mention.file).replace("\\", "/"))
        if fold(" - ".join([*artists, title or ""])) == fold(name):
            title, artists = None, ()
    return NamedTrack(title, artists, mention.album, mention.duration_seconds)


def _codes(name: str, texts: pa.Array) -> list[str | None]:
    return [next(iter(codes({name: text})), None) if text else None for text in texts.to_pylist()]


def _column(tracks: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    if name not in tracks.column_names:
        return pa.nulls(tracks.num_rows, kind)
    column = tracks[name]
    whole = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return whole.cast(kind)
