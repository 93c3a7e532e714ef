"""Onset rate, danceability and energy, each by a plain definition.

Onsets are peaks of the onset strength of `musicu.features.onsets`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from musicu.features.onsets import ONSET_RATE

_NEAR = 3  # frames to either side in which an onset is the highest, 30 ms
_AROUND = 12  # frames to either side for the local mean, 0.12 s
_EXCESS = 0.15  # over the local mean, in logarithms of power
_SEGMENT = round(12 * ONSET_RATE)  # frames, twelve seconds
_DANCE_SECONDS = (0.375, 0.75)  # periods of 160 and 80 beats per minute
_ENERGY_ONSETS = (0.0, 8.0)  # a second
_ENERGY_HZ = (500.0, 4000.0)
_ENERGY_PLR_DB = (20.0, 8.0)


def onset_rate(strength: NDArray[np.float32], seconds: float) -> float | None:
    """Onsets per second of a recording of `seconds`, from onset strength float32 [frames, 6].

    An onset is a frame whose mean strength over bands is the highest within 30 ms and lies 0.15
    (about 0.6 dB) over the mean within 0.12 s. None in silence.
    """
    if seconds <= 0.0:
        return None
    curve = strength.mean(axis=1, dtype=np.float64)
    highest = ndimage.maximum_filter1d(curve, 2 * _NEAR + 1, mode="constant")
    around = ndimage.uniform_filter1d(curve, 2 * _AROUND + 1, mode="constant")
    onsets = (curve == highest) & (curve > around + _EXCESS)
    return float(np.count_nonzero(onsets)) / seconds


def danceability(strength: NDArray[np.float32]) -> float | None:
    """How regularly onsets repeat at a dance tempo, in [0, 1].

    The autocorrelation of onset strength at its best period from 0.375 to 0.75 s (160 to 80
    beats per minute), the median over segments of 12 s. None without onsets.
    """
    curve = strength.mean(axis=1, dtype=np.float64)
    starts = range(0, max(len(curve) - _SEGMENT // 2, 1), _SEGMENT)
    found = [_best_autocorrelation(curve[start : start + _SEGMENT]) for start in starts]
    known = [value for value in found if value is not None]
    return float(np.median(known)) if known else None


def _best_autocorrelation(curve: NDArray[np.float64]) -> float | None:
    """The highest normalised autocorrelation at a dance period; None for a flat curve."""
    smooth = ndimage.gaussian_filter1d(curve, 1.5)
    centred = smooth - smooth.mean()
    shortest, longest = (round(seconds * ONSET_RATE) for seconds in _DANCE_SECONDS)
    spectrum = fft.rfft(centred, 2 * len(centred))
    products = fft.irfft(np.abs(spectrum) ** 2)[: len(centred)]
    if len(centred) < 2 * longest or products[0] < 1e-6 * len(centred):
        return None
    lags = np.arange(shortest, longest + 1)
    unbiased = products[lags] * len(centred) / (len(centred) - lags)
    return float(np.clip(unbiased.max() / products[0], 0.0, 1.0))


def energy(onsets: float | None, brightness_hz: float | None, plr_db: float | None) -> float | None:
    """The mean of three measures in [0, 1], independent of level; None where one is unknown.

    Onsets from 0 to 8 per second; brightness from 500 to 4000 Hz on a logarithmic scale; and the
    peak-to-loudness ratio, from 20 dB (0) down to 8 dB (1).
    """
    if onsets is None or brightness_hz is None or plr_db is None:
        return None
    bright = _share(math.log(max(brightness_hz, 1.0)), *(math.log(hz) for hz in _ENERGY_HZ))
    parts = [_share(onsets, *_ENERGY_ONSETS), bright, _share(plr_db, *_ENERGY_PLR_DB)]
    return sum(parts) / len(parts)


def _share(value: float, low: float, high: float) -> float:
    """A value mapped linearly from [low, high] to [0, 1] and clipped."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
