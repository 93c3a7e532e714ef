"""Vectors laid out in a plane, so that neighbours stay neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from musicu.errors import MissingExtraError, QueryError
from musicu.progress import tell

Floats = NDArray[np.float32]
Exact = NDArray[np.float64]
Method = Literal["tsne", "pca"]

#: Fewer tracks than this have no neighbourhoods to keep: they are laid out by PCA.
MIN_TRACKS = 12
_PERPLEXITY = 30
_EXACT_UP_TO = 5_000
_COMPONENTS = 50
_ROUNDS, _ROUNDS_TOLD = 750, 10  # of t-SNE


def project(values: Floats, method: Method = "tsne", seed: int = 0) -> Floats:
    """Places float32 [tracks, 2] from 0 to 1 for unit vectors float32 [tracks, dim].

    "tsne" keeps neighbourhoods: t-SNE (van der Maaten & Hinton 2008) from a PCA start (Kobak &
    Berens 2019), interpolated for large catalogs (FIt-SNE, Linderman et al. 2019), by openTSNE.
    "pca" shows the two directions of greatest spread. On one machine the same input gives the
    same places; t-SNE's distances across the map mean little.

    Raises MissingExtraError where openTSNE is not installed, QueryError for another method.
    """
    count = component_count(method)
    if not len(values):
        return np.zeros((0, 2), np.float32)
    return laid_out(principal_components(values, count)(values), method, seed)


def component_count(method: Method) -> int:
    """How many principal components a method needs; raises QueryError for another method."""
    if method not in ("tsne", "pca"):
        raise QueryError(f"the projection is {method!r}: it is 'tsne' or 'pca'")
    return _COMPONENTS if method == "tsne" else 2


def laid_out(parts: Exact, method: Method, seed: int = 0) -> Floats:
    """Places as `project` has them, for principal components float64 [tracks, at least 2]."""
    flat = _tsne(parts, seed) if method == "tsne" and len(parts) >= MIN_TRACKS else parts[:, :2]
    return _to_square(flat)


def principal_components(values: Floats, count: int) -> Callable[[Floats], Exact]:
    """What gives the leading principal components of vectors, float64 [vectors, at least 2].

    values: float32 [tracks, dim], those that the axes are fitted to.
    """
    mean = values.mean(axis=0, dtype=np.float64)
    centred = values - mean
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :count]
    signs = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    axes = axes * np.where(signs < 0, -1, 1)
    if axes.shape[1] < 2:
        axes = np.pad(axes, ((0, 0), (0, 1)))
    return lambda vectors: (vectors - mean) @ axes


def _tsne(parts: Exact, seed: int) -> Exact:
    try:
        from openTSNE import TSNE
    except ImportError as error:
        raise MissingExtraError("the t-SNE projection (or use --projection pca)", "map") from error
    small = len(parts) <= _EXACT_UP_TO
    done = 0

    def rounds(*_: object) -> None:
        nonlocal done
        done += _ROUNDS_TOLD
        tell("laying out the map", done, _ROUNDS, "rounds")

    found = TSNE(
        perplexity=min(_PERPLEXITY, (len(parts) - 1) / 3),
        neighbors="exact" if small else "annoy",
        negative_gradient_method="bh" if small else "fft",
        initialization="pca",
        n_jobs=1,  # threads would add in another order each time
        random_state=seed,
        callbacks=rounds,
        callbacks_every_iters=_ROUNDS_TOLD,
    ).fit(parts)
    return np.asarray(found, np.float64)


def _to_square(flat: Exact) -> Floats:
    """Within the unit square, the longer side filling it; the shape is kept."""
    low, high = flat.min(axis=0), flat.max(axis=0)
    middle, side = (low + high) / 2, max(float((high - low).max()), 1e-9)
    return np.asarray(np.clip((flat - middle) / side + 0.5, 0, 1), np.float32)
