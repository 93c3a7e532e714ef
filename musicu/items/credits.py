"""Artists and albums of many tracks as numbers, by the keys of `catalog.identity`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.identity import artist_key, fold
from musicu.catalog.words import one_line

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Credits:
    """Who performs which track.

    names: object [artists], as first written. keys: their `artist_key`s.
    row, artist: int64 [credits], rising by row: a track has as many as it has performers, that of
    its album where it names none, and none where nobody is named.
    album_artist: int64 [tracks], -1 where there is none.
    """

    names: NDArray[np.object_]
    keys: NDArray[np.object_]
    row: Ints
    artist: Ints
    album_artist: Ints

    @classmethod
    def of(cls, tracks: pa.Table) -> Credits:
        """The credits of a table with the columns artists and album_artist."""
        lists = _whole(tracks["artists"])
        row = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
        written = [pc.list_flatten(lists).cast(pa.string()), _text(tracks, "album_artist")]
        names, spelled = _coded(pa.concat_arrays(written))
        keys, code_of = _numbered([artist_key(name) for name in names])
        codes = np.append(code_of, -1)[spelled]
        artist, album_artist = codes[: len(row)], codes[len(row) :]
        unnamed = album_artist >= 0
        unnamed[row[artist >= 0]] = False
        rows = np.concatenate([row[artist >= 0], np.flatnonzero(unnamed)])
        artists = np.concatenate([artist[artist >= 0], album_artist[unnamed]])
        credits = np.sort(rows * max(1, len(keys)) + artists)
        credits = credits[np.append(True, credits[1:] != credits[:-1])[: len(credits)]]
        shown = np.empty(len(keys), object)
        named = np.flatnonzero(code_of >= 0)[::-1]  # the last assignment, the first name, stands
        shown[code_of[named]] = names[named]
        row, artist = np.divmod(credits, max(1, len(keys)))
        return cls(shown, keys, row, artist, album_artist)

    def padded(self, rows: Ints) -> Ints:
        """The artists of some rows: int64 [rows, most], filled up with -1."""
        start, stop = self._first[rows], self._first[rows + 1]
        most = max(1, int((stop - start).max(initial=0)))
        at = start[:, None] + np.arange(most)
        none = len(self.artist)
        return self._artist_or_none[np.where(at < stop[:, None], at, none)]

    @cached_property
    def texts(self) -> pa.Array:
        """The names, fit to be shown."""
        return pa.array([one_line(name) for name in self.names], pa.string())

    @cached_property
    def _artist_or_none(self) -> Ints:
        """The artist of each credit, and at the end -1."""
        return np.append(self.artist, -1)

    @cached_property
    def _first(self) -> Ints:
        """Where the credits of each row begin, and the end: int64 [tracks + 1]."""
        return np.searchsorted(self.row, np.arange(len(self.album_artist) + 1)).astype(np.int64)

    def rows_by(self, names: Sequence[str]) -> Ints:
        """The rows that credit an artist of any of these names, however spelled."""
        wanted = {artist_key(name) for name in names} - {""}
        chosen = np.array([key in wanted for key in self.keys], bool)
        return np.unique(self.row[chosen[self.artist]])


def album_numbers(tracks: pa.Table, credits: Credits) -> Ints:
    """A number for each track, int64 [tracks], equal where they share a key of their album.

    The keys are those of `identity.album_keys`; a track without one has a number of its own.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([_identified(tracks), _owned(tracks, credits), _nested(tracks)])
    spans = edges.max(axis=0, initial=0) + 1
    whole = (edges[:, 1] * spans[2] + edges[:, 2]) * spans[3] + edges[:, 3]
    key = pa.array(whole).dictionary_encode().indices.to_numpy().astype(np.int64)
    count = tracks.num_rows
    size = count + int(key.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(key), bool), (edges[:, 0], count + key)), (size, size))
    numbers: Ints = connected_components(graph, directed=False)[1][:count].astype(np.int64)
    return numbers


def _identified(tracks: pa.Table) -> Ints:
    """Row, kind of key and key, int64 [keys, 4]: of the albums with a MusicBrainz id."""
    numbers = _folded(_text(tracks, "musicbrainz_album_id"))
    rows = np.flatnonzero(numbers >= 0)
    return _edges(0, rows, numbers[rows], np.zeros(len(rows), np.int64))


def _owned(tracks: pa.Table, credits: Credits) -> Ints:
    """The same for titles together with the album's artist, else the track's."""
    titles = _folded(_text(tracks, "album"))
    others = credits.album_artist[credits.row] < 0
    owned = np.flatnonzero(credits.album_artist >= 0)
    rows = np.concatenate([owned, credits.row[others]])
    owners = np.concatenate([credits.album_artist[owned], credits.artist[others]])
    titled = titles[rows] >= 0
    return _edges(1, rows[titled], titles[rows][titled], owners[titled])


def _nested(tracks: pa.Table) -> Ints:
    """The same for titles together with the folder that the file lies in."""
    titles = _folded(_text(tracks, "album"))
    paths = _text(tracks, "path")
    within = pc.fill_null(pc.match_substring(paths, "/"), False).to_numpy(zero_copy_only=False)
    folders = pc.replace_substring_regex(pc.fill_null(paths, ""), r"(?s)/[^/]*$", "")
    roots = pc.fill_null(_text(tracks, "root"), "")
    places = _coded(pc.binary_join_element_wise(roots, folders, "\n"))[1]
    rows = np.flatnonzero(within & (titles >= 0))
    return _edges(2, rows, titles[rows], places[rows])


def _edges(kind: int, rows: Ints, first: Ints, second: Ints) -> Ints:
    return np.stack([rows, np.full(len(rows), kind), first, second], axis=1)


def _folded(texts: pa.Array) -> Ints:
    """A number for each text, equal where `fold` makes them equal; -1 where nothing is left."""
    names, spelled = _coded(texts)
    return np.append(_numbered([fold(name) for name in names])[1], -1)[spelled]


def _numbered(keys: Sequence[str]) -> tuple[NDArray[np.object_], Ints]:
    """The distinct keys but "", and the number of each, -1 for ""."""
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(key, len(numbers)) if key else -1 for key in keys]
    return np.array(list(numbers), object), np.array(codes, np.int64)


def _coded(texts: pa.Array) -> tuple[NDArray[np.object_], Ints]:
    """The distinct texts, and which of them each is: -1 for null."""
    encoded = texts.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64)
    return np.array(encoded.dictionary.to_pylist(), object), codes


def _text(tracks: pa.Table, name: str) -> pa.Array:
    return _whole(tracks[name]).cast(pa.string())


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
