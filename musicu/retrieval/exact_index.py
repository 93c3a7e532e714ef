"""Exact search: the rows nearest to a query, under any filter, alone or in a batch.

Conventions. A score is the cosine of the query and a row, summed in float64 and rounded once to
float32. Hits of one query come in falling score, ties in rising row; so a query's hits are the
same bits whatever else is in its batch. Faster arithmetic only says what a row's score cannot
exceed: a float32 product with what its rounding can cost (Higham, Accuracy and Stability of
Numerical Algorithms, eq. 3.5), or a product of bytes (`int8.py`); what could still be a hit is
scored again by the one formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.retrieval.hits import Hits, joined, undecided
from musicu.retrieval.int8 import MAX_DIM, UNIT_TOLERANCE, Int8Queries, Int8Rows
from musicu.retrieval.ordering import best_first
from musicu.retrieval.queries import (
    allowed_rows,
    excluded_rows,
    hit_counts,
    true_scores,
    unit_queries,
)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
#: Rows int64 [rows], and what their scores cannot exceed, or are up to an error, float32
#: [queries, rows].
_Bounds = tuple[Ints, Floats]

_ROUNDING = 2.0**-24  # half the distance from 1 to the next float32
_BLOCK_SCORES = 1 << 22  # scores held at once: BLAS is a quarter slower on thin blocks
_BLOCK_VALUES = 1 << 20  # values whose lengths are taken at once
_HITS_AT_ONCE = 1 << 20  # scored together: a product in between would empty the cache of rows
_GATHERED_ROWS = 4096  # rows copied together at once, to be scored
_WHOLE_ROWS = 16_384  # rows scored at once where they lie together
_DENSE = 0.15  # from this share of the rows on, scoring all as bytes beats gathering some
_WORTH_PACKING = 1 << 22  # values; fewer are scored within a millisecond
_OFTEN = 12  # searches that packing costs as much time as it has saved after
_FEW_QUERIES = 16  # for more at once, BLAS is as fast on float32
_LOWEST = np.float32(-2)  # below every score, above the -inf of an excluded row


class ExactIndex:
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
        # The error of a float32 product of unit vectors, in whatever order it is summed, with
        # that of rounding the query, the score and what is compared.
        self._error = np.float32((1 + 2 * UNIT_TOLERANCE) * (self.dim + 8) * _ROUNDING)
        self._bytes: Int8Rows | None = None
        self._asked = 0

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return int(self.values.shape[1])

    def search(
        self,
        queries: Floats,
        k: int | Ints,
        *,
        rows: Ints | None = None,
        exclude: Sequence[int | None] | None = None,
    ) -> Hits:
        """The k rows nearest to each query; fewer where fewer are allowed.

        queries: [queries, dim], or [dim] for one; of any length above 0, as only their direction
        counts. k: one for all, or int64 [queries]. rows: the allowed rows, in any order; all where
        None. exclude: a row for each query that it must not find (itself, say), or None.

        Raises QueryError where k < 1, a query is not finite, is all zeros or has another
        dimension, or a row is not in the index.
        """
        return self._found(queries, k, rows, exclude, self._scored)

    def ranked(self, queries: Floats, k: int | Ints, *, rows: Ints | None = None) -> Hits:
        """The hits of `search` in the same order, with scores that are only near the true ones.

        For whom few of the scores matter: `scored` has the true ones of those.
        """
        return self._found(queries, k, rows, None, self._ordered)

    def scored(self, queries: Floats, hits: Hits) -> Hits:
        """Hits of these queries with their true scores, as `search` gives them."""
        return true_scores(self.values, unit_queries(queries, self.dim), hits)

    def _found(
        self,
        queries: Floats,
        k: int | Ints,
        rows: Ints | None,
        exclude: Sequence[int | None] | None,
        finished: Callable[[NDArray[np.float64], Hits, Ints, bool], Hits],
    ) -> Hits:
        units = unit_queries(queries, self.dim)
        counts = hit_counts(k, len(units))
        allowed = allowed_rows(rows, len(self))
        excluded = excluded_rows(exclude, len(units), len(self))
        counts = np.minimum(counts, max(1, len(self) if allowed is None else len(allowed)))
        packed = self._packed_for(len(units), allowed)
        widest = max(
            min(len(self), _WHOLE_ROWS) if allowed is None else min(len(allowed), _GATHERED_ROWS),
            4 * int(counts.max(initial=1)),
        )
        step = max(1, _BLOCK_SCORES // widest)
        room = np.empty(0 if packed else min(step, len(units)) * widest, np.float32)
        parts: list[Hits] = []
        waiting: list[Hits] = []
        for start in range(0, len(units), step):
            part = slice(start, start + step)
            blocks = self._bounds(units[part], allowed, packed, room)
            error = None if packed else self._error
            for hits in self._within_reach(
                blocks, units[part], counts[part], excluded[part], error
            ):
                waiting.append(Hits(hits.query + start, hits.row, hits.score))
            if start + step >= len(units) or sum(map(len, waiting)) > _HITS_AT_ONCE:
                parts.append(finished(units, joined(waiting), counts, packed is None))
                waiting = []
        return joined(parts)

    def _scored(self, units: NDArray[np.float64], hits: Hits, k: Ints, near: bool) -> Hits:
        """The k best of some hits for each query. near: see `_ordered`."""
        return true_scores(self.values, units, hits).best(k)

    def _ordered(self, units: NDArray[np.float64], hits: Hits, k: Ints, near: bool) -> Hits:
        """The same, with true scores only where they decide.

        near: whether scores are within the error of a product, and not only bounds.
        """
        if not near:
            return self._scored(units, hits, k, near)
        hits = hits.best(np.full(len(k), len(hits) + 1))
        places, group = undecided(hits, self._error)
        some = true_scores(self.values, units, hits.take(places))
        some = some.take(best_first(group, some.score, some.row))
        hits.row[places], hits.score[places] = some.row, some.score
        return hits.take(np.flatnonzero(hits.rank() <= k[hits.query]))

    def prepare(self) -> None:
        """Pack the rows as bytes now: a search of most rows then takes a fifth of the time.

        Takes about a second and a quarter of a gigabyte for a million rows of 256 values, which a
        dozen searches take back. A large index does it by itself when it is asked that often.
        """
        if self._bytes is None and len(self) and self.dim <= MAX_DIM:
            self._bytes = Int8Rows(self.values)

    def _packed_for(self, queries: int, allowed: Ints | None) -> Int8Rows | None:
        """The rows as bytes where they serve this search."""
        few = allowed is not None and len(allowed) < _DENSE * len(self)
        if few or queries > _FEW_QUERIES:
            return None
        self._asked += 1
        if self._asked >= _OFTEN and self.values.size >= _WORTH_PACKING:
            self.prepare()
        return self._bytes

    def _within_reach(
        self,
        blocks: Iterator[_Bounds],
        units: NDArray[np.float64],
        k: Ints,
        excluded: Ints,
        error: np.float32 | None,
    ) -> list[Hits]:
        """The k best rows of all blocks, and some more, for each query.

        error: by how much a number of a block differs from its score at most; None where it is
        a bound, of which only that the score does not exceed it is known.
        """
        best = joined([])
        waiting: list[Hits] = []
        floor = np.full(len(units), _LOWEST)  # no hit can score below it
        for rows, bounds in blocks:
            _forget(bounds, rows, excluded)
            if error is not None:
                floor = np.maximum(floor, _kth_highest(bounds, k) - error)
            elif len(best) < k.sum():
                first = _highest(bounds, rows, int(k.max()))  # sets the floor for the rest
                bounds[first.query, np.searchsorted(rows, first.row)] = -np.inf
                best, floor = self._settled([best, *waiting, first], units, k)
                waiting = []
            reached = bounds >= (floor if error is None else floor - error)[:, None]
            place = np.flatnonzero(reached)
            query, column = np.divmod(place, len(rows))
            waiting.append(Hits(query, rows[column], bounds.take(place)))
            if sum(map(len, waiting)) > 3 * k.sum():
                best, settled = self._settled([best, *waiting], units, k)
                floor = np.maximum(floor, settled)
                waiting = []
        return [best, *waiting]

    def _settled(
        self, parts: list[Hits], units: NDArray[np.float64], k: Ints
    ) -> tuple[Hits, Floats]:
        """The k best of some rows for each query, and what any further hit must score."""
        best = true_scores(self.values, units, joined(parts)).best(k)
        floor = np.full(len(units), _LOWEST)
        full = best.rank() == k[best.query]
        floor[best.query[full]] = best.score[full]
        return best, floor

    def _bounds(
        self,
        units: NDArray[np.float64],
        allowed: Ints | None,
        packed: Int8Rows | None,
        scores: Floats,
    ) -> Iterator[_Bounds]:
        """Rows in rising order, a block at a time, with their scores, or above them.

        scores: room for those of a block, which the next block overwrites: fresh memory would cost
        a third as much as the product.
        """
        queries = Int8Queries(units) if packed else None
        narrow = units.astype(np.float32)
        size = _WHOLE_ROWS if allowed is None else _GATHERED_ROWS
        size = packed.block_rows if packed else size
        room = np.empty((0 if allowed is None or packed else size, self.dim), np.float32)
        for number, rows in _blocks(len(self), allowed, size, aligned=packed is not None):
            if packed is not None and queries is not None:
                bounds = packed.bounds(queries, number)
                first = number * size
                yield rows, bounds if len(rows) == bounds.shape[1] else bounds[:, rows - first]
            else:
                yield rows, self._products(narrow, rows, room, scores)

    def _products(self, queries: Floats, rows: Ints, room: Floats, scores: Floats) -> Floats:
        """Scores float32 [queries, rows] as BLAS rounds them.

        room: for a copy of the rows. scores: for the answer.
        """
        out = scores[: len(queries) * len(rows)].reshape(len(queries), len(rows))
        first, stop = int(rows[0]), int(rows[-1]) + 1
        if stop - first == len(rows):
            return np.matmul(queries, self.values[first:stop].T, out=out)
        if stop - first > 1.5 * len(rows):
            values = room[: len(rows)]
            np.take(self.values, rows, axis=0, out=values, mode="clip")  # "raise" copies once more
            return np.matmul(queries, values.T, out=out)
        denser: Floats = queries @ self.values[first:stop].T  # than a copy is worth
        return denser[:, rows - first]

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
    if excluded.max() < 0:
        return
    column = np.minimum(np.searchsorted(rows, excluded), len(rows) - 1)
    query = np.flatnonzero(rows[column] == excluded)
    scores[query, column[query]] = -np.inf


def _blocks(
    count: int, allowed: Ints | None, size: int, *, aligned: bool
) -> Iterator[tuple[int, Ints]]:
    """The rows in blocks with their numbers; aligned ones hold the allowed among `size` rows."""
    if allowed is None:
        for number, start in enumerate(range(0, count, size)):
            yield number, np.arange(start, min(count, start + size))
    elif aligned:
        edges = np.searchsorted(allowed, np.arange(0, count + size, size))
        for number in np.flatnonzero(np.diff(edges)).tolist():
            yield number, allowed[edges[number] : edges[number + 1]]
    else:
        for number, start in enumerate(range(0, len(allowed), size)):
            yield number, allowed[start : start + size]


def _kth_highest(bounds: Floats, k: Ints) -> Floats:
    """A number that at least k bounds of each query reach, near the highest: float32 [queries].

    The k-th highest of the maxima of disjoint groups; where there are too few, below all bounds.
    """
    most = int(k.max(initial=1))
    groups = min(bounds.shape[1], max(8 * most, bounds.shape[1] // 32))
    if groups < most:
        return np.full(len(bounds), _LOWEST)
    width = bounds.shape[1] // groups
    tops = bounds[:, : width * groups].reshape(len(bounds), width, groups).max(axis=1)
    tops = np.partition(tops, groups - most, axis=1)[:, groups - most :]
    tops.sort(axis=1)
    kth: Floats = tops[np.arange(len(tops)), most - k]
    return kth


def _highest(bounds: Floats, rows: Ints, k: int) -> Hits:
    """The k rows of highest bound for each query, without excluded ones."""
    k = min(k, bounds.shape[1])
    column = np.argpartition(bounds, bounds.shape[1] - k, axis=1)[:, bounds.shape[1] - k :]
    query = np.repeat(np.arange(len(bounds)), k)
    column = column.ravel()
    kept = bounds[query, column] > -np.inf
    query, column = query[kept], column[kept]
    return Hits(query, rows[column], bounds[query, column])
