"""How much happens: onsets a second, how danceable, how energetic; each in a plain definition.

Onsets are peaks of the onset strength of `musicu.features.onsets`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from musicu.features.onsets import ONSET_RATE

_NEAR = 3  # frames to either side in which an onset is the highest, 30 ms
_AROUND = 12  # frames to either side whose mean it exceeds, 0.12 s
_EXCESS = 0.15  # by so much, in logarithms of power
_STRETCH = round(12 * ONSET_RATE)  # frames, twelve seconds
_DANCING_SECONDS = (0.375, 0.75)  # periods of 160 and 80 beats a minute
_ENERGY_ONSETS = (0.0, 8.0)  # a second
_ENERGY_HZ = (500.0, 4000.0)
_ENERGY_PLR_DB = (20.0, 8.0)


def onset_rate(strength: NDArray[np.float32], seconds: float) -> float | None:
    """Onsets a second in a sound of so many seconds, from onset strength float32 [frames, 6].

    An onset is a frame whose mean strength over bands is the highest within 30 ms and lies 0.15
    (about 0.6 dB) over the mean within 0.12 s. None where nothing sounds.
    """
    if seconds <= 0.0:
        return None
    curve = strength.mean(axis=1, dtype=np.float64)
    highest = ndimage.maximum_filter1d(curve, 2 * _NEAR + 1, mode="constant")
    around = ndimage.uniform_filter1d(curve, 2 * _AROUND + 1, mode="constant")
    onsets = (curve == highest) & (curve > around + _EXCESS)
    return float(np.count_nonzero(onsets)) / seconds


def danceability(strength: NDArray[np.float32]) -> float | None:
    """How regularly onsets return at a pace for dancing, in [0, 1].

    The autocorrelation of onset strength at its best period from 0.375 to 0.75 s (160 to 80
    beats a minute), the median over stretches of 12 s. None where nothing begins to sound.
    """
    curve = strength.mean(axis=1, dtype=np.float64)
    starts = range(0, max(len(curve) - _STRETCH // 2, 1), _STRETCH)
    found = [_return(curve[start : start + _STRETCH]) for start in starts]
    known = [value for value in found if value is not None]
    return float(np.median(known)) if known else None


def _return(curve: NDArray[np.float64]) -> float | None:
    """The highest normalised autocorrelation at a dancing period; None for a flat curve."""
    smooth = ndimage.gaussian_filter1d(curve, 1.5)
    centred = smooth - smooth.mean()
    shortest, longest = (round(seconds * ONSET_RATE) for seconds in _DANCING_SECONDS)
    spectrum = fft.rfft(centred, 2 * len(centred))
    products = fft.irfft(np.abs(spectrum) ** 2)[: len(centred)]
    if len(centred) < 2 * longest or products[0] < 1e-6 * len(centred):
        return None
    lags = np.arange(shortest, longest + 1)
    unbiased = products[lags] * len(centred) / (len(centred) - lags)
    return float(np.clip(unbiased.max() / products[0], 0.0, 1.0))


def energy(onsets: float | None, brightness_hz: float | None, plr_db: float | None) -> float | None:
    """The mean of three plain things, each from 0 to 1, whatever the level; None if one is unknown.

    Onsets from 0 to 8 a second; brightness from 500 to 4000 Hz, by octaves; and how little peaks
    stand out of the loudness, a peak-to-loudness ratio from 20 down to 8 dB.
    """
    if onsets is None or brightness_hz is None or plr_db is None:
        return None
    bright = _share(math.log(max(brightness_hz, 1.0)), *(math.log(hz) for hz in _ENERGY_HZ))
    parts = [_share(onsets, *_ENERGY_ONSETS), bright, _share(plr_db, *_ENERGY_PLR_DB)]
    return sum(parts) / len(parts)


def _share(value: float, low: float, high: float) -> float:
    """Where a value lies between two limits: 0 at `low` or beyond, 1 at `high` or beyond."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
