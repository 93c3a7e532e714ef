"""Fits the small networks of `musicu.features.scorer` in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.features.scorer import Calibration, Scorer


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How the networks are fitted. dropout: share of inputs that are hidden in each step."""

    networks: int = 3
    units: int = 32
    epochs: int = 30
    batch: int = 32
    learning_rate: float = 2e-3
    decay: float = 1e-3
    dropout: float = 0.1
    seed: int = 0


_Parameters = list[NDArray[np.float32]]


def train(
    features: NDArray[np.float32], right: NDArray[np.bool_], config: TrainingConfig
) -> Scorer:
    """Networks that put belief on what is right; the calibration is left as identity.

    features: float32 [examples, answers, features]. right: bool [examples, answers, scores];
    an example where nothing is right has no answer. The loss is the negative logarithm of the
    belief in all that is right.
    """
    mean = features.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    scale = (features.std(axis=(0, 1), dtype=np.float64) + 1e-3).astype(np.float32)
    fitted = [_fit(features, right, mean, scale, config, n) for n in range(config.networks)]
    hidden, hidden_bias, output, output_bias = (
        np.stack(same) for same in zip(*fitted, strict=True)
    )
    line = np.array([0.0, 1.0], np.float32)
    return Scorer(mean, scale, hidden, hidden_bias, output, output_bias, Calibration(line, line))


def _fit(
    features: NDArray[np.float32], right: NDArray[np.bool_], mean: NDArray[np.float32],
    scale: NDArray[np.float32], config: TrainingConfig, number: int,
) -> _Parameters:  # fmt: skip
    """One network: hidden weights and biases, output weights and biases."""
    rng = np.random.default_rng([config.seed, number])
    n_in, n_out = features.shape[2], right.shape[2]
    parameters: _Parameters = [
        (rng.standard_normal((n_in, config.units)) / np.sqrt(n_in)).astype(np.float32),
        np.zeros(config.units, np.float32),
        (rng.standard_normal((config.units, n_out)) / np.sqrt(config.units)).astype(np.float32),
        np.full(n_out, -np.log(features.shape[1]), np.float32),
    ]
    moments = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    steps = config.epochs * -(-len(features) // config.batch)
    step = 0
    for _ in range(config.epochs):
        order = rng.permutation(len(features))
        for first in range(0, len(order), config.batch):
            chosen = order[first : first + config.batch]
            inputs = np.clip((features[chosen] - mean) / scale, -5.0, 5.0)
            inputs *= rng.random((len(chosen), 1, n_in), dtype=np.float32) >= config.dropout
            gradients = _gradients(parameters, inputs, right[chosen])
            step += 1
            rate = config.learning_rate * 0.5 * (1 + np.cos(np.pi * step / steps))
            _adam(parameters, gradients, moments, step, rate, config.decay)
    parameters[0] *= np.float32(1.0 - config.dropout)
    return parameters


def _gradients(
    parameters: _Parameters, inputs: NDArray[np.float32], right: NDArray[np.bool_]
) -> _Parameters:
    """Of the mean loss of a batch: inputs [b, answers, features], right [b, answers, scores]."""
    hidden, hidden_bias, output, output_bias = parameters
    b, answers, n_in = inputs.shape
    flat = inputs.reshape(b * answers, n_in)
    units = np.maximum(flat @ hidden + hidden_bias, 0.0)
    scores = (units @ output + output_bias).reshape(b, -1)
    top = np.maximum(scores.max(axis=1, keepdims=True), 0.0)
    weights, none = np.exp(scores - top), np.exp(-top)
    belief = weights / (weights.sum(axis=1, keepdims=True) + none)
    is_right = right.reshape(b, -1)
    kept = belief * is_right
    total = kept.sum(axis=1, keepdims=True)
    target = np.where(is_right.any(axis=1, keepdims=True), kept / np.maximum(total, 1e-9), 0.0)
    slope = ((belief - target) / b).reshape(b * answers, -1).astype(np.float32)
    back = (slope @ output.T) * (units > 0)
    return [flat.T @ back, back.sum(axis=0), units.T @ slope, slope.sum(axis=0)]


def _adam(
    parameters: _Parameters, gradients: _Parameters, moments: tuple[_Parameters, _Parameters],
    step: int, rate: float, decay: float,
) -> None:  # fmt: skip
    """One step of Adam with decoupled weight decay (Loshchilov and Hutter, 2019), in place."""
    for parameter, gradient, first, second in zip(parameters, gradients, *moments, strict=True):
        first += 0.1 * (gradient - first)
        second += 0.001 * (gradient**2 - second)
        move = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        parameter -= np.float32(rate) * (move + decay * parameter).astype(np.float32)
