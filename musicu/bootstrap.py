"""Bootstrap intervals for means over tracks that are not independent of each other.

Tracks of one artist resemble each other, so artists are drawn, not tracks (cluster bootstrap;
Davison and Hinkley, 1997, section 3.8): each draw takes as many artists as there are, with
replacement, each with all of its queries. Two models measured on the same queries use the same
draws, which pairs their difference. Intervals are percentile intervals.
With fewer than about 20 artists they are too narrow; with fewer than two there is none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError

Floats = NDArray[np.float64]

BLOCK = 64  # draws weighted at once: bounds the memory on catalogs with many artists


class Interval(NamedTuple):
    """The bounds of a confidence interval."""

    low: float
    high: float


class Resamples:
    """Draws of clusters with replacement, the same for every statistic computed from them.

    clusters: int [units], any codes; units with equal codes are drawn together.
    count: the number of draws. seed: random seed.
    """

    def __init__(self, clusters: NDArray[np.int64], count: int, seed: int) -> None:
        if count < 0:
            raise QueryError(f"the number of bootstrap draws is {count}: give 0 or more")
        _, self._codes = np.unique(clusters, return_inverse=True)
        self.clusters = int(self._codes.max()) + 1 if len(self._codes) else 0
        rng = np.random.default_rng([seed, self.clusters])
        usable = count if self.clusters >= 2 else 0
        self.counts = np.zeros((usable, self.clusters), dtype=np.uint16)
        for row in self.counts:
            drawn = rng.integers(self.clusters, size=self.clusters)
            row[:] = np.bincount(drawn, minlength=self.clusters)

    def sums(self, columns: Floats) -> Floats:
        """Sums of `columns`, float64 [units, c], in every draw: float64 [draws, c]."""
        per_cluster = np.zeros((self.clusters, columns.shape[1]))
        np.add.at(per_cluster, self._codes, columns)
        blocks = [
            self.counts[start : start + BLOCK].astype(np.float64) @ per_cluster
            for start in range(0, len(self.counts), BLOCK)
        ]
        return np.concatenate(blocks) if blocks else np.zeros((0, columns.shape[1]))

    def means(self, values: Floats, weights: Floats | None = None) -> Floats:
        """The (weighted) mean of `values`, float64 [units], in every draw: float64 [draws].

        A draw whose weights sum to zero has no mean and is NaN.
        """
        weights = np.ones(len(values)) if weights is None else weights
        sums = self.sums(np.stack([values * weights, weights], axis=1))
        result: Floats = np.divide(
            sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0
        )
        return result


def half_samples(clusters: NDArray[np.int64], count: int, seed: int) -> NDArray[np.bool_]:
    """Half-samples of the clusters without replacement: bool [draws, units], membership.

    For statistics that repeated units would bias, such as mutual information. The mean over a
    half-sample varies as the mean over all clusters does in new samples (Davison and Hinkley,
    section 3.10): the draws need centring, but no scaling. No draws for fewer than two clusters.
    """
    found, codes = np.unique(clusters, return_inverse=True)
    rng = np.random.default_rng([seed, len(found)])
    usable = count if len(found) >= 2 else 0
    chosen = np.zeros((usable, len(found)), dtype=bool)
    for row in chosen:
        row[rng.permutation(len(found))[: len(found) // 2]] = True
    return chosen[:, codes]


def interval(draws: Floats, confidence: float = 0.95) -> Interval | None:
    """The percentile interval of the draws that have a value; None where there are none."""
    draws = draws[np.isfinite(draws)]
    if len(draws) == 0:
        return None
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return Interval(float(low), float(high))


def bounded(value: float | None, draws: Floats, *names: str) -> dict[str, float | None]:
    """A number and the ends of its interval under three names, None for what there is not."""
    ends = interval(draws) or (None, None)
    return dict(zip(names, (value, *ends), strict=True))
