"""The tracks of a catalog that sound nearest to some of its own, or to a vector."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.records import Vectors
from musicu.retrieval.filters import Filter, matching_rows
from musicu.retrieval.hits import Hits
from musicu.retrieval.index import Index

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
    track_id: str | Sequence[str],
    k: int = 20,
    where: Filter = None,
    model: str | None = None,
) -> pa.Table:
    """The k tracks nearest to each track given; a track is never its own answer.

    Returns a row a hit, in the order of the tracks given, then of falling score: query_id, rank
    (int32, from 1), track_id, score (float32, cosine in [-1, 1]), then the columns of SHOWN.
    Several tracks give the rows of each alone, one after the other. `where` says which tracks
    may be found: see `matching_rows`. model: Default: the catalog's default model. Two files of
    one recording are two tracks, with a score of 1.

    Raises QueryError where an id is unknown or without a vector, or the filter cannot be met.
    """
    seeds = [track_id] if isinstance(track_id, str) else list(track_id)
    space = _space(catalog, model)
    for seed in seeds:
        if seed not in space.row_of:
            raise _unknown(catalog, space.tracks, seed)
    own = [space.row_of[seed] for seed in seeds]
    queries = space.vectors.values[own]
    hits = space.index.search(queries, k, rows=space.allowed(where), exclude=own)
    return space.table(hits, seeds)


def similar_to_vector(
    catalog: Searchable,
    vector: NDArray[np.float32],
    k: int = 20,
    where: Filter = None,
    model: str | None = None,
    exclude: Collection[str] = (),
) -> pa.Table:
    """The k tracks nearest to a vector [dim] of the same model, without those in `exclude`.

    Returns the columns of `similar`, with query_id null. Only the vector's direction counts.
    Raises QueryError where it has another dimension, is not finite or is all zeros.
    """
    if np.ndim(vector) != 1:
        raise QueryError(f"one vector [dim] is wanted, not one of the shape {np.shape(vector)}")
    space = _space(catalog, model)
    allowed = space.allowed(where)
    if exclude:
        left_out = [space.row_of[name] for name in exclude if name in space.row_of]
        rows = np.arange(len(space.index)) if allowed is None else allowed
        allowed = np.setdiff1d(rows, left_out, assume_unique=True)
    return space.table(space.index.search(vector, k, rows=allowed), [None])


class _Space:
    """What every search of one catalog under one model needs, made once."""

    def __init__(self, vectors: Vectors, tracks: pa.Table) -> None:
        self.vectors = vectors
        self.tracks = tracks
        self.index = Index(vectors.values)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Where each track's vector stands."""
        return {name: row for row, name in enumerate(self.vectors.ids)}

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Where each vector's track stands in the table; -1 where it is not there."""
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
        }
        return pa.table({**found, **{name: shown[name] for name in SHOWN}})


_SPACES: WeakKeyDictionary[Searchable, dict[str | None, _Space]] = WeakKeyDictionary()


def _space(catalog: Searchable, model: str | None) -> _Space:
    vectors, tracks = catalog.vectors(model), catalog.tracks()
    spaces = _SPACES.setdefault(catalog, {})
    known = spaces.get(model)
    if known is None or known.vectors is not vectors or known.tracks is not tracks:
        spaces[model] = known = _Space(vectors, tracks)
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
