"""The one columnar view of a catalog that every stage after it reads: tracks beside vectors."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.catalog import Catalog
from musicu.catalog.rows import TableRows, rising, same_texts
from musicu.errors import QueryError
from musicu.items.credits import Credits, album_numbers
from musicu.items.recording_numbers import recording_numbers, work_numbers
from musicu.records import Vectors, check_catalog
from musicu.retrieval.exact_index import ExactIndex
from musicu.retrieval.hits import Hits

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

#: The columns that say what a track is called.
NAMES = ["track_id", "title", "artists", "path"]

_EPOCH = date(1970, 1, 1)
_UNKNOWN_DAY = np.iinfo(np.int32).min
_PAIRS = 20_000  # drawn to say which likeness is near
_NEAR_SHARE = 0.95
_ROWS_KEPT = 0.25  # copies of rows that are kept, as a share of all rows
_ARTISTS_KEPT = 4  # sets of rows
_FEW_NAMES = 10_000  # are looked up one by one


class ItemTable:
    """The tracks that have a vector, a row each, with what sources and constraints ask of them.

    ids: object [rows]. values: float32 [rows, dim], unit length. tracks: the catalog's columns,
    row by row. model, fingerprint: whose vectors they are. plays: int64 [rows], listens of all
    listeners; all 0 where none are known.
    """

    def __init__(self, tracks: pa.Table, vectors: Vectors, plays: Ints | None = None) -> None:
        """Put tracks and vectors side by side; vectors whose track is not there are left out.

        Raises QueryError where nothing remains.
        """
        self.model, self.fingerprint = vectors.model, vectors.fingerprint
        self.of_sound = vectors.of_sound
        self.ids, self.tracks = vectors.ids, tracks
        self.values: Floats = vectors.values
        if not same_texts(vectors.ids, tracks["track_id"]):
            ids, held = pa.array(vectors.ids, pa.string()), tracks["track_id"].combine_chunks()
            places = pc.index_in(ids, value_set=held)
            known = pc.is_valid(places).to_numpy(zero_copy_only=False)
            if not known.all():
                self.ids, self.values = vectors.ids[known], vectors.values[known]
            self.tracks = tracks.take(places.drop_null())
        if not len(self.ids):
            raise QueryError("no track of the catalog has a vector: run `musicu embed` on it")
        self.plays: Ints = np.zeros(len(self.ids), np.int64) if plays is None else plays
        self._searched: dict[bytes, ExactIndex] = {}
        self._lock = Lock()
        self._table: tuple[NDArray[np.object_], Ints] | None = None
        self._artists: list[tuple[Ints, tuple[Ints, Ints, Ints]]] = []
        self._unpopular: tuple[NDArray[np.float64], float, NDArray[np.bool_]] | None = None

    @classmethod
    def of(cls, catalog: Catalog, model: str | None = None) -> ItemTable:
        """The tracks of a catalog that have a vector of a model. Default: its default model."""
        check_catalog(catalog)
        tracks = catalog.tracks()
        pa.default_memory_pool().release_unused()  # reading tracks takes three times their size
        vectors = catalog.vectors(model)
        pa.default_memory_pool().release_unused()
        return cls(tracks, vectors)

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, ids: Iterable[str]) -> Ints:
        """The rows of track ids: int64 [ids], -1 for those that are not here."""
        if ids is self.ids:
            return np.arange(len(self))
        names = list(ids)
        if not self._rising or "_row_of" in self.__dict__:
            return np.array([self._row_of.get(name, -1) for name in names], np.int64)
        if len(names) > _FEW_NAMES:
            found = pc.index_in(pa.array(names, pa.string()), value_set=self.id_texts)
            rows: Ints = pc.fill_null(found, -1).to_numpy().astype(np.int64)
            return rows
        asked = np.empty(len(names), object)
        asked[:] = names
        places = np.minimum(np.searchsorted(self.ids, asked), len(self) - 1)
        return np.where(self.ids[places] == asked, places, -1)

    def rows_of_table(self, names: NDArray[np.object_]) -> Ints:
        """The same for ids that many histories share; those of the last such table are kept."""
        kept = self._table  # which another thread may replace meanwhile
        if kept is None or kept[0] is not names:
            self._table = kept = names, self.rows_of(names)
        return kept[1]

    def index_ids(self) -> None:
        """Have `rows_of` answer in a tenth of the time, for some 75 bytes a row.

        For who asks again and again: without it, sorted ids are searched as they are.
        """
        self._row_of  # noqa: B018 - made now

    @cached_property
    def _rising(self) -> bool:
        """Whether the ids are sorted, as those of a catalog are: then nothing must be indexed."""
        return rising(self.tracks["track_id"])

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    def search(self, queries: Floats, k: Ints, rows: Ints) -> Hits:
        """The k of some rows nearest to each query, exactly: see `ExactIndex.search`.

        The vectors of few rows are copied together and kept, for as many sets of rows as there is
        room for; of many rows they are read where they lie.
        """
        if len(rows) > _ROWS_KEPT * len(self):
            return self.index.search(queries, k, rows=self._but_all(rows))
        hits = self._index_of(rows).search(queries, k)
        return Hits(hits.query, rows[hits.row], hits.score)

    def ranked(self, queries: Floats, k: int | Ints, rows: Ints) -> Hits:
        """The hits of `search` in the same order, with scores that are only near the exact ones."""
        if len(rows) > _ROWS_KEPT * len(self):
            return self.index.ranked(queries, k, rows=self._but_all(rows))
        hits = self._index_of(rows).ranked(queries, k)
        return Hits(hits.query, rows[hits.row], hits.score)

    def rows_by_artist(self, rows: Ints) -> tuple[Ints, Ints, Ints]:
        """The artists of some rows, where the rows of each begin and end, and those rows.

        rows: rising. What was found is kept for the few sets of rows last asked for.
        """
        with self._lock:
            for place, (known, found) in enumerate(self._artists):
                if np.array_equal(known, rows):
                    self._artists.append(self._artists.pop(place))
                    return found
            allowed = np.zeros(len(self), bool)
            allowed[rows] = True
            kept = np.flatnonzero(allowed[self.credits.row])
            kept = kept[np.argsort(self.credits.artist[kept], kind="stable")]
            artists, first = np.unique(self.credits.artist[kept], return_index=True)
            made = artists, np.append(first, len(kept)), self.credits.row[kept]
            self._artists = [*self._artists[1 - _ARTISTS_KEPT :], (rows, made)]
            return made

    @cached_property
    def index(self) -> ExactIndex:
        """An index of all rows."""
        return ExactIndex(self.values)

    def _but_all(self, rows: Ints) -> Ints | None:
        """Some rows, or None where they are all."""
        return None if len(rows) == len(self) else rows

    def _index_of(self, rows: Ints) -> ExactIndex:
        """An index of few rows, rising."""
        text = np.ascontiguousarray(rows).tobytes()
        key = hashlib.blake2b(text, digest_size=16).digest()
        with self._lock:
            if key not in self._searched:
                kept = sum(map(len, self._searched.values()))
                if kept + len(rows) > _ROWS_KEPT * len(self):
                    self._searched.clear()  # the old copies go before the new one comes
                self._searched[key] = ExactIndex(self.values[rows])
            return self._searched[key]

    @cached_property
    def id_texts(self) -> pa.Array:
        """The ids as text."""
        return self.tracks["track_id"].combine_chunks()

    @cached_property
    def credits(self) -> Credits:
        """Who performs which row."""
        return Credits.of(self.tracks)

    @cached_property
    def albums(self) -> Ints:
        """A number for each row, equal where the album is."""
        return album_numbers(self.tracks, self.credits)

    @cached_property
    def recordings(self) -> Ints:
        """A number for each row, int64 [rows], equal where the recording is: see `recordings`."""
        return recording_numbers(self.tracks, self.credits, self.values)

    @cached_property
    def works(self) -> Ints:
        """A number for each row, int64 [rows], equal for versions of one work."""
        return work_numbers(self.tracks, self.credits, self.values, self.recordings)

    @cached_property
    def _named(self) -> NDArray[np.bool_]:
        """Whether tags give a title and an artist, bool [rows]."""
        artists = pc.fill_null(pc.list_value_length(self.tracks["artists"]), 0)
        named = pc.and_(pc.is_valid(self.tracks["title"]), pc.greater(artists, 0))
        return np.asarray(named.to_numpy())

    @cached_property
    def _nameless_copies(self) -> NDArray[np.bool_]:
        """Whether a row lacks a name that another of its recording has, bool [rows]."""
        if self._named.all():
            return np.zeros(len(self), bool)
        return ~self._named & np.isin(self.recordings, self.recordings[self._named])

    def without_nameless_copies(self, rows: Ints) -> Ints:
        """Rows in their order, without those that lack a title or an artist where another of them
        is the same recording and has both."""
        kept = ~self._nameless_copies[rows]
        if not kept.all():
            named = self.recordings[rows[self._named[rows]]]
            kept[~kept] = ~np.isin(self.recordings[rows[~kept]], named)
        return rows[kept]

    def tracks_at(self, rows: Ints) -> pa.Table:
        """The catalog's columns of some rows, in their order."""
        return self._track_rows.take(rows)

    def names_at(self, rows: Ints) -> pa.Table:
        """What some rows are called: `NAMES` of them, in their order."""
        return self._name_rows.take(rows)

    @cached_property
    def _track_rows(self) -> TableRows:
        return TableRows(self.tracks)

    @cached_property
    def _name_rows(self) -> TableRows:
        return TableRows(self.tracks.select(NAMES))

    def take(self, rows: Ints) -> ItemTable:
        """Some of the rows, as a table of their own."""
        tracks = self.tracks_at(rows)
        return ItemTable(tracks, self._vectors(rows), self.plays[rows])

    def with_plays(self, plays: Ints) -> ItemTable:
        """The same rows with other listens: int64 [rows]; what is known of them stays."""
        other = copy.copy(self)
        other.plays = plays
        other.__dict__.pop("popularity", None)
        return other

    @cached_property
    def vectors(self) -> Vectors:
        """The vectors of all rows, with the name and fingerprint of their model."""
        return self._vectors(slice(None))

    def _vectors(self, rows: Ints | slice) -> Vectors:
        about = self.model, self.fingerprint, self.of_sound
        return Vectors(self.ids[rows], self.values[rows], *about)

    @cached_property
    def artist_means(self) -> Floats:
        """The direction of each artist's tracks: float32 [artists, dim], unit length or 0."""
        from scipy.sparse import csr_array

        made = self.credits
        ones = np.ones(len(made.row), np.float32)
        shape = (len(made.keys), len(self))
        means: Floats = csr_array((ones, (made.artist, made.row)), shape) @ self.values
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        units: Floats = means / np.where(lengths > 1e-6, lengths, np.float32(np.inf))
        return units

    @cached_property
    def order_by_id(self) -> Ints:
        """Each row's place among the ids, rising: int64 [rows]."""
        places = np.arange(len(self))
        if self._rising:
            return places
        places[pc.sort_indices(self.id_texts).to_numpy()] = np.arange(len(self))
        return places

    @cached_property
    def released(self) -> NDArray[np.int32]:
        """Days since 1970, int32 [rows]; a number far below all others where it is unknown."""
        days = self.tracks["released"].cast(pa.date32()).cast(pa.int32())
        filled: NDArray[np.int32] = pc.fill_null(days, _UNKNOWN_DAY).to_numpy()
        return filled

    def released_within(self, first: date, last: date) -> NDArray[np.bool_]:
        """Which rows were released from `first` to `last`, both included: bool [rows]."""
        low, high = ((day - _EPOCH).days for day in (first, last))
        return (self.released >= low) & (self.released <= high)

    def released_before(self, day: date) -> NDArray[np.bool_]:
        """Which rows are known to have been released before a day: bool [rows]."""
        last = (day - _EPOCH - timedelta(days=1)).days
        return (self.released > _UNKNOWN_DAY) & (self.released <= last)

    @cached_property
    def popularity(self) -> NDArray[np.float64]:
        """The listens of each row where any are known, else the catalog's popularity, NaN unknown.

        float64 [rows].
        """
        if self.plays.any():
            return self.plays.astype(np.float64)
        column = self.tracks["popularity"].cast(pa.float64())
        known: NDArray[np.float64] = pc.fill_null(column, np.nan).to_numpy()
        return known

    def least_popular(self, percentile: float) -> NDArray[np.bool_]:
        """The rows up to a percentile of what is known of popularity, and those of unknown one.

        bool [rows], not to be written to. What was found last is kept.
        """
        popularity = self.popularity
        kept = self._unpopular
        if kept is not None and kept[0] is popularity and kept[1] == percentile:
            return kept[2]
        found = unknown = np.isnan(popularity)
        known = popularity[~unknown]
        if len(known):
            last = math.ceil(percentile / 100 * len(known)) - 1  # fewer are below than that share
            found = (popularity <= np.partition(known, last)[last]) | unknown
        self._unpopular = popularity, percentile, found
        return found

    @cached_property
    def near(self) -> float:
        """The cosine that 19 of 20 random pairs of tracks stay below: less is not near."""
        rng = np.random.default_rng(0)
        a, b = rng.integers(0, len(self), (2, _PAIRS))
        a, b = a[a != b], b[a != b]
        if not len(a):
            return 1.0
        cosines = np.einsum("ij,ij->i", self.values[a], self.values[b])
        return float(np.quantile(cosines, _NEAR_SHARE))
