"""The tracks of a catalog that sound nearest to some of its own, or to a vector."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.records import Vectors
from musicu.retrieval.filters import Filter, matching_rows
from musicu.retrieval.index import Hits, Index

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
    may be found: see `matching_rows`. `model` is the one last added where None. Two files of one
    recording are two tracks, with a score of 1.

    Raises QueryError where an id is unknown or without a vector, or the filter cannot be met.
    """
    seeds = [track_id] if isinstance(track_id, str) else list(track_id)
    vectors = catalog.vectors(model)
    tracks = catalog.tracks()
    row_of = {name: row for row, name in enumerate(vectors.ids)}
    for seed in seeds:
        if seed not in row_of:
            raise _unknown(catalog, tracks, seed)
    own = [row_of[seed] for seed in seeds]
    places = _places(vectors, tracks)
    allowed = _allowed(places, tracks, where)
    hits = Index(vectors.values).search(vectors.values[own], k, rows=allowed, exclude=own)
    return _table(vectors, tracks, places, hits, seeds)


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
    vectors = catalog.vectors(model)
    tracks = catalog.tracks()
    places = _places(vectors, tracks)
    allowed = _allowed(places, tracks, where)
    if exclude:
        left_out = frozenset(exclude)
        allowed = allowed[[name not in left_out for name in vectors.ids[allowed]]]
    hits = Index(vectors.values).search(vector, k, rows=allowed)
    return _table(vectors, tracks, places, hits, [None])


def _places(vectors: Vectors, tracks: pa.Table) -> NDArray[np.int64]:
    """Where each vector's track stands in the table; -1 where it is not there."""
    ids = pa.array(vectors.ids, pa.string())
    found = pc.index_in(ids, value_set=tracks["track_id"].combine_chunks())
    places: NDArray[np.int64] = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return places


def _allowed(places: NDArray[np.int64], tracks: pa.Table, where: Filter) -> NDArray[np.int64]:
    """The rows of the vectors that a filter allows."""
    wanted = np.zeros(tracks.num_rows + 1, bool)  # the last stands for -1
    wanted[matching_rows(tracks, where)] = True
    return np.flatnonzero(wanted[places])


def _table(
    vectors: Vectors,
    tracks: pa.Table,
    places: NDArray[np.int64],
    hits: Hits,
    seeds: Sequence[str | None],
) -> pa.Table:
    shown = tracks.select(SHOWN).take(pa.array(places[hits.row]))
    found = {
        "query_id": pa.array(seeds, pa.string()).take(pa.array(hits.query)),
        "rank": pa.array(hits.rank(), pa.int32()),
        "track_id": pa.array(vectors.ids[hits.row], pa.string()),
        "score": pa.array(hits.score),
    }
    return pa.table({**found, **{name: shown[name] for name in SHOWN}})


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
