"""Faults of a recording as a signal: clipping, silence, one silent channel, mono in stereo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.features.steps import StepSums
from musicu.features.truepeak import decibels

STEP_SECONDS = 0.125
_SILENT_DBFS = -60.0
_FLAT = 2.0**-15  # one step of 16 bits: two samples that are equal
_AT_PEAK = 0.995  # of the highest sample: where clipping happens
_LOUD = 0.1  # flat runs below it are ignored
_LEVELS, _HIGHEST = 4096, 4.0  # of |sample|, as far as float files go
_SHORTEST, _LONGEST = 3, 400  # samples of a clipped top


@dataclass(frozen=True, slots=True)
class Faults:
    """Measured faults; None where there is nothing to measure.

    peak_dbfs, level_dbfs: the highest sample, and the mean power of all channels, re full scale.
    clipped_share: the share of samples in flat tops at the recording's highest level, in [0, 1]:
    runs of 3 to 400 equal samples between a rise and a fall. A square wave has none.
    side_db: the power of (L-R)/2 relative to (L+R)/2; channel_db: of the softer channel relative
    to the louder; both of two channels only, at least -120.
    silence_start_seconds, silence_end_seconds: under -60 dBFS, in steps of 0.125 s.
    """

    peak_dbfs: float | None
    level_dbfs: float | None
    clipped_share: float
    side_db: float | None
    channel_db: float | None
    silence_start_seconds: float
    silence_end_seconds: float


class FaultMeter:
    """Measures faults block by block, in the recording's own channels and rate."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._rate, self._channels = sample_rate, channels
        self._frames = 0
        self._powers = StepSums(1, sample_rate * STEP_SECONDS)
        self._peak = 0.0
        self._flat = np.zeros(_LEVELS)
        self._pair = np.zeros(4)  # left, right, middle, side
        self._tail = np.zeros((channels, 0), np.float32)

    def update(self, planes: NDArray[np.float32]) -> None:
        """Take in the next samples, float32 [channels, n], finite."""
        if not planes.shape[1]:
            return
        self._frames += planes.shape[1]
        self._powers.add(np.square(planes, dtype=np.float64).mean(axis=0, keepdims=True))
        self._peak = max(self._peak, float(planes.max()), -float(planes.min()))
        joined = np.concatenate([self._tail, planes], axis=1)
        for plane in joined:
            self._flat += _flat_tops(plane)
        self._tail = planes[:, -1:]
        if self._channels == 2:
            left, right = planes.astype(np.float64)
            four = left, right, (left + right) / 2, (left - right) / 2
            self._pair += [float(np.dot(one, one)) for one in four]

    def finish(self) -> Faults:
        """The faults of all samples so far."""
        start, end = self._silences()
        power = float(self._powers.total()[0]) / max(1, self._frames)
        left, right, middle, side = self._pair
        two = left + right > 0.0
        return Faults(
            peak_dbfs=decibels(self._peak),
            level_dbfs=decibels(power**0.5),
            clipped_share=self._clipped(),
            side_db=_ratio_db(side, middle) if two else None,
            channel_db=_ratio_db(min(left, right), max(left, right)) if two else None,
            silence_start_seconds=start,
            silence_end_seconds=end,
        )

    def _silences(self) -> tuple[float, float]:
        """Seconds of silence at both ends; a silent recording counts at the beginning."""
        powers = self._powers.full()[0] / (STEP_SECONDS * self._rate)
        sounding = np.flatnonzero(powers > 10 ** (_SILENT_DBFS / 10))
        if not len(sounding):
            return self._frames / self._rate, 0.0
        end = len(powers) - 1 - int(sounding[-1])
        return int(sounding[0]) * STEP_SECONDS, end * STEP_SECONDS

    def _clipped(self) -> float:
        lowest = int(_AT_PEAK * self._peak * _LEVELS / _HIGHEST)
        return float(self._flat[lowest:].sum()) / max(1, self._frames * self._channels)


def _flat_tops(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Samples in flat tops by the level of the top, [_LEVELS].

    The samples beside a top have its sign and at least half its height, unlike those beside the
    tops of a square wave.
    """
    equal = np.abs(np.diff(samples)) < _FLAT
    edges = np.flatnonzero(np.diff(np.concatenate([[0], equal.view(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]  # samples start … stop are equal
    inside = (starts > 0) & (stops < len(samples) - 1)
    lengths = stops - starts + 1
    kept = inside & (lengths >= _SHORTEST) & (lengths <= _LONGEST)
    kept[kept] = np.abs(samples[starts[kept]]) > _LOUD
    starts, stops, lengths = starts[kept], stops[kept], lengths[kept]
    level = samples[starts]
    before, after = samples[starts - 1] / level, samples[stops + 1] / level
    top = (before > 0.5) & (before < 1) & (after > 0.5) & (after < 1)
    places = np.minimum(np.abs(level[top]) * (_LEVELS / _HIGHEST), _LEVELS - 1).astype(np.int64)
    weights = lengths[top].astype(np.float64)
    found: NDArray[np.float64] = np.bincount(places, weights, _LEVELS).astype(np.float64)
    return found


def _ratio_db(power: float, reference: float) -> float:
    """A power relative to another in dB, between -120 and 120."""
    tiny = 1e-12 * max(power, reference)
    return float(10 * np.log10((power + tiny) / (reference + tiny)))
