"""Exact search: the rows nearest to a query, under any filter, alone or in a batch.

Conventions. A score is the cosine of the query and a row, summed in float64 and rounded once to
float32. Hits of one query come in falling score, ties in rising row; so a query's hits are the
same bits whatever else is in its batch. BLAS only proposes candidates, with a margin that covers
its rounding (Higham, Accuracy and Stability of Numerical Algorithms, eq. 3.5); every hit is
scored again by the one formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

#: A row's length may differ from 1 by this much: what float16 storage costs.
UNIT_TOLERANCE = 1e-3

_ROUNDING = 2.0**-24  # half the distance from 1 to the next float32
_BLOCK_ROWS = 4096  # rows scored at once
_BLOCK_SCORES = 1 << 20  # scores held at once
_BLOCK_VALUES = 1 << 20  # values widened to float64 at once
_NOTHING = np.float32(-1e30)  # below every score, above the -inf of an excluded row


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What was found, flat: one entry a hit, in order of query, falling score, rising row.

    query: int64 [hits], the position of the query; a query may have fewer than k hits, or none.
    row: int64 [hits], the row of the index.
    score: float32 [hits], the cosine, within rounding of [-1, 1].
    """

    query: Ints
    row: Ints
    score: Floats

    def __len__(self) -> int:
        return len(self.row)

    def of(self, query: int) -> Hits:
        """The hits of one query, best first."""
        part = slice(*np.searchsorted(self.query, [query, query + 1]))
        return Hits(self.query[part], self.row[part], self.score[part])

    def rank(self) -> Ints:
        """Each hit's place among its query's hits, from 1: int64 [hits]."""
        first = np.searchsorted(self.query, self.query)
        return np.arange(1, len(self) + 1) - first


