"""Within-class covariance normalisation: directions in which label groups differ are shortened.

Hatch, Kajarekar and Stolcke, "Within-class covariance normalization for SVM-based speaker
recognition" (Interspeech 2006). A label group is what belongs together, such as the recordings
of one artist.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
NEVER = float("inf")  # a strength that leaves vectors as they are
_MOST = 8  # recordings that a label group counts for at most


def within_class_covariance(rows: Rows, groups: NDArray[np.int64]) -> tuple[Rows, float]:
    """Covariance float64 [D, D] of rows [n, D] about the means of their groups, and the degrees
    of freedom behind it: recordings beyond the first of each group.

    groups: int64 [n], -1 where unknown; a large group counts as eight recordings. Zeros where no
    two rows share a group.
    """
    total, freedom = np.zeros((rows.shape[1],) * 2), 0.0
    for group in np.unique(groups[groups >= 0]):
        own = rows[groups == group]
        weight = min(len(own), _MOST) / len(own)
        apart = own - own.mean(axis=0)
        total += weight * apart.T @ apart
        freedom += weight * (len(own) - 1)
    return total / max(freedom, 1.0), freedom


def inverse_root(covariance: Rows, shrinkage: float) -> Rows:
    """The inverse square root of a covariance, float64 [D, D], symmetric.

    shrinkage: added to the variance of every direction, in mean variances. The identity where
    there is no variance.
    """
    values, axes = np.linalg.eigh(covariance)
    if values.mean() <= 0:
        return np.eye(len(values))
    root: Rows = axes / np.sqrt(np.maximum(values, 0.0) + shrinkage * values.mean()) @ axes.T
    return root


def wccn_projection(vectors: Rows, groups: NDArray[np.int64], strength: float) -> Rows:
    """The projection [dim, dim] that shortens directions in which label groups differ.

    vectors: float64 [n, dim], before they are brought to unit length. groups: int64 [n], -1 where
    unknown. A trained model has already evened out the spread within its own artists, so an even
    spread stands for what it learned: the spread measured here weighs f / (f + strength) against
    it, with f degrees of freedom. The identity where no two vectors share a group, or for an
    infinite strength.
    """
    covariance, freedom = within_class_covariance(vectors, groups)
    weight = freedom / (freedom + strength) if freedom else 0.0
    values, axes = np.linalg.eigh(covariance)
    if weight == 0.0 or values.mean() <= 0:
        return np.eye(len(values))
    # the even part counts once more as the shrinkage of every such projection
    values = weight * np.maximum(values, 0.0) / values.mean() + (1 - weight) + 1.0
    root: Rows = axes * np.sqrt(2.0 / values) @ axes.T
    return root
