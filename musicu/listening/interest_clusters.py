"""Several interests from what one listener plays: Ward clusters with a medoid each.

After PinnerSage (Pal et al., KDD 2020, section 3): the tracks are merged as Ward's criterion
says, and a cluster is represented by the track of it that is nearest to all of it, so that it
can be named and looked up. Both need only the products of all pairs of tracks, made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Up to which Ward distance tracks are one interest: that of two unit vectors with a cosine of
#: 0.28. Larger clusters need nearer centres, as the distance grows with their sizes.
APART = 1.2

_SIZES_KEPT = 64  # most listeners have one of few numbers of tracks; 10 MB at 200 tracks


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """Some rows, int64, by falling weight; their medoid, one of them; the sum of their weights."""

    rows: Ints
    medoid: int
    weight: float


def clusters_of(
    values: NDArray[np.float32], weights: Doubles, most: int, apart: float = APART
) -> list[Cluster]:
    """The rows of each interest, the heaviest first.

    values: float32 [tracks, dim], unit length. weights: float64 [tracks], above 0. most: how
    many interests at most. Ties go to the lower row.

    A medoid is the row with the least weighted squared distance to all rows of its cluster: for
    unit vectors, the one nearest to their weighted sum.
    """
    wide = values.astype(np.float64)
    products = wide @ wide.T
    labels = _labels(products, most, apart)
    sums = np.bincount(labels, weights)
    alone = np.zeros((len(labels), len(sums)))
    alone[np.arange(len(labels)), labels] = weights
    pull = (products @ alone)[np.arange(len(labels)), labels].astype(np.float32)
    heaviest = np.argsort(-weights, kind="stable")
    ordered = labels[heaviest]
    groups = [heaviest[ordered == label] for label in range(len(sums))]
    found = [
        Cluster(rows, int(rows[pull[rows].argmax()]), weight)
        for rows, weight in zip(groups, sums.tolist(), strict=True)
    ]
    return sorted(found, key=lambda cluster: (-_rounded(cluster.weight), int(cluster.rows.min())))


def _labels(products: Doubles, most: int, apart: float) -> Ints:
    """Which cluster each row is in, from 0: those left after every merge that is near enough.

    If these are more than `most`, the next merges follow until they are not. Ward's distances
    never fall from merge to merge, so the first ones are those to make.
    """
    count = len(products)
    if count < 2 or most < 2:
        return np.zeros(count, np.int64)
    from scipy.cluster.hierarchy import ward

    tree = ward(_distances(products))
    merges = max(int(np.searchsorted(tree[:, 2], apart, side="right")), count - most)
    labels = list(range(count + merges))
    pairs = tree[:merges, :2].astype(np.int64).tolist()
    for number in range(merges - 1, -1, -1):
        one, other = pairs[number]
        labels[one] = labels[other] = labels[count + number]
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels[:count]))}
    return np.array([numbers[label] for label in labels[:count]], np.int64)


def _distances(products: Doubles) -> Doubles:
    """Euclidean distances of all pairs of rows, row by row: float64 [rows (rows - 1) / 2]."""
    squares = products.diagonal()
    upper = (squares[:, None] + squares - 2 * products).take(_pairs(len(products)))
    distances: Doubles = np.sqrt(np.maximum(upper, 0))
    return distances


@lru_cache(_SIZES_KEPT)
def _pairs(count: int) -> Ints:
    """Where each pair of rows stands in a square of all, flat: int64 [count (count - 1) / 2]."""
    return np.flatnonzero(~np.tri(count, dtype=bool))


def _rounded(value: float) -> float:
    """A weight as decisions compare it: sums of the same listens may differ in the last bits."""
    return float(np.float32(value))
