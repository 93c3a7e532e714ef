"""Neighbour smoothing: a model keeps a catalog's vectors and averages new ones with the nearest.

Image retrieval joins the features of a database with those of their neighbours (Turcot and Lowe,
ICCV Workshops 2009; Arandjelovic and Zisserman, CVPR 2012, section 4), and queries with what they
find (Radenovic, Tolias and Chum, TPAMI 2019, equation 7). Here both are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from musicu.embeddings.cards import ModelCard
from musicu.errors import ModelError
from musicu.normalisation import unit_rows

NEIGHBOURS = "neighbours.safetensors"
NEAREST = 6  # a recording of the catalog is its own nearest

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The vectors that a model keeps of a catalog.

    vectors: float32 [recordings, dim], of unit length, unsmoothed. weight: of the mean of the
    nearest beside a vector itself, above 0.
    """

    vectors: NDArray[np.float32]
    weight: float

    def smooth(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """A unit vector float32 [dim] averaged with its nearest, of unit length again."""
        # einsum and not BLAS: the same bits whatever the number of threads
        likeness = np.einsum("nd,d->n", self.vectors.astype(np.float64), vector)
        rows = _smoothed(vector[None].astype(np.float64), likeness[None], self.vectors, self.weight)
        smoothed: NDArray[np.float32] = rows[0].astype(np.float32)
        return smoothed


def smooth(vectors: Floats, others: Floats, weight: float) -> Floats:
    """Each vector at unit length, averaged with its nearest among `others`.

    vectors: float64 [n, dim] and others: float64 [m, dim], of any length. Result: float64
    [n, dim], of unit length.
    """
    vectors, others = unit_rows(vectors), unit_rows(others)
    if weight == 0.0:
        return vectors
    return _smoothed(vectors, vectors @ others.T, others, weight)


def _smoothed(
    vectors: Floats, likeness: Floats, others: NDArray[np.floating[Any]], weight: float
) -> Floats:
    """x + weight * (sum of cos_i y_i over the nearest) / (sum of cos_i), at unit length."""
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :NEAREST]
    shares = np.maximum(np.take_along_axis(likeness, nearest, axis=1), 0.0)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)
    return unit_rows(vectors + weight * np.einsum("nk,nkd->nd", shares, others[nearest]))


def read_neighbours(card: ModelCard) -> Neighbours:
    """The neighbours in a model's folder; ModelError where they are damaged or do not fit."""
    path = card.folder / NEIGHBOURS
    try:
        found = load_file(path)
        vectors, weight = found["vectors"], float(found["weight"].item())
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path} does not hold the neighbours of {card.name}: {error}") from error
    right = vectors.ndim == 2 and len(vectors) > 0 and vectors.shape[1] == card.dim
    if not right or not np.isfinite(vectors).all() or not 0.0 < weight < np.inf:
        raise ModelError(
            f"{path}: vectors have shape {vectors.shape} and weight {weight:g} where finite "
            f"vectors of {card.dim} numbers and a weight above 0 are needed; train the model again"
        )
    return Neighbours(vectors, weight)


def neighbours_file(neighbours: Neighbours) -> bytes:
    """What `read_neighbours` reads."""
    vectors = np.ascontiguousarray(neighbours.vectors)
    content: bytes = save({"vectors": vectors, "weight": np.array([neighbours.weight], np.float32)})
    return content
