"""The last step of a vector: the mean taken away, and directions set to their scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Finish:
    """A vector v becomes (v - centre) @ matrix: float32 [dim] and float32 [dim, dim]."""

    centre: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors float32 [..., dim] of mean chunk vectors of that shape."""
        return unit((vectors - self.centre) @ self.matrix)


def unit(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The same directions with length 1, float32 [..., dim]; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
    return units


def fit_finish(
    vectors: NDArray[np.float32], weights: NDArray[np.float64], shrinkage: float
) -> Finish:
    """Centring and shrunk whitening of recordings' mean vectors.

    vectors: float32 [recordings, dim]. weights: how much each recording counts. shrinkage: what
    is added to every direction's variance, in mean variances: 0 whitens wholly, a large number
    only centres. Symmetric (ZCA), so the result does not depend on the sign of eigenvectors.
    """
    share = weights / weights.sum()
    centre = share @ vectors.astype(np.float64)
    apart = vectors - centre
    spread = (apart * share[:, None]).T @ apart
    values, directions = np.linalg.eigh(spread)
    values = np.maximum(values, 0.0)
    scale = 1.0 / np.sqrt(values + shrinkage * values.mean() + 1e-12)
    matrix = (directions * (scale / scale.max())) @ directions.T
    return Finish(centre.astype(np.float32), matrix.astype(np.float32))
