"""Hubness: tracks that are neighbours of too many others, and so appear on every shelf.

Conventions: the k-occurrence of a track is the number of other tracks that have it among their
k = 10 nearest neighbours (Radovanović, Nanopoulos and Ivanović, JMLR 2010); its mean is k. A
space without hubs has a skewness near 0; a hub is in many lists, an anti-hub in none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.evaluation.similarity_ranking import Matrix, neighbours

Floats = NDArray[np.float64]

K = 10


def k_occurrence(vectors: Matrix, k: int = K) -> NDArray[np.int64]:
    """The k-occurrence of each track, int64 [tracks]."""
    return np.bincount(neighbours(vectors, k).ravel(), minlength=len(vectors))


def skewness(sums: Floats) -> Floats:
    """The skewness of a number from its sums of powers 0 to 3: float64 [..., 4] to [...].

    The biased moment estimator m3 / m2^1.5; 0 where the number does not vary.
    """
    count, *powers = np.moveaxis(sums, -1, 0)
    first, second, third = (power / count for power in powers)
    variance = second - first**2
    central = third - 3 * first * second + 2 * first**3
    varies = variance > 1e-9
    return np.where(varies, central / np.where(varies, variance, 1) ** 1.5, 0.0)


def powers(occurrence: NDArray[np.int64]) -> Floats:
    """The powers 0 to 3 of each k-occurrence, float64 [tracks, 4], whose sums `skewness` takes."""
    return occurrence[:, None].astype(np.float64) ** np.arange(4)
