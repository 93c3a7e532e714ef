"""Content in few numbers: what a transformer reads of an item's vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import svds

from musicu.items.item_table import Floats

_MOST = 128  # numbers that are kept
_COMMON = 0.5  # columns are divided by their root mean square to this power, as idf does


@dataclass(frozen=True, eq=False)
class ContentBasis:
    """columns: float32 [dim], what each is multiplied by. axes: float32 [dim, numbers]."""

    columns: Floats
    axes: Floats

    @classmethod
    def of(cls, vectors: Floats, rng: np.random.Generator) -> ContentBasis:
        """The principal axes of vectors, float32 [items, dim]; 0 where nothing is known.

        Strong axes are scaled down by the root of their strength, so that weak ones count.
        """
        columns = common_weights(vectors).astype(np.float32)
        unit = weighted_rows(vectors, columns)
        most = min(_MOST, *(size - 1 for size in unit.shape))
        start = rng.standard_normal(min(unit.shape))
        _, strength, axes = svds(unit.astype(np.float64), k=max(1, most), v0=start)
        kept = strength > 1e-6 * strength.max()
        scaled = axes[kept].T / np.sqrt(strength[kept])
        size = np.sqrt(np.mean(np.square(unit @ scaled)))
        return cls(columns, (scaled / max(size, 1e-12)).astype(np.float32))

    def __call__(self, vectors: Floats) -> Floats:
        """float32 [items, numbers]."""
        found: Floats = (weighted_rows(vectors, self.columns) @ self.axes).astype(np.float32)
        return found


def common_weights(vectors: Floats) -> NDArray[np.float64]:
    """What columns are multiplied by, less where most items share them: float64 [dim]."""
    common = np.sqrt(np.mean(np.square(vectors), axis=0, dtype=np.float64))
    weights: NDArray[np.float64] = np.maximum(common, 1e-9) ** -_COMMON
    return weights


def weighted_rows(vectors: Floats, columns: NDArray[Any]) -> csr_matrix:
    """Rows of length 1 after their columns are weighted."""
    scaled = csr_matrix(vectors) @ diags(columns)
    norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    return (diags(1 / np.maximum(norms, 1e-9)) @ scaled).tocsr().astype(np.float32)
