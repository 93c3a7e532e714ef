"""Loudness after ITU-R BS.1770-4 and EBU R 128, block by block.

Signals are K-weighted (a head's high shelf, then a high pass) in filters made for their sample
rate from the analogue prototype that gives the standard's coefficients at 48 kHz; powers are
summed over channels with the standard's weights; L = -0.691 + 10 log10(power). Momentary
loudness is of 0.4 s, short-term of 3 s (EBU Tech 3341); the integrated loudness is gated at -70
LUFS and 10 LU below what passes; the loudness range is the span from the 10th to the 95th
percentile of short-term loudness, gated at -70 LUFS and 20 LU below (EBU Tech 3342).

A mono file counts as one channel: the same sound in both channels of a file is 3.01 LU louder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from musicu.features.steps import StepSums

STEPS_PER_SECOND = 100
ABSOLUTE_GATE_LUFS = -70.0
MIN_SAMPLE_RATE = 8000

_MOMENTARY = 40  # steps
_SHORT_TERM = 300
_GATING_HOP = 10
_INTEGRATED_GATE_LU = 10.0
_RANGE_GATE_LU = 20.0
_OFFSET = -0.691

# The shelf: +4 dB above 1.7 kHz; and the high pass at 38 Hz.
_SHELF_HZ, _SHELF_DB, _SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
_SHELF_MIDDLE = 0.4996667741545416  # the exponent that gives the gain at the middle
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773

#: Weights by the number of channels, in the order of WAVE files. 5.1: L R C LFE Ls Rs.
_SIDE = 1.41
_WEIGHTS: dict[int, tuple[float, ...]] = {
    4: (1, 1, _SIDE, _SIDE),
    5: (1, 1, 1, _SIDE, _SIDE),
    6: (1, 1, 1, 0, _SIDE, _SIDE),
    7: (1, 1, 1, 0, 1, _SIDE, _SIDE),  # 6.1: back centre, then the sides
    8: (1, 1, 1, 0, 1, 1, _SIDE, _SIDE),  # 7.1: the backs, then the sides
}


@dataclass(frozen=True, slots=True)
class Loudness:
    """Loudness of a recording; None where it is too short or too quiet to have one.

    integrated_lufs, momentary_max_lufs, short_term_max_lufs: LUFS, above -70. range_lu: LU.
    """

    integrated_lufs: float | None
    range_lu: float | None
    momentary_max_lufs: float | None
    short_term_max_lufs: float | None


def k_weighting(sample_rate: float) -> NDArray[np.float64]:
    """The K-weighting filter as second-order sections float64 [2, 6], for `scipy.signal.sosfilt`.

    At 48 kHz the coefficients of ITU-R BS.1770-4, tables 1 and 2. Raises ValueError under 8 kHz.
    """
    if sample_rate < MIN_SAMPLE_RATE:
        raise ValueError(f"K-weighting needs at least {MIN_SAMPLE_RATE} Hz, not {sample_rate}")
    k = math.tan(math.pi * _SHELF_HZ / sample_rate)
    high = 10.0 ** (_SHELF_DB / 20.0)
    middle = high**_SHELF_MIDDLE
    scale = 1.0 + k / _SHELF_Q + k * k
    shelf = [
        (high + middle * k / _SHELF_Q + k * k) / scale,
        2.0 * (k * k - high) / scale,
        (high - middle * k / _SHELF_Q + k * k) / scale,
        *_poles(k, _SHELF_Q),
    ]
    k = math.tan(math.pi * _HIGH_PASS_HZ / sample_rate)
    return np.array([shelf, [1.0, -2.0, 1.0, *_poles(k, _HIGH_PASS_Q)]])


def _poles(k: float, q: float) -> list[float]:
    """The denominator of a section after the bilinear transform, with k = tan(pi f / rate)."""
    scale = 1.0 + k / q + k * k
    return [1.0, 2.0 * (k * k - 1.0) / scale, (1.0 - k / q + k * k) / scale]


def channel_weights(channels: int) -> NDArray[np.float64]:
    """How much each channel's power counts, float64 [channels], in the order of WAVE files."""
    return np.array(_WEIGHTS.get(channels, (1.0,) * channels), dtype=np.float64)


class LoudnessMeter:
    """Measures a recording block by block; keeps its K-weighted power in steps of 10 ms.

    Raises ValueError for sample rates under 8 kHz.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._sections = k_weighting(sample_rate)
        self._state = np.zeros((len(self._sections), channels, 2))
        self._weights = channel_weights(channels)
        self._step = sample_rate / STEPS_PER_SECOND
        self._sums = StepSums(1, self._step)

    def update(self, planes: NDArray[np.floating[Any]]) -> None:
        """Take in the next samples, [channels, n], finite."""
        weighted, self._state = signal.sosfilt(
            self._sections, planes.astype(np.float64), zi=self._state
        )
        np.square(weighted, out=weighted)
        self._sums.add((self._weights @ weighted)[None])

    def powers(self) -> NDArray[np.float64]:
        """Mean K-weighted power of every 10 ms so far, float64 [steps]."""
        return np.asarray(self._sums.full()[0] / self._step)

    def loudness(self) -> Loudness:
        """The loudness of all samples so far."""
        return measure(self.powers())


def measure(powers: NDArray[np.float64]) -> Loudness:
    """Loudness from K-weighted powers of 10 ms each, float64 [steps]."""
    momentary = sliding_powers(powers, _MOMENTARY)
    short_term = sliding_powers(powers, _SHORT_TERM)
    return Loudness(
        integrated_lufs=_integrated(momentary[::_GATING_HOP]),
        range_lu=_range(short_term[::_GATING_HOP]),
        momentary_max_lufs=_loudest(momentary),
        short_term_max_lufs=_loudest(short_term),
    )


def sliding_powers(powers: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Mean power over each run of `steps` steps, float64 [n - steps + 1] or empty."""
    if len(powers) < steps:
        return np.empty(0)
    sums = np.cumsum(np.concatenate([[0.0], powers]))
    return np.asarray(np.maximum(sums[steps:] - sums[:-steps], 0.0) / steps)


def lufs(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """K-weighted power to loudness in LUFS; -200 stands for silence."""
    return np.asarray(_OFFSET + 10.0 * np.log10(np.maximum(powers, 1e-20)))


def _gated(powers: NDArray[np.float64], below_lu: float) -> NDArray[np.float64]:
    """The powers above -70 LUFS and at most `below_lu` below the mean of those."""
    powers = powers[lufs(powers) > ABSOLUTE_GATE_LUFS]
    if not len(powers):
        return powers
    return np.asarray(powers[powers >= powers.mean() * 10.0 ** (-below_lu / 10.0)])


def _integrated(momentary: NDArray[np.float64]) -> float | None:
    passed = _gated(momentary, _INTEGRATED_GATE_LU)
    return float(lufs(passed.mean())) if len(passed) else None


def _range(short_term: NDArray[np.float64]) -> float | None:
    passed = np.sort(lufs(_gated(short_term, _RANGE_GATE_LU)))
    if not len(passed):
        return None
    low, high = (passed[round((len(passed) - 1) * part)] for part in (0.10, 0.95))
    return float(high - low)


def _loudest(powers: NDArray[np.float64]) -> float | None:
    loudest = float(lufs(powers.max())) if len(powers) else -math.inf
    return loudest if loudest > ABSOLUTE_GATE_LUFS else None
