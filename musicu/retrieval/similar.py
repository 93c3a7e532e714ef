"""The tracks of a catalog that sound nearest to some of its own, or to a vector."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.identity import same_work
from musicu.catalog.rows import rising, same_texts
from musicu.errors import QueryError
from musicu.records import Vectors, check_catalog, check_count, id_list
from musicu.retrieval.catalog_index import ON_DISK, CatalogIndex, StoredCatalog, open_index
from musicu.retrieval.filters import Filter, matching_rows
from musicu.retrieval.hits import Hits
from musicu.retrieval.indexes import INDEXES, Index

#: What decides whether a track found is a version of the one that was asked with.
_WORK = ("title", "artists", "album_artist", "content_hash", "recording_id", "work_id")
#: What the answer says of each track found, beside its rank and score.
SHOWN = ("title", "artists", "album", "released", "duration_seconds", "path")


class Searchable(Protocol):
    """What a search needs of a catalog."""

    def tracks(self) -> pa.Table:
        """A row for each track."""

    def vectors(self, model: str | None = None) -> Vectors:
        """The ids and vectors of the tracks that have one."""

    def failures(self) -> pa.Table:
        """A row for each failure."""


def similar(
    catalog: Searchable,
    track_id: Any,
    k: int = 20,
    where: Filter = None,
    model: str | None = None,
    *,
    versions: bool = True,
    index: str = "exact",
) -> pa.Table:
    """The k tracks nearest to each track given, an id or several; none is its own answer.

    Returns a row a hit, in the order of the tracks given, then of falling score: query_id, rank
    (int32, from 1), track_id, score (float32, cosine in [-1, 1]), same_work (whether it is a copy
    or version of the track given: see `identity.same_work`), then the columns of SHOWN. versions:
    False leaves such tracks out.
    Several tracks give the rows of each alone, one after the other. `where` says which tracks
    may be found: see `matching_rows`. model: Default: the catalog's default model. index: the
    name of the index that searches; "disk" is the one that `update_index` has stored beside the
    catalog, for which no vectors are read into memory. Two files of one recording are two tracks,
    with a score of 1.

    Raises QueryError where an id is unknown or without a vector, or the filter cannot be met.
    """
    check_catalog(catalog)
    seeds = [track_id] if isinstance(track_id, str) else id_list(track_id)
    space = _space(catalog, model, index)
    for seed in seeds:
        if space.row(seed) is None:
            raise _unknown(catalog, space.tracks, seed)
    own = [row for seed in seeds if (row := space.row(seed)) is not None]
    queries = space.values(own)
    allowed, wanted = space.allowed(where), check_count("k", k)
    while True:
        hits = space.index.search(queries, wanted, rows=allowed, exclude=own)
        found = space.table(hits, seeds)
        if versions:
            return found
        kept = found.filter(pc.invert(found["same_work"]))
        counts = np.bincount(hits.query[~found["same_work"].to_numpy()], minlength=len(seeds))
        asked = np.bincount(hits.query, minlength=len(seeds))
        if ((counts >= k) | (asked < wanted)).all():
            return _ranked(kept, k)
        wanted *= 2


def similar_to_vector(
    catalog: Searchable,
    vector: NDArray[np.float32],
    k: int = 20,
    where: Filter = None,
    model: str | None = None,
    exclude: Any = (),
) -> pa.Table:
    """The k tracks nearest to a vector [dim] of the same model, without those in `exclude`.

    Returns the columns of `similar`, with query_id null. Only the vector's direction counts.
    Raises QueryError where it has another dimension, is not finite or is all zeros.
    """
    if np.ndim(vector) != 1:
        raise QueryError(f"one vector [dim] is wanted, not one of the shape {np.shape(vector)}")
    check_catalog(catalog)
    space = _space(catalog, model)
    allowed = space.allowed(where)
    if len(exclude):
        left_out = [row for name in id_list(exclude) if (row := space.row(name)) is not None]
        rows = np.arange(len(space.index)) if allowed is None else allowed
        allowed = np.setdiff1d(rows, left_out, assume_unique=True)
    hits = space.index.search(vector, check_count("k", k), rows=allowed)
    return space.table(hits, [None])


def _ranked(found: pa.Table, k: int) -> pa.Table:
    """The first k rows of each query, ranked anew."""
    queries = found["query_id"].to_numpy()
    starts = np.append(True, queries[1:] != queries[:-1])[: len(queries)]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(queries)), 0))
    rank = np.arange(len(queries)) - first
    at = found.column_names.index("rank")
    found = found.set_column(at, "rank", pa.array(rank + 1, pa.int32()))
    return found.filter(pa.array(rank < k))


class _Space:
    """What every search of one catalog under one model needs, made once."""

    def __init__(self, vectors: Vectors | CatalogIndex, tracks: pa.Table, index: str) -> None:
        self.vectors = vectors
        self.tracks = tracks
        self.index: Index
        if isinstance(vectors, CatalogIndex):
            self.index = vectors
        else:
            self.index = INDEXES.make(index, vectors.values)

    def values(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """Some of the vectors, float32 [rows, dim]."""
        if isinstance(self.vectors, CatalogIndex):
            return self.vectors.vectors(np.array(rows, np.int64))
        return self.vectors.values[list(rows)]

    def row(self, track_id: str) -> int | None:
        """Where a track's vector stands; None where it has none."""
        if not self._rising:
            return self._row_of.get(track_id)
        ids = self.vectors.ids
        at = int(np.searchsorted(ids, track_id))
        return at if at < len(ids) and ids[at] == track_id else None

    @cached_property
    def _rising(self) -> bool:
        """Whether the ids are sorted, as those of a catalog are: then nothing need be indexed."""
        return rising(self.vectors.ids)

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.vectors.ids)}

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Where each vector's track stands in the table; -1 where it is not there."""
        if same_texts(self.vectors.ids, self.tracks["track_id"]):
            return np.arange(len(self.vectors.ids))
        ids = pa.array(self.vectors.ids, pa.string())
        found = pc.index_in(ids, value_set=self.tracks["track_id"].combine_chunks())
        places: NDArray[np.int64] = pc.fill_null(found, -1).to_numpy().astype(np.int64)
        return places

    def allowed(self, where: Filter) -> NDArray[np.int64] | None:
        """The rows of the vectors that a filter allows; None where it allows all of them."""
        wanted = np.zeros(self.tracks.num_rows + 1, bool)  # the last stands for -1
        wanted[matching_rows(self.tracks, where)] = True
        rows = np.flatnonzero(wanted[self._places])
        return None if len(rows) == len(self.index) else rows

    def table(self, hits: Hits, seeds: Sequence[str | None]) -> pa.Table:
        """The hits as rows with what is shown of their tracks."""
        shown = self.tracks.select(SHOWN).take(pa.array(self._places[hits.row]))
        found = {
            "query_id": pa.array(seeds, pa.string()).take(pa.array(hits.query)),
            "rank": pa.array(hits.rank(), pa.int32()),
            "track_id": pa.array(self.vectors.ids[hits.row], pa.string()),
            "score": pa.array(hits.score),
            "same_work": self._same_work(hits, seeds),
        }
        return pa.table({**found, **{name: shown[name] for name in SHOWN}})

    def _same_work(self, hits: Hits, seeds: Sequence[str | None]) -> pa.Array:
        """Whether each hit is a copy or version of its query."""
        columns = self.tracks.select([n for n in _WORK if n in self.tracks.column_names])
        found = columns.take(pa.array(self._places[hits.row])).to_pylist()
        rows = [None if seed is None else self.row(seed) for seed in seeds]
        own = [None if row is None else int(self._places[row]) for row in rows]
        asked = [None if at is None else columns.take([at]).to_pylist()[0] for at in own]
        return pa.array(
            [
                (seed := asked[query]) is not None and same_work(seed, row, float(score))
                for query, row, score in zip(hits.query, found, hits.score, strict=True)
            ],
            pa.bool_(),
        )


