"""The network of a track encoder: forward and backward pass and optimiser in NumPy.

Each known block passes a linear map, each missing one is replaced by a learned vector; their sum h
passes one residual layer and is scaled to unit length:

    h = Σ known_m (x_m W_m + b_m) + Σ missing_m u_m;   z = h + relu(h A + a) B;   v = z / ‖z‖
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse

from musicu.embeddings.tracks.track_features import Features, Floats, Known

Parameters: TypeAlias = dict[str, Floats]
Networks: TypeAlias = tuple[Parameters, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RowGradient:
    """The gradient of some rows of a matrix; those of the others are zero."""

    rows: NDArray[np.int64]
    values: Floats


Gradients: TypeAlias = "dict[str, Floats | RowGradient]"
_BETA1, _BETA2, _EPSILON = 0.9, 0.99, 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class ForwardPass:
    """The results of the forward pass that the backward pass needs."""

    features: Features
    summed: Floats
    hidden: Floats
    lengths: Floats
    vectors: Floats


def initial(widths: dict[str, int], dim: int, hidden: int, rng: np.random.Generator) -> Parameters:
    """Initial parameters for blocks of the given widths."""
    found: Parameters = {}
    for name, width in widths.items():
        found[f"{name}.weight"] = _normal(rng, (width, dim), 1 / np.sqrt(dim))
        found[f"{name}.bias"] = np.zeros(dim, np.float32)
        found[f"{name}.missing"] = np.zeros(dim, np.float32)
    found["hidden.weight"] = _normal(rng, (dim, hidden), 1 / np.sqrt(dim))
    found["hidden.bias"] = np.zeros(hidden, np.float32)
    found["out.weight"] = _normal(rng, (hidden, dim), 0.5 / np.sqrt(hidden))
    return found


def forward(parameters: Parameters, features: Features) -> ForwardPass:
    """Unit vectors of tracks, float32 [tracks, dim], and what `backward` needs."""
    summed = np.zeros((len(features), parameters["hidden.weight"].shape[0]), np.float32)
    for name, block in features.blocks.items():
        known = features.known[name][:, None]
        mapped = np.asarray(block @ parameters[f"{name}.weight"]) + parameters[f"{name}.bias"]
        summed += np.where(known, mapped, parameters[f"{name}.missing"])
    hidden = np.maximum(summed @ parameters["hidden.weight"] + parameters["hidden.bias"], 0)
    out = summed + hidden @ parameters["out.weight"]
    lengths = np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    return ForwardPass(features, summed, hidden, lengths, out / lengths)


def encoded(networks: Networks, features: Features) -> Floats:
    """Unit vectors of tracks, float32 [tracks, sum of dims]: those of the networks, concatenated.

    The product of two such vectors is the mean of the networks' products.
    """
    parts = [forward(parameters, features).vectors for parameters in networks]
    vectors: Floats = np.concatenate(parts, axis=1) / np.float32(np.sqrt(len(parts)))
    return vectors


def backward(parameters: Parameters, done: ForwardPass, wanted: Floats) -> Gradients:
    """The gradients of the parameters from that of the unit vectors, float32 [tracks, dim]."""
    along = np.sum(wanted * done.vectors, axis=1, keepdims=True)
    out = (wanted - along * done.vectors) / done.lengths
    hidden = (out @ parameters["out.weight"].T) * (done.hidden > 0)
    gradients: Gradients = {
        "out.weight": done.hidden.T @ out,
        "hidden.weight": done.summed.T @ hidden,
        "hidden.bias": hidden.sum(axis=0),
    }
    summed = out + hidden @ parameters["hidden.weight"].T
    for name, block in done.features.blocks.items():
        known = done.features.known[name]
        gradients[f"{name}.missing"] = summed[~known].sum(axis=0)
        gradients[f"{name}.bias"] = summed[known].sum(axis=0)
        gradients[f"{name}.weight"] = _weight_gradient(block, summed, known)
    return gradients


def _weight_gradient(
    block: csr_matrix | Floats, summed: Floats, known: Known
) -> Floats | RowGradient:
    """The gradient of a block's map; of a sparse block, only its non-zero rows."""
    if not issparse(block):
        dense: Floats = np.asarray(block)[known].T @ summed[known]
        return dense
    turned = block.T.tocsr()
    rows = np.flatnonzero(np.diff(turned.indptr))
    part = csr_matrix(
        (turned.data, turned.indices, np.append(0, turned.indptr[rows + 1])),
        shape=(len(rows), block.shape[0]),
    )
    return RowGradient(rows, np.asarray(part @ summed))


def _normal(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Floats:
    return (rng.normal(size=shape) * scale).astype(np.float32)


class Adam:
    """Adam with decoupled weight decay and its moments; `step` updates the parameters in place.

    Kingma and Ba, "Adam" (ICLR 2015), algorithm 1; Loshchilov and Hutter, "Decoupled Weight Decay
    Regularization" (ICLR 2019). Of sparse blocks only the rows in a batch are updated (lazy Adam).
    """

    def __init__(self, parameters: Parameters, weight_decay: float) -> None:
        self._parameters = parameters
        self._decay = weight_decay
        self._first = {name: np.zeros_like(values) for name, values in parameters.items()}
        self._second = {name: np.zeros_like(values) for name, values in parameters.items()}
        self._count = 0

    def step(self, gradients: Gradients, rate: float) -> None:
        """One step down the gradients."""
        self._count += 1
        scale = np.sqrt(1 - _BETA2**self._count) / (1 - _BETA1**self._count)
        for name, gradient in gradients.items():
            rows: slice | np.ndarray = slice(None)
            if isinstance(gradient, RowGradient):
                rows, gradient = gradient.rows, gradient.values
            first = self._first[name][rows] * _BETA1 + (1 - _BETA1) * gradient
            second = self._second[name][rows] * _BETA2 + (1 - _BETA2) * gradient**2
            self._first[name][rows], self._second[name][rows] = first, second
            change = scale * first / (np.sqrt(second) + _EPSILON)
            if name.endswith("weight"):
                change += self._decay * self._parameters[name][rows]
            self._parameters[name][rows] -= np.float32(rate) * change
