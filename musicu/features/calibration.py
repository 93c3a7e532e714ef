"""Calibrated confidence: of the answers given at 0.8, four in five are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_KNOTS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A rising, piecewise linear map from belief to confidence: float32 [knots] each."""

    belief: NDArray[np.float32]
    right: NDArray[np.float32]

    def confidence(self, belief: float) -> float:
        """The share of right answers at this belief, in [0, 1]."""
        return float(np.clip(np.interp(belief, self.belief, self.right), 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Bin:
    """One row of a reliability table: answers whose confidence lies in [low, high)."""

    low: float
    high: float
    count: int
    confidence: float
    right: float


def fit_calibration(belief: NDArray[np.float64], right: NDArray[np.float64]) -> Calibration:
    """Isotonic regression (Zadrozny and Elkan, 2002) of answers float64 [n], float64 [n].

    right: 1 for a right answer, 0 for a wrong one, and values between for uncertain ones.

    Smoothed: knots are means of equally many answers, made to rise, with one right and one wrong
    answer added to each, so that no confidence is exactly 0 or 1.
    """
    order = np.argsort(belief, kind="stable")
    groups = [g for g in np.array_split(order, N_KNOTS) if len(g)]
    middle = np.array([belief[g].mean() for g in groups])
    share = np.array([(right[g].sum() + 1.0) / (len(g) + 2.0) for g in groups]).clip(0.01, 0.99)
    rising = _rising(share, np.array([float(len(g)) for g in groups]))
    knots = np.concatenate([[0.0], middle, [1.0]])
    values = np.concatenate([[rising[0] * 0.5], rising, [rising[-1]]])
    return Calibration(knots.astype(np.float32), values.astype(np.float32))


def _rising(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest rising sequence: neighbours that violate the order are pooled."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values, weights, strict=True):
        pools.append((float(value), float(weight), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, wa, na), (b, wb, nb) = pools[-2], pools[-1]
            pools[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return np.concatenate([np.full(n, mean) for mean, _, n in pools])


def reliability(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 5
) -> list[Bin]:
    """The share of right answers in bins of confidence; empty bins are left out."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.digitize(confidence, edges) - 1, 0, bins - 1)
    return [
        Bin(float(edges[b]), float(edges[b + 1]), int(mine.sum()),
            float(confidence[mine].mean()), float(right[mine].mean()))
        for b in range(bins) if (mine := place == b).any()
    ]  # fmt: skip


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error over ten bins (Naeini et al., 2015), in [0, 1]."""
    table = reliability(confidence, right, 10)
    return sum(b.count * abs(b.confidence - b.right) for b in table) / max(len(confidence), 1)
