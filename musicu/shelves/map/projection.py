"""Vectors laid out in a plane, so that neighbours stay neighbours."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from musicu.errors import MissingExtraError, QueryError

Floats = NDArray[np.float32]
Method = Literal["tsne", "pca"]

#: Fewer tracks than this have no neighbourhoods to keep: they are laid out by PCA.
MIN_TRACKS = 12
_PERPLEXITY = 30
_EXACT_UP_TO = 5_000
_COMPONENTS = 50


def project(values: Floats, method: Method = "tsne", seed: int = 0) -> Floats:
    """Places float32 [tracks, 2] from 0 to 1 for unit vectors float32 [tracks, dim].

    "tsne" keeps neighbourhoods: t-SNE (van der Maaten & Hinton 2008) from a PCA start (Kobak &
    Berens 2019), interpolated for large catalogs (FIt-SNE, Linderman et al. 2019), by openTSNE.
    "pca" shows the two directions of greatest spread. On one machine the same input gives the
    same places; t-SNE's distances across the map mean little.

    Raises MissingExtraError where openTSNE is not installed, QueryError for another method.
    """
    if method not in ("tsne", "pca"):
        raise QueryError(f"the projection is {method!r}: it is 'tsne' or 'pca'")
    if not len(values):
        return np.zeros((0, 2), np.float32)
    parts = _components(values)
    flat = _tsne(parts, seed) if method == "tsne" and len(values) >= MIN_TRACKS else parts[:, :2]
    return _to_square(flat)


def _components(values: Floats) -> NDArray[np.float64]:
    """The leading principal components, float64 [tracks, ≤ 50, at least 2]."""
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :_COMPONENTS]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1, 1)
    found: NDArray[np.float64] = centred @ axes
    return found if found.shape[1] > 1 else np.pad(found, ((0, 0), (0, 1)))


def _tsne(parts: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    try:
        from openTSNE import TSNE
    except ImportError as error:
        raise MissingExtraError("the t-SNE projection (or use --projection pca)", "map") from error
    small = len(parts) <= _EXACT_UP_TO
    found = TSNE(
        perplexity=min(_PERPLEXITY, (len(parts) - 1) / 3),
        neighbors="exact" if small else "annoy",
        negative_gradient_method="bh" if small else "fft",
        initialization="pca",
        n_jobs=1,  # threads would add in another order each time
        random_state=seed,
    ).fit(parts)
    return np.asarray(found, np.float64)


def _to_square(flat: NDArray[np.float64]) -> Floats:
    """Within the unit square, the longer side filling it; the shape is kept."""
    low, high = flat.min(axis=0), flat.max(axis=0)
    middle, side = (low + high) / 2, max(float((high - low).max()), 1e-9)
    return np.asarray(np.clip((flat - middle) / side + 0.5, 0, 1), np.float32)
