"""Mixtures of scorers, weighted so that what came next is likeliest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 200


def mixture(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights under which the mixture of scorers makes the targets likeliest.

    Expectation maximisation (deleted interpolation: Jelinek and Mercer, 1980). shares: float64
    [targets, scorers]. float64 [scorers], of sum 1.
    """
    weights = np.full(shares.shape[1], 1 / shares.shape[1])
    told = shares[shares.any(axis=1)]
    for _ in range(_ROUNDS if len(told) else 0):
        part = told * weights
        weights = (part / part.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights
