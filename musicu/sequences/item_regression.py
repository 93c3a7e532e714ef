"""EASE: each item predicted from the others that a history holds, in closed form.

Steck, Embarrassingly shallow autoencoders for sparse data (WWW 2019). With Gram matrix G of
sessions and P = (G + λI)^-1, the weights are B = -P / diag(P), with a diagonal of 0. Where items
are many, each item is regressed on its nearest neighbours alone (fsSLIM; Ning and Karypis, SLIM,
ICDM 2011): w = (G_NN + λI)^-1 g_N, which is the same solution once the neighbours are all items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from musicu.items.item_table import Floats, Ints
from musicu.sequences.session_table import SessionTable, faded
from musicu.sequences.sparse_rows import grown, weighted_sum

#: Up to so many items the closed form is solved at once, in 8 * items² bytes.
DENSE_ITEMS = 5_000
NEIGHBOURS = 100
_LONGEST = 500  # longer sessions are cut for the Gram matrix, which is quadratic in them
_MOST = 1_000  # items of a history


@dataclass(frozen=True, slots=True)
class RegressionSettings:
    """ridge: λ, above 0. decay: of a history, for each step."""

    ridge: float = 50.0
    decay: float = 0.98


@dataclass(frozen=True, eq=False)
class ItemRegression:
    """weights: float32 [items, items], from the items of a history (rows) to others."""

    weights: csr_matrix | Floats
    decay: float

    @classmethod
    def of(cls, gram: csr_matrix, settings: RegressionSettings) -> ItemRegression:
        """The weights for a Gram matrix."""
        dense = gram.shape[0] <= DENSE_ITEMS
        solve = closed_form if dense else neighbour_form
        return cls(solve(gram, settings.ridge), settings.decay)

    def scores(self, history: Ints) -> Floats:
        """What a history predicts of each item: float32 [items], 0 or more."""
        rows, weights = faded(history, self.decay, _MOST)
        if isinstance(self.weights, np.ndarray):
            found = weights.astype(np.float32) @ self.weights[rows]
        else:
            found = weighted_sum(self.weights, rows, weights)
        positive: Floats = np.maximum(found, 0)
        return positive

    def updated(
        self, gram: csr_matrix, settings: RegressionSettings, items: Ints
    ) -> ItemRegression:
        """The weights after some items were played again, or for the first time.

        Solved anew where all items are solved at once; else for these items alone.
        """
        size = gram.shape[0]
        if size <= DENSE_ITEMS or isinstance(self.weights, np.ndarray):
            return self.of(gram, settings)
        kept = np.ones(size, np.float32)
        kept[items] = 0
        others = grown(self.weights, size) @ diags(kept)
        solved = neighbour_form(gram, settings.ridge, only=items)
        return replace(self, weights=(others + solved).tocsr().astype(np.float32))

    def grown(self, items: int) -> ItemRegression:
        """With items at the end that nothing is predicted of."""
        if isinstance(self.weights, np.ndarray):
            more = items - len(self.weights)
            return replace(self, weights=np.pad(self.weights, (0, more)))
        return replace(self, weights=grown(self.weights, items))


def gram_matrix(sessions: SessionTable, items: int) -> csr_matrix:
    """In how many sessions two items are together: float32 [items, items], sparse."""
    pieces = sessions.cut(_LONGEST)
    ones = np.ones(len(pieces.item), np.float32)
    shape = len(pieces), items
    held = csr_matrix((ones, pieces.item, pieces.start), shape=shape)
    held.sum_duplicates()
    held.data[:] = 1
    return (held.T @ held).tocsr()


def closed_form(gram: csr_matrix, ridge: float) -> Floats:
    """EASE's weights, exactly: float32 [items, items]."""
    full = gram.toarray().astype(np.float64)
    full[np.diag_indices_from(full)] += ridge
    inverse = np.linalg.inv(full)
    weights: Floats = (inverse / -np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return weights


def neighbour_form(
    gram: csr_matrix, ridge: float, neighbours: int = NEIGHBOURS, only: Ints | None = None
) -> csr_matrix:
    """The weights of each item's nearest neighbours (cosine): float32 [items, items], sparse.

    only: the items (columns) to solve for; the others get no weights. None: all.
    """
    norms = np.sqrt(np.maximum(gram.diagonal(), 1e-12))
    parts: list[tuple[Ints, NDArray[np.float32]]] = []
    wanted = np.arange(gram.shape[0]) if only is None else only
    for item in wanted.tolist():
        near, shared = _nearest(gram, item, norms, neighbours)
        block = gram[near][:, near].toarray()
        block[np.diag_indices_from(block)] += ridge
        parts.append((near, np.linalg.solve(block, shared).astype(np.float32)))
    counts = np.zeros(gram.shape[0], np.int64)
    counts[wanted] = [len(near) for near, _ in parts]
    start = np.concatenate([[0], np.cumsum(counts)])
    near = np.concatenate([near for near, _ in parts] or [np.empty(0, np.int64)])
    weights = np.concatenate([w for _, w in parts] or [np.empty(0, np.float32)])
    return csr_matrix((weights, near, start), shape=gram.shape).T.tocsr()


def _nearest(
    gram: csr_matrix, item: int, norms: NDArray[np.float32], most: int
) -> tuple[Ints, NDArray[np.float32]]:
    """The items that share most sessions with one, by cosine, and the sessions shared."""
    part = slice(gram.indptr[item], gram.indptr[item + 1])
    near, shared = gram.indices[part], gram.data[part]
    near, shared = near[near != item], shared[near != item]
    if len(near) > most:
        kept = np.argpartition(-shared / norms[near], most)[:most]
        near, shared = near[kept], shared[kept]
    order = np.argsort(near)
    return near[order].astype(np.int64), shared[order]
