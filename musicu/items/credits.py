"""Artists and albums of many tracks as numbers, by the keys of `catalog.identity`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.crediting import any_of, artist_key, credited, guests_in, is_joined
from musicu.catalog.folding import fold, loose, loose_texts
from musicu.catalog.words import one_line

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Credits:
    """Who performs which track.

    names: object [artists], as first written. keys: their `artist_key`s.
    row, artist: int64 [credits], rising by row: a track has as many as it has performers, with
    those whom its artists or its title say to be featured; that of its album where it names none,
    and none where nobody is named. A name that looks joined ("Ann & Bo") is parted where a part of
    it stands alone at least as often as the whole does (`catalog.crediting`).
    album_artist: int64 [tracks], -1 where there is none.
    written: object [texts], all credits as they are written, of albums too. written_row,
    written_text: int64 [written], who stands where.
    """

    names: NDArray[np.object_]
    keys: NDArray[np.object_]
    row: Ints
    artist: Ints
    album_artist: Ints
    written: NDArray[np.object_]
    written_row: Ints
    written_text: Ints

    @classmethod
    def of(cls, tracks: pa.Table) -> Credits:
        """The credits of a table with the columns artists and album_artist, and maybe title."""
        lists, guests = _whole(tracks["artists"]), _guests(tracks)
        albums = _text(tracks, "album_artist")
        parts = [pc.list_flatten(lists).cast(pa.string()), guests.drop_null(), albums]
        own = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
        row = np.concatenate([own, np.flatnonzero(pc.is_valid(guests)), np.arange(len(albums))])
        written, text = _coded(pa.concat_arrays(parts))
        main_keys, named = _named(written, np.bincount(text[text >= 0], minlength=len(written)))
        names: dict[str, str] = {}
        for name, keys in zip(written, named, strict=True):
            for key in keys:
                names.setdefault(key, _as_written(name, key) if len(keys) > 1 else name)
        for name, key in zip(written, main_keys, strict=True):
            if key:
                names.setdefault(key, name)  # of an album, whose tracks credit its parts
        number = {key: place for place, key in enumerate(names)}
        main = np.array([*(number.get(key, -1) for key in main_keys), -1], np.int64)[text]
        performed = np.zeros(len(albums), bool)
        performed[own[main[: len(own)] >= 0]] = True
        counts = text >= 0
        counts[len(row) - len(albums) :] &= ~performed
        several = [np.array([number[key] for key in keys], np.int64) for keys in named]
        row_of, artist = _spread(row[counts], text[counts], several, len(names))
        return cls(
            _objects(names.values()),
            _objects(names),
            row_of,
            artist,
            main[len(row) - len(albums) :],
            written,
            row[text >= 0],
            text[text >= 0],
        )

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
        """The rows that credit an artist of any of these names, alone or joined with others.

        Credits of the row's album count too: int64 [rows], rising.
        """
        words = [max(loose(name).split(), key=len, default="") for name in names]
        maybe = np.zeros(len(self.written), bool)
        for word in filter(None, words):
            maybe |= pc.match_substring(self._loose, word).to_numpy(zero_copy_only=False)
        named = any_of(names, frozenset(self.keys))
        for text in np.flatnonzero(maybe):
            maybe[text] = named(self.written[text])
        return _distinct(self.written_row[maybe[self.written_text]])

    @cached_property
    def _loose(self) -> pa.Array:
        return loose_texts(pa.array(self.written, pa.string()))


def _guests(tracks: pa.Table) -> pa.Array:
    """Whom the titles say to be featured; null for nobody."""
    if "title" not in tracks.column_names:
        return pa.nulls(tracks.num_rows, pa.string())
    titles = _text(tracks, "title")
    maybe = pc.match_substring_regex(titles, r"(?i)[\s(\[{](?:featuring|feat|ft|f/)")
    rows = np.flatnonzero(pc.fill_null(maybe, False).to_numpy(zero_copy_only=False))
    found = np.full(len(titles), None, object)
    found[rows] = [guests_in(title) or None for title in titles.take(rows).to_pylist()]
    return pa.array(found, pa.string())


def _named(written: NDArray[np.object_], times: Ints) -> tuple[list[str], list[list[str]]]:
    """The key of the main performer of each text, and those of all whom it credits.

    times: int64 [texts], how often it does.
    """
    joined = [is_joined(name) for name in written]
    main = [artist_key(name) for name in written]
    alone: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for name, key, several, count in zip(written, main, joined, times.tolist(), strict=True):
        (whole if several else alone)[fold(name) if several else key] += count

    def stands(part: str, text: str) -> bool:
        return alone[part] >= max(1, whole[text])

    return main, [
        credited(name, stands) if several else [key] if key else []
        for name, key, several in zip(written, main, joined, strict=True)
    ]


def _spread(rows: Ints, texts: Ints, several: list[Ints], count: int) -> tuple[Ints, Ints]:
    """Rows and artists of some texts that credit several of `count` artists, each pair once."""
    lengths = np.array([len(artists) for artists in several], np.int64)
    first = np.cumsum(lengths) - lengths
    flat = np.concatenate([*several, np.empty(0, np.int64)])
    of = np.repeat(np.arange(len(rows)), lengths[texts])
    place = np.arange(len(of)) - np.repeat(
        np.cumsum(lengths[texts]) - lengths[texts], lengths[texts]
    )
    credits = rows[of] * max(1, count) + flat[first[texts[of]] + place]
    row, artist = np.divmod(_distinct(credits), max(1, count))
    return row, artist


def _as_written(text: str, key: str) -> str:
    """The part of a joined credit that a key stands for."""
    at = text.casefold().find(key)
    return text[at : at + len(key)] if at >= 0 and len(text.casefold()) == len(text) else key


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


def _distinct(values: Ints) -> Ints:
    """The values, rising, each once."""
    values = np.sort(values)
    first: Ints = values[np.append(True, values[1:] != values[:-1])[: len(values)]]
    return first


def _objects(texts: Iterable[str]) -> NDArray[np.object_]:
    held = list(texts)
    found = np.empty(len(held), object)
    found[:] = held
    return found


def _coded(texts: pa.Array) -> tuple[NDArray[np.object_], Ints]:
    """The distinct texts, and which of them each is: -1 for null."""
    encoded = texts.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64)
    return np.array(encoded.dictionary.to_pylist(), object), codes


def _text(tracks: pa.Table, name: str) -> pa.Array:
    return _whole(tracks[name]).cast(pa.string())


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
