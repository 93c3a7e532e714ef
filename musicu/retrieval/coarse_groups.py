"""A coarse partition of an index: rows of far groups need no look at their codes.

Each row belongs to the nearest of some hundred centroids. A query's nearest rows lie in groups
whose centroids score no less than the last of them, less some reach, which is measured at build on
true neighbours. Where most rows would be left, as of vectors with nothing in common, a partition
spares nothing and is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

GROUPS = 512
_ROWS_OF_GROUP = 24  # of the sample: a group of fewer says little
_ROUNDS = 8
_SPAN = 1 << 16
_USEFUL = 0.5  # share of rows that may be left
_SHARE = 0.999  # of true neighbours that the reach must hold


def fitted_centroids(sample: Floats, rng: np.random.Generator) -> Floats:
    """Centroids of a sample, float32 [groups, dim], by spherical k-means (Dhillon, 2001)."""
    count = max(1, min(GROUPS, len(sample) // _ROWS_OF_GROUP))
    centroids = sample[rng.choice(len(sample), count, replace=False)]
    for _ in range(_ROUNDS):
        groups = group_of(sample, centroids)
        sums = np.zeros_like(centroids)
        np.add.at(sums, groups, sample)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centroids = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centroids)
    return centroids.astype(np.float32)


def group_of(values: Floats, centroids: Floats) -> NDArray[np.uint16]:
    """The nearest centroid of each vector."""
    found: NDArray[np.uint16] = np.argmax(values @ centroids.T, axis=1).astype(np.uint16)
    return found


@dataclass(frozen=True, eq=False)
class CoarseGroups:
    """The partition of an index. centroids: float32 [groups, dim]. of_row: uint16 [rows]."""

    centroids: Floats
    of_row: NDArray[np.uint16]

    @cached_property
    def sizes(self) -> Ints:
        """Rows of each group."""
        found = np.zeros(len(self.centroids), np.int64)
        for span in self._spans():
            found += np.bincount(self.of_row[span], minlength=len(found))
        return found

    def scores(self, unit: NDArray[np.float64]) -> Floats:
        """The score of each centroid."""
        found: Floats = self.centroids @ unit.astype(np.float32)
        return found

    def best(self, scores: Floats, rows: int) -> NDArray[np.bool_]:
        """The groups of highest score that hold so many rows together: bool [groups]."""
        order = np.argsort(-scores, kind="stable")
        most = int(np.searchsorted(np.cumsum(self.sizes[order]), rows)) + 1
        chosen = np.zeros(len(scores), np.bool_)
        chosen[order[:most]] = True
        return chosen

    def rows(
        self, chosen: NDArray[np.bool_], rows: Ints | None, mapped: Callable[..., Any]
    ) -> Ints:
        """The rows of chosen groups, rising; of some rows, or all where None."""
        if rows is not None:
            kept: Ints = rows[np.take(chosen, self.of_row[rows])]
            return kept

        def found(span: slice) -> Ints:
            near: Ints = np.flatnonzero(np.take(chosen, self.of_row[span])) + span.start
            return near

        every: Ints = np.concatenate(list(mapped(found, list(self._spans()))))
        return every

    def reach(self, queries: Floats, floors: Floats, query: Ints, row: Ints) -> float | None:
        """How far below the last true neighbour a centroid of one may score.

        floors: the score of each query's last neighbour. query, row: pairs of true neighbours.
        None where so many rows would be left that it does not pay.
        """
        scores = queries @ self.centroids.T
        needed = floors[query] - scores[query, self.of_row[row]]
        found = float(np.quantile(needed, _SHARE))
        left = (scores >= (floors - found)[:, None]) @ self.sizes / max(1, len(self.of_row))
        return found if float(left.mean()) <= _USEFUL else None

    def _spans(self) -> Iterator[slice]:
        for start in range(0, len(self.of_row), _SPAN):
            yield slice(start, min(start + _SPAN, len(self.of_row)))