_SPACES: WeakKeyDictionary[Searchable, dict[tuple[str | None, str], _Space]] = WeakKeyDictionary()


def _space(catalog: Searchable, model: str | None, index: str = "exact") -> _Space:
    tracks, spaces = catalog.tracks(), _SPACES.setdefault(catalog, {})
    known = spaces.get((model, index))
    if index == ON_DISK and hasattr(catalog, "vector_state"):
        if known is None or known.tracks is not tracks:
            stored = open_index(cast("StoredCatalog", catalog), model)
            known = spaces[model, index] = _Space(stored, tracks, index)
        return known
    vectors = catalog.vectors(model)
    if known is None or known.vectors is not vectors or known.tracks is not tracks:
        spaces[model, index] = known = _Space(vectors, tracks, index)
    return known


def _unknown(catalog: Searchable, tracks: pa.Table, track_id: str) -> QueryError:
    """Why a track has no vector."""
    if pc.index(tracks["track_id"], track_id).as_py() < 0:
        return QueryError(
            f"no track has the id {track_id!r}; to name one by words, use "
            f'`musicu similar CATALOG "Artist - Title"` or musicu.retrieval.find_track'
        )
    failures = catalog.failures()
    reasons = failures.filter(pc.equal(failures["track_id"], track_id))["reason"].to_pylist()
    if reasons:
        return QueryError(f"track {track_id!r} has no vector, as it failed: {reasons[-1]}")
    return QueryError(f"track {track_id!r} has no vector under this model yet: run `musicu embed`")
