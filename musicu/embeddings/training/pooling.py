"""Pooling and whitening: from the chunks of a recording to its vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.normalisation import unit_rows


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """Pooled features s of a recording become (s - centre) @ matrix, at unit length.

    centre: float32 [pooled]. matrix: float32 [pooled, dim].
    """

    centre: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def apply(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors float32 [..., dim] of pooled features float32 [..., pooled]."""
        return unit_rows((pooled - self.centre) @ self.matrix).astype(np.float32)


def pool_chunks(chunks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean and deviation over a recording's chunks, float32 [..., 2 * features].

    chunks: float32 [..., chunks, features].
    """
    mean = chunks.mean(axis=-2)
    spread = np.sqrt(np.square(chunks - mean[..., None, :]).mean(axis=-2))
    both: NDArray[np.float32] = np.concatenate([mean, spread], axis=-1)
    return both


def fit_whitening(
    pooled: NDArray[np.float32], weights: NDArray[np.float64], shrinkage: float, dim: int
) -> Whitening:
    """Principal directions of pooled features, each divided by its shrunk deviation.

    pooled: float32 [recordings, pooled]. weights: how much each recording counts, float64
    [recordings]. shrinkage: added to the variance of every direction, in mean variances: 0
    whitens wholly, a large number only centres and rotates. Where there are fewer directions
    than `dim`, the rest of the vector is 0.
    """
    share = weights / weights.sum()
    centre = share @ pooled.astype(np.float64)
    apart = (pooled - centre) * np.sqrt(share)[:, None]
    _, deviations, directions = np.linalg.svd(apart, full_matrices=False)
    values = deviations[:dim] ** 2
    floor = shrinkage * (deviations**2).sum() / dim + 1e-12
    matrix = np.zeros((pooled.shape[1], dim))
    matrix[:, : len(values)] = directions[:dim].T / np.sqrt(values + floor)
    return Whitening(centre.astype(np.float32), matrix.astype(np.float32))