class Index:
    """Unit vectors that can be asked for the nearest; reads a memory map as it is."""

    def __init__(self, values: Floats) -> None:
        """Index `values`, float32 [rows, dim] of unit length; not copied where in C order.

        Raises QueryError where the array has another shape or type, or a row is not of unit
        length.
        """
        values = np.asarray(values)
        if values.ndim != 2 or values.dtype != np.float32 or not values.shape[1]:
            raise QueryError(
                f"an index takes float32 [rows, dim], not {values.dtype} {list(values.shape)}"
            )
        self.values: Floats = np.ascontiguousarray(values)
        self._check_lengths()
        # Twice the error of a float32 product of unit vectors, in whatever order it is summed,
        # with that of rounding the query and the score.
        self._margin = 2 * (1 + 2 * UNIT_TOLERANCE) * (self.dim + 4) * _ROUNDING

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return int(self.values.shape[1])

    def search(
        self,
        queries: Floats,
        k: int,
        *,
        rows: Ints | None = None,
        exclude: Sequence[int | None] | None = None,
    ) -> Hits:
        """The k rows nearest to each query; fewer where fewer are allowed.

        queries: [queries, dim], or [dim] for one; of any length above 0, as only their direction
        counts. rows: the allowed rows, in any order; all where None. exclude: a row for each
        query that it must not find (itself, say), or None.

        Raises QueryError where k < 1, a query is not finite, is all zeros or has another
        dimension, or a row is not in the index.
        """
        units = self._units(queries)
        if k < 1:
            raise QueryError(f"k is {k}: ask for at least 1 hit")
        allowed = self._allowed(rows)
        excluded = self._excluded(exclude, len(units))
        k = min(k, max(1, len(self) if allowed is None else len(allowed)))
        step = max(1, _BLOCK_SCORES // max(_BLOCK_ROWS, 4 * k))
        parts = [
            self._search_block(units[start : start + step], k, allowed, excluded, start)
            for start in range(0, len(units), step)
        ]
        return _joined(parts)

    def _search_block(
        self,
        units: NDArray[np.float64],
        k: int,
        allowed: Ints | None,
        excluded: Ints,
        start: int,
    ) -> Hits:
        narrow = units.astype(np.float32)
        excluded = excluded[start : start + len(units)]
        floor = np.full(len(units), _NOTHING)  # no hit can score below it
        copied = np.empty((0 if allowed is None else _BLOCK_ROWS, self.dim), np.float32)
        pool = _empty()
        settled = 0
        for rows in self._blocks(allowed):
            scores = self._propose(narrow, rows, copied)
            _forget(scores, rows, excluded)
            if len(rows) > k and not len(pool):
                floor = np.maximum(_NOTHING, _kth_of_block(scores, k) - self._margin)
            query, column = np.nonzero(scores >= floor[:, None])
            pool = _joined([pool, Hits(query, rows[column], scores[query, column])])
            if len(pool) > 4 * max(settled, k * len(units)):
                pool, floor = _trimmed(pool, k, self._margin, floor)
                if len(pool) > 2 * k * len(units):  # many within the margin: settle them
                    pool = _best(self._score(units, pool), k)
                settled = len(pool)
        pool = _best(self._score(units, _trimmed(pool, k, self._margin, floor)[0]), k)
        return Hits(pool.query + start, pool.row, pool.score)

    def _blocks(self, allowed: Ints | None) -> Iterator[Ints]:
        count = len(self) if allowed is None else len(allowed)
        for start in range(0, count, _BLOCK_ROWS):
            stop = min(count, start + _BLOCK_ROWS)
            yield np.arange(start, stop) if allowed is None else allowed[start:stop]

    def _propose(self, queries: Floats, rows: Ints, copied: Floats) -> Floats:
        """Scores float32 [queries, rows] as BLAS rounds them; `copied` is room for the rows."""
        first, stop = int(rows[0]), int(rows[-1]) + 1
        if stop - first > 1.5 * len(rows):
            values = copied[: len(rows)]
            np.take(self.values, rows, axis=0, out=values, mode="clip")  # "raise" copies once more
            scores: Floats = queries @ values.T
            return scores
        scores = queries @ self.values[first:stop].T  # denser than a copy is worth
        return scores if stop - first == len(rows) else scores[:, rows - first]

    def _score(self, units: NDArray[np.float64], hits: Hits) -> Hits:
        """The hits with their one true score."""
        scores = np.empty(len(hits), np.float32)
        step = max(1, _BLOCK_VALUES // self.dim)
        for start in range(0, len(hits), step):
            part = slice(start, start + step)
            wide = np.take(self.values, hits.row[part], axis=0).astype(np.float64)
            wide *= units[hits.query[part]]
            scores[part] = wide.sum(axis=1)  # pairwise along each row: no other row matters
        return Hits(hits.query, hits.row, scores)

    def _units(self, queries: Floats) -> NDArray[np.float64]:
        wide = np.atleast_2d(np.ascontiguousarray(queries, dtype=np.float64))
        if wide.ndim != 2 or wide.shape[1] != self.dim:
            raise QueryError(
                f"queries have the shape {list(np.shape(queries))}, the index wants "
                f"[queries, {self.dim}]"
            )
        lengths = np.sqrt((wide * wide).sum(axis=1))
        bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
        if len(bad):
            raise QueryError(
                f"query {bad[0]} has the length {lengths[bad[0]]}: it must be finite and not zero"
            )
        units: NDArray[np.float64] = wide / lengths[:, None]
        return units

    def _allowed(self, rows: Ints | None) -> Ints | None:
        if rows is None:
            return None
        rows = np.asarray(rows)
        if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
            raise QueryError(f"rows are int64 [rows], not {rows.dtype} {list(rows.shape)}")
        rows = rows.astype(np.int64, copy=False)
        if len(rows) and not np.all(rows[1:] > rows[:-1]):
            rows = np.unique(rows)
        if len(rows) and (rows[0] < 0 or rows[-1] >= len(self)):
            wrong = rows[0] if rows[0] < 0 else rows[-1]
            raise QueryError(f"row {wrong} is not among the {len(self)} rows of the index")
        return rows

    def _excluded(self, exclude: Sequence[int | None] | None, queries: int) -> Ints:
        if exclude is None:
            return np.full(queries, -1, np.int64)
        if len(exclude) != queries:
            raise QueryError(f"exclude has {len(exclude)} rows for {queries} queries")
        for row in exclude:
            if row is not None and not 0 <= row < len(self):
                raise QueryError(f"row {row} is not among the {len(self)} rows of the index")
        return np.array([-1 if row is None else row for row in exclude], np.int64)

    def _check_lengths(self) -> None:
        step = max(1, _BLOCK_VALUES // self.dim)
        for start in range(0, len(self), step):
            block = self.values[start : start + step]
            lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
            bad = np.flatnonzero(~(np.abs(lengths - 1) <= UNIT_TOLERANCE))
            if len(bad):
                raise QueryError(
                    f"row {start + bad[0]} has the length {lengths[bad[0]]:.6g}, not 1: divide "
                    "each vector by its length before indexing"
                )


def _forget(scores: Floats, rows: Ints, excluded: Ints) -> None:
    """Take each query's excluded row out of the running."""
    column = np.minimum(np.searchsorted(rows, excluded), len(rows) - 1)
    query = np.flatnonzero(rows[column] == excluded)
    scores[query, column[query]] = -np.inf


def _kth_of_block(scores: Floats, k: int) -> Floats:
    kth: Floats = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]
    return kth


def _trimmed(pool: Hits, k: int, margin: float, floor: Floats) -> tuple[Hits, Floats]:
    """The pool without what can no longer be a hit, and the floor raised to say so."""
    pool = _ordered(pool)
    kth = pool.rank() == k
    floor = floor.copy()
    query = pool.query[kth]
    floor[query] = np.maximum(floor[query], pool.score[kth] - np.float32(margin))
    keep = pool.score >= floor[pool.query]
    return Hits(pool.query[keep], pool.row[keep], pool.score[keep]), floor


def _best(hits: Hits, k: int) -> Hits:
    hits = _ordered(hits)
    keep = hits.rank() <= k
    return Hits(hits.query[keep], hits.row[keep], hits.score[keep])


def _ordered(hits: Hits) -> Hits:
    order = np.lexsort((hits.row, -hits.score, hits.query))
    return Hits(hits.query[order], hits.row[order], hits.score[order])


def _joined(parts: list[Hits]) -> Hits:
    if not parts:
        return _empty()
    return Hits(
        np.concatenate([part.query for part in parts]),
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.score for part in parts]),
    )


def _empty() -> Hits:
    return Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
