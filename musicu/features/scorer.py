"""Small networks that score candidate answers, in NumPy, and their file format."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from musicu.errors import ModelError

CONSTANTS = Path(__file__).parent / "constants"
_FIELDS = ("mean", "scale", "hidden", "hidden_bias", "output", "output_bias")


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A rising, piecewise linear map from belief to confidence: float32 [knots] each."""

    belief: NDArray[np.float32]
    right: NDArray[np.float32]

    def confidence(self, belief: float) -> float:
        """The share of right answers at this belief, in [0, 1]."""
        return float(np.clip(np.interp(belief, self.belief, self.right), 0.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """Networks with one hidden layer whose scores are averaged.

    mean, scale: float32 [features]. hidden: float32 [networks, features, units], hidden_bias:
    [networks, units]. output: [networks, units, scores], output_bias: [networks, scores].
    calibration: from the highest probability to the share of right answers.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output: NDArray[np.float32]
    output_bias: NDArray[np.float32]
    calibration: Calibration

    def scores(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Scores float64 [answers, scores]: the log odds of each answer against "none".

        features: [answers, features].
        """
        inputs = np.clip((features - self.mean) / self.scale, -5.0, 5.0).astype(np.float32)
        units = np.maximum(inputs @ self.hidden + self.hidden_bias[:, None], 0.0)
        scores = (units @ self.output + self.output_bias[:, None]).mean(axis=0, dtype=np.float64)
        return np.asarray(scores)

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in _FIELDS}
        knots = {"belief": self.calibration.belief, "right": self.calibration.right}
        save_file(tensors | knots, path, metadata={"format": "1"})


def shares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of each answer, in the shape of `scores`.

    The sum is at most 1; the remainder is the probability of no answer (score 0).
    """
    top = max(float(scores.max()), 0.0)
    weights = np.exp(scores - top)
    beliefs: NDArray[np.float64] = weights / (weights.sum() + np.exp(-top))
    return beliefs


@lru_cache(maxsize=4)
def load_scorer(name: str) -> Scorer:
    """The scorer that the package ships under this name. Raises ModelError where it is missing."""
    return read_scorer(CONSTANTS / f"{name}.safetensors")


def read_scorer(path: Path) -> Scorer:
    """A scorer from a file that `Scorer.save` wrote. Raises ModelError where it is missing."""
    if not path.is_file():
        raise ModelError(f"{path} is missing: install musicu again")
    tensors = load_file(path)
    calibration = Calibration(tensors["belief"], tensors["right"])
    return Scorer(**{field: tensors[field] for field in _FIELDS}, calibration=calibration)
