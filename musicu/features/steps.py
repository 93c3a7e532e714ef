"""Streaming sums over steps of equal length, whatever the size of the input blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class StepSums:
    """Sums of several rows of values over steps of `samples_per_step` samples.

    Steps of a fractional length begin at the nearest whole sample, so that they do not drift.
    """

    def __init__(self, rows: int, samples_per_step: float) -> None:
        self._length = samples_per_step
        self._position = 0  # samples so far
        self._open = np.zeros((rows, 1))  # the step that is not full yet
        self._done: list[NDArray[np.float64]] = []
        self._count = 0

    def add(self, values: NDArray[np.floating[Any]]) -> None:
        """Take in the next values, [rows, n]; they are summed in float64."""
        end = self._position + values.shape[1]
        last = int((end + 0.5) / self._length) + 1
        bounds = np.round(np.arange(self._count + 1, last + 1) * self._length).astype(np.int64)
        bounds = bounds[bounds <= end]
        starts = np.concatenate([[0], bounds[bounds < end] - self._position])
        if values.shape[1]:
            sums = np.add.reduceat(values, starts, axis=1, dtype=np.float64)
            sums[:, :1] += self._open
            full = len(bounds)
            self._open = sums[:, full:] if sums.shape[1] > full else np.zeros_like(self._open)
            self._done.append(sums[:, :full])
            self._count += full
        self._position = end

    def full(self) -> NDArray[np.float64]:
        """The sums of the steps that are full, float64 [rows, steps]."""
        return np.concatenate([self._open[:, :0], *self._done], axis=1)

    def total(self) -> NDArray[np.float64]:
        """The sums over all samples so far, float64 [rows]."""
        total: NDArray[np.float64] = self.full().sum(axis=1) + self._open[:, 0]
        return total
