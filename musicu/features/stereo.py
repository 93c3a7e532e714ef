"""Stereo width and mono compatibility."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.features.steps import StepSums

STEP_SECONDS = 0.5
_SILENT = 1e-10  # power; -100 dBFS
_QUIET = 1e-4  # of the recording's mean power: steps 40 dB below it do not count
_ONE_SIDED = 1e-8  # of the other channel's power: 80 dB below it a channel is silent
_LOWEST_DB = -60.0


@dataclass(frozen=True, slots=True)
class Stereo:
    """The relation of left and right; None where it is not known.

    width: the side signal's share of the power, (L-R)² / ((L-R)² + (L+R)²), in [0, 1]: 0 mono,
    0.5 unrelated channels or one channel alone, 1 channels in opposite phase.
    correlation: of left and right over the whole recording, in [-1, 1].
    correlation_low: its 5th percentile over half-seconds.
    mono_change_db: the level of the mono downmix (L+R)/2 relative to the mean power of the
    channels, in [-60, 0] dB: 0 for equal channels, -3 for unrelated ones.
    balance_db: left over right, in [-60, 60] dB.
    """

    width: float | None
    correlation: float | None
    correlation_low: float | None
    mono_change_db: float | None
    balance_db: float | None


UNKNOWN = Stereo(None, None, None, None, None)
MONO = Stereo(0.0, 1.0, 1.0, 0.0, 0.0)


class StereoMeter:
    """Measures left and right block by block, ignoring a constant offset of a channel."""

    def __init__(self, sample_rate: int) -> None:
        self._sums = StepSums(5, sample_rate * STEP_SECONDS)
        self._samples = 0
        self._step = sample_rate * STEP_SECONDS

    def update(self, planes: NDArray[np.floating[Any]]) -> None:
        """Take in the next samples, [2, n], finite."""
        left, right = planes
        self._samples += len(left)
        rows = np.empty((5, len(left)))
        rows[0], rows[1] = left, right
        for row, (one, other) in zip(rows[2:], ((0, 0), (1, 1), (0, 1)), strict=True):
            np.multiply(rows[one], rows[other], out=row)
        self._sums.add(rows)

    def stereo(self) -> Stereo:
        """The relation of left and right so far."""
        if not self._samples:
            return UNKNOWN
        total = self._sums.total()[:, None] / self._samples
        left, right, both = (float(v) for v in _moments(total)[:, 0])
        if left + right < _SILENT:
            return UNKNOWN
        power = left + right
        return Stereo(
            width=min(max(0.5 - both / power, 0.0), 1.0),
            correlation=_correlation(left, right, both),
            correlation_low=self._lowest_correlation(left + right),
            mono_change_db=_decibels(0.5 + both / power),
            balance_db=_decibels(left / right) if right > left * _ONE_SIDED else -_LOWEST_DB,
        )

    def _lowest_correlation(self, power: float) -> float | None:
        steps = _moments(self._sums.full() / self._step)
        found = [
            _correlation(*step) for step in steps.T.tolist() if step[0] + step[1] > power * _QUIET
        ]
        known = [value for value in found if value is not None]
        return float(np.quantile(known, 0.05)) if known else None


def _moments(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance of left and right, and their covariance, float64 [3, steps], from means."""
    left, right, left2, right2, product = means
    variances = [np.maximum(left2 - left**2, 0.0), np.maximum(right2 - right**2, 0.0)]
    return np.stack([*variances, product - left * right])


def _correlation(left: float, right: float, both: float) -> float | None:
    """Covariance over the deviations; None where a channel is silent."""
    if min(left, right) <= max(left, right) * _ONE_SIDED:
        return None
    return min(max(both / math.sqrt(left * right), -1.0), 1.0)


def _decibels(ratio: float) -> float:
    """A ratio of powers in decibels, within ±60."""
    low = 10.0 ** (_LOWEST_DB / 10.0)
    return 10.0 * math.log10(min(max(ratio, low), 1.0 / low))
