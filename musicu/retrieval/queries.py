"""What every index checks of a question, and the one formula of a score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.retrieval.hits import Hits

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_WIDE_VALUES = 1 << 17  # values widened to float64 at once: they stay in the cache


def unit_queries(queries: Floats, dim: int) -> NDArray[np.float64]:
    """Queries [queries, dim], or [dim] for one, as float64 of length 1.

    Raises QueryError where one has another dimension, is not finite or is all zeros.
    """
    wide = np.atleast_2d(np.ascontiguousarray(queries, dtype=np.float64))
    if wide.ndim != 2 or wide.shape[1] != dim:
        raise QueryError(
            f"queries have the shape {list(np.shape(queries))}, the index wants [queries, {dim}]"
        )
    lengths = np.sqrt((wide * wide).sum(axis=1))
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        raise QueryError(
            f"query {bad[0]} has the length {lengths[bad[0]]}: it must be finite and not zero"
        )
    units: NDArray[np.float64] = wide / lengths[:, None]
    return units


def hit_counts(k: int | Ints, queries: int) -> Ints:
    """How many hits each query wants: int64 [queries]."""
    counts = np.asarray(k, np.int64)
    if counts.ndim and counts.shape != (queries,):
        raise QueryError(f"k has the shape {list(counts.shape)} for {queries} queries")
    if counts.min(initial=1) < 1:
        raise QueryError(f"k is {counts.min()}: ask for at least 1 hit")
    return np.broadcast_to(counts, queries)


def allowed_rows(rows: Ints | None, count: int) -> Ints | None:
    """The allowed rows of an index of `count`, each once, rising; None where all are."""
    if rows is None:
        return None
    rows = np.asarray(rows)
    if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
        raise QueryError(f"rows are int64 [rows], not {rows.dtype} {list(rows.shape)}")
    rows = rows.astype(np.int64, copy=False)
    if len(rows) and not np.all(rows[1:] > rows[:-1]):
        rows = np.unique(rows)
    if len(rows) and (rows[0] < 0 or rows[-1] >= count):
        wrong = rows[0] if rows[0] < 0 else rows[-1]
        raise QueryError(f"row {wrong} is not among the {count} rows of the index")
    return rows


def excluded_rows(exclude: Sequence[int | None] | None, queries: int, count: int) -> Ints:
    """The row that each query must not find, of an index of `count`; -1 where there is none."""
    if exclude is None:
        return np.full(queries, -1, np.int64)
    if len(exclude) != queries:
        raise QueryError(f"exclude has {len(exclude)} rows for {queries} queries")
    for row in exclude:
        if row is not None and not 0 <= row < count:
            raise QueryError(f"row {row} is not among the {count} rows of the index")
    return np.array([-1 if row is None else row for row in exclude], np.int64)


def true_scores(values: Floats, units: NDArray[np.float64], hits: Hits) -> Hits:
    """Hits with their one true score: the cosine, summed in float64 and rounded once.

    values: the vectors of the index, float32 [rows, dim]. units: the queries, of length 1.
    """
    scores = np.empty(len(hits), np.float32)
    dim = values.shape[1]
    step = max(1, _WIDE_VALUES // dim)
    narrow = np.empty((min(step, len(hits)), dim), np.float32)
    wide, asked = (np.empty(narrow.shape, np.float64) for _ in range(2))
    for start in range(0, len(hits), step):
        part = slice(start, start + step)
        count = len(scores[part])
        np.take(values, hits.row[part], axis=0, out=narrow[:count], mode="clip")
        wide[:count] = narrow[:count]
        np.take(units, hits.query[part], axis=0, out=asked[:count], mode="clip")
        # Row by row: no other row matters.
        scores[part] = np.einsum("ij,ij->i", wide[:count], asked[:count])
    return Hits(hits.query, hits.row, scores)
