"""Collaborative vectors: implicit-feedback matrix factorisation by alternating least squares.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (ICDM 2008): with
preference p = 1 where there was feedback and confidence c = 1 + weight,

    x_u = (YᵀY + Yᵀ(C_u − I)Y + λI)⁻¹ Yᵀ C_u p_u   (eq. 4)

and likewise for the items. Rows of similar length are solved in one batch, and rows with few
entries by a system of their own length instead of one of all factors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.progress import tracked

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_BATCH_VALUES = 1 << 20  # gathered values held at once: 4 MB
_SHORT = 0.5  # of the factors: rows with at most this many entries count as short
_LONGEST = 4096  # strongest entries of a row that are used; more hardly change the result


class Factors(NamedTuple):
    """users float32 [users, factors] and items float32 [items, factors]."""

    users: Floats
    items: Floats


def fit_als(
    interactions: csr_matrix,
    factors: int = 64,
    iterations: int = 10,
    regularisation: float = 10.0,
    seed: int = 0,
) -> Factors:
    """Factorise `interactions`, csr [users, items] of weights > 0; deterministic by seed.

    A user or item without any interaction gets a vector of zeros.
    """
    rng = np.random.default_rng(seed)
    rows = _strongest(interactions)
    columns = _strongest(interactions.T.tocsr())
    items = rng.normal(0, 0.1, (interactions.shape[1], factors)).astype(np.float32)
    users = np.zeros((interactions.shape[0], factors), np.float32)
    for _ in tracked(range(iterations), "fitting collaborative vectors", iterations, "rounds"):
        users = solve_rows(rows, items, regularisation)
        items = solve_rows(columns, users, regularisation)
    return Factors(users, items)


def solve_rows(weights: csr_matrix, others: Floats, regularisation: float) -> Floats:
    """The least-squares vectors of the rows for given columns: float32 [rows, factors]."""
    factors = others.shape[1]
    gram = others.T @ others + regularisation * np.eye(factors, dtype=np.float32)
    turned = others @ np.linalg.inv(gram.astype(np.float64)).astype(np.float32)
    found = np.zeros((weights.shape[0], factors), np.float32)
    for rows, width in _batches(np.diff(weights.indptr), factors):
        at = weights.indptr[rows, None] + np.arange(width)
        inside = at < weights.indptr[rows + 1, None]
        at = np.where(inside, at, 0)
        gathered = others[weights.indices[at]]
        extra = np.where(inside, weights.data[at], 0).astype(np.float32)
        wanted = np.where(inside, 1 + extra, 0)
        if width <= _SHORT * factors:
            found[rows] = _few(gathered, turned[weights.indices[at]], extra, wanted)
        else:
            found[rows] = _many(gathered, gram, extra, wanted)
    return found


def _many(gathered: Floats, gram: Floats, extra: Floats, wanted: Floats) -> Floats:
    """Equation 4 as it stands: one system of [factors, factors] per row."""
    systems = gram + np.swapaxes(gathered * extra[..., None], 1, 2) @ gathered
    right = np.einsum("rwf,rw->rf", gathered, wanted)
    found: Floats = np.linalg.solve(systems, right[..., None])[..., 0]
    return found


def _few(gathered: Floats, turned: Floats, extra: Floats, wanted: Floats) -> Floats:
    """The same by one system of [width, width] per row (Woodbury's matrix inversion lemma).

    With G = YᵀY + λI, D = C - I and K = V G⁻¹ Vᵀ of a row's own vectors V, the answer is
    G⁻¹ Vᵀ (w - y), where (I + D K) y = D K w.
    """
    kernel = gathered @ np.swapaxes(turned, 1, 2)
    scaled = extra[..., None] * kernel
    right = (scaled @ wanted[..., None])[..., 0]
    taken = np.linalg.solve(scaled + np.eye(kernel.shape[1], dtype=np.float32), right[..., None])
    found: Floats = np.einsum("rwf,rw->rf", turned, wanted - taken[..., 0])
    return found


def _batches(lengths: Ints, factors: int) -> Iterator[tuple[Ints, int]]:
    """Batches of rows of similar length, with the longest; empty rows are left out."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    while len(order):
        shortest = int(lengths[order[0]])
        size = max(1, _BATCH_VALUES // (max(shortest, factors) * factors))
        limit = np.searchsorted(lengths[order[:size]], shortest + shortest // 4, side="right")
        rows, order = order[:limit], order[limit:]
        yield rows, int(lengths[rows[-1]])


def _strongest(weights: csr_matrix) -> csr_matrix:
    """The matrix with at most _LONGEST entries a row, those of the greatest weight."""
    weights = csr_matrix(weights, dtype=np.float32)
    weights.sort_indices()
    lengths = np.diff(weights.indptr)
    if lengths.max(initial=0) <= _LONGEST:
        return weights
    row = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((-weights.data, row))  # stable within a row: by column
    rank = np.arange(len(order)) - weights.indptr[row]
    kept = np.sort(order[rank < _LONGEST])
    shape = (weights.data[kept], (row[kept], weights.indices[kept]))
    return csr_matrix(shape, shape=weights.shape)
