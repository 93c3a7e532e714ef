"""True peak after ITU-R BS.1770-4, annex 2: the highest point of the wave between the samples."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

OVERSAMPLING = 4
_TAPS = 24  # samples around each point
_KAISER_BETA = 7.0
_RUN = 32  # samples interpolated by one row of the matrix product


@lru_cache(maxsize=1)
def interpolator() -> NDArray[np.float32]:
    """Windowed sincs for the points at 1/4, 2/4 and 3/4 between samples, float32 [24, 3].

    Point p between samples 11 and 12 of a stretch x of 24 samples is x @ interpolator()[:, p].
    The gain at frequency 0 is 1; up to 0.4 of the sample rate it is within 0.01 dB.
    """
    points = np.arange(1, OVERSAMPLING) / OVERSAMPLING
    distance = np.arange(_TAPS)[:, None] - (_TAPS / 2 - 1) - points
    inside = np.sqrt(np.maximum(1.0 - (distance / (_TAPS / 2)) ** 2, 0.0))
    taps = np.sinc(distance) * np.i0(_KAISER_BETA * inside)
    taps = (taps / taps.sum(axis=0)).astype(np.float32)
    taps.flags.writeable = False
    return np.asarray(taps)


@lru_cache(maxsize=1)
def _runs() -> NDArray[np.float32]:
    """The interpolators of 32 neighbouring samples as one matrix, float32 [55, 96]."""
    matrix = np.zeros((_RUN + _TAPS - 1, _RUN, OVERSAMPLING - 1), np.float32)
    for start in range(_RUN):
        matrix[start : start + _TAPS, start] = interpolator()
    return matrix.reshape(len(matrix), -1)


class PeakMeter:
    """Measures a recording block by block; keeps the highest sample and the true peak."""

    def __init__(self, channels: int) -> None:
        self._tail = np.zeros((channels, _TAPS - 1), np.float32)
        self._bound = float(np.abs(interpolator()).sum(axis=0).max())
        self.sample_peak = 0.0
        self._between = 0.0

    def update(self, planes: NDArray[np.float32]) -> None:
        """Take in the next samples, float32 [channels, n], finite."""
        if not planes.shape[1]:
            return
        self.sample_peak = max(self.sample_peak, float(planes.max()), -float(planes.min()))
        self._between = max(self._between, self._highest_between(planes))
        joined = np.concatenate([self._tail, planes[:, -(_TAPS - 1) :]], axis=1)
        self._tail = joined[:, -(_TAPS - 1) :]

    def _highest_between(self, planes: NDArray[np.float32]) -> float:
        """The highest point between the samples, from half a filter before this block on."""
        length = planes.shape[1]
        rows = -(-length // _RUN)
        highest = 0.0
        for tail, plane in zip(self._tail, planes, strict=True):
            padding = np.zeros((rows + 1) * _RUN - len(tail) - length, np.float32)
            whole = np.concatenate([tail, plane, padding])
            stretches = np.lib.stride_tricks.sliding_window_view(whole, _RUN + _TAPS - 1)[::_RUN]
            known = max(self.true_peak, highest)
            rising = _loudest(whole) * self._bound > known  # the others stay below
            if rising.any():
                points = stretches[rising] @ _runs()
                highest = max(highest, float(points.max()), -float(points.min()))
        return highest

    @property
    def true_peak(self) -> float:
        """The highest absolute value so far, linear, at least the highest sample."""
        return max(self.sample_peak, self._between)

    def finish(self) -> None:
        """Add the silence after the end, where the interpolated wave may still rise."""
        self.update(np.zeros((len(self._tail), _TAPS), np.float32))


def _loudest(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The highest absolute value in each run and the next, float32 [runs - 1]."""
    runs = np.abs(samples)
    while len(runs) > len(samples) // _RUN:
        runs = np.maximum(runs[::2], runs[1::2])  # much faster than a maximum over rows
    return np.maximum(runs[:-1], runs[1:])


def decibels(amplitude: float) -> float | None:
    """A linear amplitude in dB relative to full scale; None for silence."""
    return 20.0 * float(np.log10(amplitude)) if amplitude > 0.0 else None
