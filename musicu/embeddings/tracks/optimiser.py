"""Adam with decoupled weight decay, in NumPy, with lazy updates of sparse rows.

Kingma and Ba, "Adam" (ICLR 2015), algorithm 1; Loshchilov and Hutter, "Decoupled Weight Decay
Regularization" (ICLR 2019). Of sparse blocks only the rows in a batch are updated (lazy Adam).
"""

from __future__ import annotations

import numpy as np

from musicu.embeddings.tracks.track_network import Gradients, Parameters, RowGradient

_BETA1, _BETA2, _EPSILON = 0.9, 0.99, 1e-8


class Adam:
    """Adam with its moments; `step` updates the parameters in place."""

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
