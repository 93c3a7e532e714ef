"""Vectors of unit length, in the one way that everything here makes them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", np.float32, np.float64)

_SHORTEST = 1e-9


def unit_rows(rows: NDArray[Real]) -> NDArray[Real]:
    """Rows [..., dim] scaled to length 1, in the type that they have; zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    units: NDArray[Real] = rows / np.maximum(lengths, _SHORTEST).astype(rows.dtype)
    return units
