"""What a change of a model gains, query by query, and whether that stands above chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.bootstrap import Resamples, interval
from musicu.normalisation import unit_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DRAWS, SEED = 4000, 0
LEVEL = 0.95  # of intervals


@dataclass(frozen=True, slots=True)
class Gain:
    """A paired comparison of two models on the same queries.

    of: what was asked, for people. before, after: means in 0 to 1. low, high: bounds of the
    95 % interval of their difference, NaN where it cannot be had. queries: how many were asked.
    """

    of: str
    before: float
    after: float
    low: float
    high: float
    queries: int

    @property
    def real(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low > 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what could not be measured is None."""
        numbers = {name: getattr(self, name) for name in ("before", "after", "low", "high")}
        plain = {name: None if np.isnan(value) else value for name, value in numbers.items()}
        return {"of": self.of, "queries": self.queries, "level": LEVEL} | plain

    def words(self) -> str:
        """For people."""
        if np.isnan(self.before):
            return "nothing could be asked: too few recordings"
        gained = self.after - self.before
        interval = f"[{self.low:+.3f}, {self.high:+.3f}]"
        if np.isnan(self.low):
            interval = "(too few for an interval)"
        return (
            f"{self.of}: {self.before:.3f} -> {self.after:.3f}, {gained:+.3f} {interval}, "
            f"{self.queries} queries"
        )


def paired_gain(of: str, before: Floats, after: Floats, groups: Ints, tries: int = 1) -> Gain:
    """Compare two models by their score of each query, float64 [queries], NaN where none.

    groups: int64 [queries]; whole groups are drawn (`musicu.bootstrap`), always the same draws.
    tries: among how many changes this one was the best; the interval is widened by as much
    (Bonferroni).
    """
    asked = np.isfinite(before) & np.isfinite(after)
    if not asked.any():
        return Gain(of, np.nan, np.nan, np.nan, np.nan, 0)
    was, now = before[asked], after[asked]
    draws = Resamples(groups[asked], DRAWS, SEED).means(now - was)
    low, high = interval(draws, 1 - (1 - LEVEL) / tries) or (np.nan, np.nan)
    return Gain(of, float(was.mean()), float(now.mean()), low, high, int(asked.sum()))


def precisions(vectors: Floats, groups: Ints, queries: NDArray[np.bool_]) -> Floats:
    """Average precision of each query among all other recordings, float64 [recordings].

    vectors: float64 [recordings, dim], of any length; likeness is their cosine. groups:
    int64 [recordings], -1 where unknown. NaN where a recording is no query or alone in its group.
    """
    found = np.full(len(vectors), np.nan)
    rows = np.flatnonzero(queries & (groups >= 0))
    if len(rows) == 0:
        return found
    units = unit_rows(vectors)
    likeness = units[rows] @ units.T
    right = groups == groups[rows][:, None]
    right[np.arange(len(rows)), rows] = False
    likeness[np.arange(len(rows)), rows] = -np.inf
    found[rows] = average_precisions(likeness, right)
    return found


def average_precisions(likeness: Floats, right: NDArray[np.bool_]) -> Floats:
    """Average precision of each row of answers, float64 [q], NaN where none is right.

    likeness: float64 [q, n], the most alike first; what is no answer has -inf. right: bool [q, n].
    """
    order = np.argsort(-likeness, axis=1, kind="stable")
    hits = np.take_along_axis(right, order, axis=1)
    share = np.cumsum(hits, axis=1) / np.arange(1, order.shape[1] + 1)
    with np.errstate(invalid="ignore"):
        precisions: Floats = (share * hits).sum(axis=1) / hits.sum(axis=1)
    return precisions
