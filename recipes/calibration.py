"""Fitting and judging a calibration: of the answers given at 0.8, four in five are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from musicu.features.scorer import Calibration

N_KNOTS = 12


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
    rising = isotonic_regression(share, weights=[len(g) for g in groups]).x
    knots = np.concatenate([[0.0], middle, [1.0]])
    values = np.concatenate([[rising[0] * 0.5], rising, [rising[-1]]])
    return Calibration(knots.astype(np.float32), values.astype(np.float32))


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
