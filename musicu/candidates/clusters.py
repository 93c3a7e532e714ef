"""Several interests from what one listener plays: Ward clusters with a medoid each.

After PinnerSage (Pal et al., KDD 2020, section 3): the tracks are merged as Ward's criterion
says, and a cluster is represented by the track of it that is nearest to all of it, so that it
can be named and looked up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: Up to which Ward distance tracks are one interest: that of two unit vectors with a cosine of
#: 0.28. Larger clusters need nearer centres, as the distance grows with their sizes.
APART = 1.2


def interests_of(
    values: Floats, weights: NDArray[np.float64], most: int, apart: float = APART
) -> list[NDArray[np.int64]]:
    """The rows of each interest, the heaviest first; rows within one by falling weight.

    values: float32 [tracks, dim], unit length. weights: float64 [tracks], above 0. most: how
    many interests at most. Ties go to the lower row.
    """
    labels = _labels(values, most, apart)
    heaviest = np.argsort(-weights, kind="stable")
    ordered = labels[heaviest]
    groups = [heaviest[ordered == label] for label in set(labels.tolist())]
    return sorted(groups, key=lambda rows: (-_rounded(weights[rows].sum()), int(rows.min())))


def medoid(values: Floats, weights: NDArray[np.float64]) -> int:
    """The row with the least weighted squared distance to all rows; ties go to the lower row.

    For unit vectors that is the row nearest to the weighted sum.
    """
    centre = (weights[:, None] * values).sum(axis=0)
    return int(np.argmax((values @ centre).astype(np.float32)))


def _labels(values: Floats, most: int, apart: float) -> NDArray[np.int64]:
    """Which cluster each row is in: those that are left after every merge that is near enough.

    If these are more than `most`, the next merges follow until they are not. Ward's distances
    never fall from merge to merge, so the first ones are those to make.
    """
    count = len(values)
    if count < 2 or most < 2:
        return np.zeros(count, np.int64)
    from scipy.cluster.hierarchy import ward

    tree = ward(_distances(values))
    merges = max(int(np.searchsorted(tree[:, 2], apart, side="right")), count - most)
    labels = np.arange(count + merges)
    pairs = tree[:merges, :2].astype(np.int64).tolist()
    for number in range(merges - 1, -1, -1):
        labels[pairs[number]] = labels[count + number]
    return labels[:count]


def _distances(values: Floats) -> NDArray[np.float64]:
    """Euclidean distances of all pairs of rows, row by row: float64 [rows (rows - 1) / 2]."""
    wide = values.astype(np.float64)
    products = wide @ wide.T
    squares = np.diag(products)
    apart = squares[:, None] + squares - 2 * products
    upper = np.maximum(apart[~np.tri(len(values), dtype=bool)], 0)
    distances: NDArray[np.float64] = np.sqrt(upper)
    return distances


def _rounded(value: float) -> float:
    """A weight as decisions compare it: sums of the same listens may differ in the last bits."""
    return float(np.float32(value))
