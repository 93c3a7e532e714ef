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
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    groups = [rows[np.lexsort((rows, -weights[rows]))] for rows in groups]
    return sorted(groups, key=lambda rows: (-_rounded(weights[rows].sum()), int(rows.min())))


def medoid(values: Floats, weights: NDArray[np.float64]) -> int:
    """The row with the least weighted squared distance to all rows; ties go to the lower row.

    For unit vectors that is the row nearest to the weighted sum.
    """
    centre = (weights[:, None] * values).sum(axis=0)
    return int(np.argmax((values @ centre).astype(np.float32)))


def _labels(values: Floats, most: int, apart: float) -> NDArray[np.int64]:
    if len(values) < 2 or most < 2:
        return np.zeros(len(values), np.int64)
    from scipy.cluster.hierarchy import fcluster, ward

    tree = ward(values.astype(np.float64))
    labels: NDArray[np.int64] = fcluster(tree, apart, "distance").astype(np.int64)
    if labels.max() > most:
        labels = fcluster(tree, most, "maxclust").astype(np.int64)
    return labels


def _rounded(value: float) -> float:
    """A weight as decisions compare it: sums of the same listens may differ in the last bits."""
    return float(np.float32(value))
