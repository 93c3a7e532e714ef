"""Lists with grades, what rankers learn from, and how an order of them is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from musicu.errors import QueryError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class GradedLists:
    """Rows of features with a grade, those of a list together.

    features: float32 [rows, features], NaN where one is unknown. names: of the features. grade:
    int64 [rows], from 0, the higher the better. sizes: int64 [lists], rows of each. gains: float64
    [grades], what a grade is worth, rising from 0. weight: float64 [rows], how much each counts.
    """

    features: Floats
    names: tuple[str, ...]
    grade: Ints
    sizes: Ints
    gains: Doubles
    weight: Doubles

    @classmethod
    def of(
        cls,
        features: ArrayLike,
        grade: ArrayLike,
        sizes: ArrayLike,
        names: tuple[str, ...] | None = None,
        gains: ArrayLike | None = None,
    ) -> GradedLists:
        """Lists with defaults: features are numbered, a grade g is worth 2^g - 1.

        Raises QueryError where the sizes do not sum to the rows, or a grade is no whole number.
        """
        rows = np.asarray(features, np.float32)
        grades, lengths = np.asarray(grade), np.asarray(sizes, np.int64)
        if rows.ndim != 2 or grades.shape != (len(rows),) or lengths.sum() != len(rows):
            raise QueryError(
                f"features are {rows.shape}, grades {grades.shape}, and sizes sum to "
                f"{lengths.sum():,}: give as many rows of each"
            )
        if len(grades) and ((grades < 0).any() or (grades != np.floor(grades)).any()):
            raise QueryError("a grade is below 0 or no whole number: give 0, 1, 2 and so on")
        whole = grades.astype(np.int64)
        worth = 2.0 ** np.arange(whole.max(initial=0) + 1) - 1 if gains is None else gains
        named = tuple(f"feature {n}" for n in range(rows.shape[1])) if names is None else names
        weight = np.ones(len(rows))
        return cls(rows, named, whole, lengths, np.asarray(worth, np.float64), weight)

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def owner(self) -> Ints:
        """The list of each row: int64 [rows]."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def gain(self) -> Doubles:
        """What each row is worth: float64 [rows]."""
        return self.gains[self.grade]

    def take(self, lists: Ints) -> GradedLists:
        """Some of the lists, in that order."""
        start = np.cumsum(self.sizes) - self.sizes
        rows = np.concatenate(
            [np.empty(0, np.int64), *(np.arange(start[n], start[n] + self.sizes[n]) for n in lists)]
        )
        return replace(
            self,
            features=self.features[rows],
            grade=self.grade[rows],
            sizes=self.sizes[lists],
            weight=self.weight[rows],
        )


def list_ndcg(scores: ArrayLike, gain: ArrayLike, sizes: ArrayLike, k: int) -> Doubles:
    """The NDCG@k of each list ordered by scores: float64 [lists], NaN where nothing has a gain.

    gain: at least 0, float64 [rows]. The discount at place r = 1, 2, … is 1 / log2(r + 1)
    (Järvelin and Kekäläinen, 2002). Equal scores stay in the order of the rows.
    """
    lengths = np.asarray(sizes, np.int64)
    worth = np.asarray(gain, np.float64)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    found = _discounted(np.asarray(scores, np.float64), worth, owner, lengths, k)
    best = _discounted(worth, worth, owner, lengths, k)
    ndcg: Doubles = np.divide(found, best, out=np.full(len(lengths), np.nan), where=best > 0)
    return ndcg


def _discounted(scores: Doubles, gain: Doubles, owner: Ints, sizes: Ints, k: int) -> Doubles:
    order = np.lexsort((np.arange(len(scores)), -scores, owner))
    place = np.arange(len(scores)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    worth = np.where(place < k, gain[order] / np.log2(place + 2.0), 0.0)
    return np.bincount(owner, worth, len(sizes)).astype(np.float64)
