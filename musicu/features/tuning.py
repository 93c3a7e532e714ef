"""Tuning: the deviation of a recording from A = 440 Hz."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicu.features.pitches import N_FINE, STEPS


class Tuning(NamedTuple):
    """cents: in [-50, 50) from equal temperament at A = 440 Hz. strength: in [0, 1].

    strength is 1 where all pitches agree on a tuning and near 0 where they are spread evenly.
    """

    cents: float
    strength: float


def tuning(fine: NDArray[np.float32]) -> Tuning:
    """Tuning of fine pitch classes float32 [frames, 2, 120] of `musicu.features.pitches`.

    The circular mean of all pitches' distances from the nearest semitone, as in Dressler and
    Streich, "Tuning frequency estimation using circular statistics" (ISMIR 2007).
    """
    total = fine.sum(axis=(0, 1), dtype=np.float64)
    turns = np.exp(2j * np.pi * np.arange(N_FINE) / STEPS)
    mean = complex((total * turns).sum() / (total.sum() + 1e-12))
    # rounded first, so that a value just below 50 cents does not wrap around
    cents = round(float(np.angle(mean)) / (2 * np.pi) * 100.0, 6)
    return Tuning(cents if cents < 50.0 else -50.0, abs(mean))


def chroma(fine: NDArray[np.float32], cents: float) -> NDArray[np.float64]:
    """Semitone classes from C upwards in that tuning, float64 [frames, 2, 12].

    Each pitch counts for its nearest semitone, with a cross-fade between two.
    """
    distance = np.arange(N_FINE)[:, None] / STEPS - cents / 100.0 - np.arange(12)
    distance = (distance + 6.0) % 12.0 - 6.0
    share = np.cos(np.pi / 2 * np.clip(distance / 0.8, -1.0, 1.0)) ** 2
    folded: NDArray[np.float64] = fine.astype(np.float64) @ share
    return folded
