"""Sums of rows of sparse matrices: what a history of a few items scores by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.items.item_table import Floats, Ints
from musicu.retrieval.ordering import ranges


def weighted_sum(matrix: csr_matrix, rows: Ints, weights: NDArray[np.float64]) -> Floats:
    """The sum of some rows, each times its weight: float32 [columns]."""
    first = matrix.indptr[rows].astype(np.int64)
    counts = matrix.indptr[rows + 1] - first
    entry = ranges(first, counts)
    values = matrix.data[entry] * np.repeat(weights, counts)
    total = np.bincount(matrix.indices[entry], values, matrix.shape[1])
    return total.astype(np.float32)


def grown(matrix: csr_matrix, size: int) -> csr_matrix:
    """A square matrix with empty rows and columns at its end."""
    larger = matrix.copy()
    larger.resize((size, size))
    return larger
