"""Beat positions by dynamic programming, and how steady they are.

Ellis, "Beat tracking by dynamic programming" (2007): the path of onsets whose distances stay
close to the period. The period may drift slowly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from musicu.features.onsets import ONSET_RATE

TIGHTNESS = 100.0  # the cost of leaving the period, against onsets of deviation 1
WEIGHTS = np.array([4.0, 1.0, 1.0, 1.0, 1.0, 0.5])  # of the bands: bass drums mark beats
_WINDOW, _STRIDE = 1200, 600  # frames, 12 s and 6 s, that share one period
_DRIFT = 0.06  # of the period, at most, either way
_STEADY = 0.03
_LATENCY = 0.0105  # seconds from a note to the peak of its onset strength, measured
_SPAN = 4  # beats over which steadiness is measured: over one beat, swing would count


def track_beats(bands: NDArray[np.float32], period: float) -> NDArray[np.float32]:
    """Beats in seconds, float32 [b], rising, of onset strength float32 [frames, 6].

    period: seconds from beat to beat. Beats before the first and after the last sound are left
    out. Empty for silence and for recordings shorter than two periods.
    """
    curve = _accents(bands)
    if period * ONSET_RATE * 2 > len(curve) or curve.max(initial=0.0) <= 0.0:
        return np.empty(0, np.float32)
    path = _best_path(curve, _local_periods(curve, period * ONSET_RATE))
    sounding = np.flatnonzero(bands.max(axis=1) > 0.05 * bands.max())
    inside = (path >= sounding[0] - 3) & (path <= sounding[-1] + 3)
    beats: NDArray[np.float32] = np.maximum(path[inside] / ONSET_RATE - _LATENCY, 0.0)
    return beats.astype(np.float32)


def stability(beats: NDArray[np.float32]) -> float | None:
    """The share of four-beat spans within 3 % of the median tempo, in [0, 1].

    1 for a drum machine. None for fewer than eight beats.
    """
    if len(beats) < 2 * _SPAN:
        return None
    spans = beats[_SPAN:].astype(np.float64) - beats[:-_SPAN]
    return float(np.mean(np.abs(spans / np.median(spans) - 1.0) < _STEADY))


def mean_period(beats: NDArray[np.float32]) -> float | None:
    """Seconds from beat to beat, to about 0.1 %; None for fewer than five beats."""
    if len(beats) < 5:
        return None
    span = min(16, len(beats) // 2)
    return float(np.median(beats[span:].astype(np.float64) - beats[:-span]) / span)


def _accents(bands: NDArray[np.float32]) -> NDArray[np.float64]:
    """One curve of accents, with mean 0 and deviation 1 in any ten seconds, float64 [frames]."""
    curve = bands.astype(np.float64) @ (WEIGHTS / WEIGHTS.sum())
    curve = ndimage.gaussian_filter1d(curve, 1.5)
    around = ndimage.uniform_filter1d(curve, 1001, mode="nearest")
    spread = np.sqrt(ndimage.uniform_filter1d((curve - around) ** 2, 1001, mode="nearest"))
    accents: NDArray[np.float64] = (curve - around) / (spread + 0.02 * curve.max(initial=0) + 1e-9)
    return accents


def _local_periods(curve: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """The period in frames around each stride of the curve, float64 [strides]."""
    factors = np.exp(np.arange(-_DRIFT, _DRIFT + 1e-9, 0.005))
    starts = range(0, max(1, len(curve) - _STRIDE), _STRIDE)
    combs = np.stack([_comb(curve[s : s + _WINDOW], period * factors) for s in starts])
    combs = ndimage.gaussian_filter1d(combs, 1.0, axis=0, mode="nearest")
    # no drift costs nothing: where the comb is flat the period is kept
    combs -= 0.05 * combs.max(axis=1, keepdims=True) * (np.log(factors) / _DRIFT) ** 2
    found: NDArray[np.float64] = period * factors[np.argmax(combs, axis=1)]
    return found


def _comb(window: NDArray[np.float64], lags: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocorrelation summed at one to four times each lag, float64 [lags]."""
    n = len(window)
    spectrum = fft.rfft(window, fft.next_fast_len(2 * n, real=True))
    raw = fft.irfft(np.abs(spectrum) ** 2)[:n] / np.maximum(n - np.arange(n), n // 4)
    multiples = lags[:, None] * np.arange(1, 5)
    summed: NDArray[np.float64] = np.interp(multiples, np.arange(n), raw, right=0.0).sum(axis=1)
    return summed


def _best_path(curve: NDArray[np.float64], periods: NDArray[np.float64]) -> NDArray[np.int64]:
    """Frames of the beats: the path with the strongest accents and the steadiest period."""
    longest = float(periods.max())
    furthest, widest = round(2 * longest), round(1.5 * longest) + 2
    padded = np.concatenate([np.full(furthest, -np.inf), curve])  # no beat before the start
    total, before = padded[furthest:], np.full(len(curve), -1, np.int64)
    earlier = np.lib.stride_tricks.sliding_window_view(padded, widest)
    start = 0
    while start < len(curve):
        period = periods[min(start // _STRIDE, len(periods) - 1)]
        near, far = max(1, round(period / 2)), round(period * 2)
        stop = min(start + near, len(curve))  # every possible predecessor lies before these frames
        back = np.arange(near, far + 1)
        cost = -TIGHTNESS * np.log(back / period) ** 2
        first = furthest + start - far
        values = earlier[first : first + stop - start, far - near :: -1] + cost
        best = np.argmax(values, axis=1)
        gain = values[np.arange(stop - start), best]
        follows = gain > 0.0
        total[start:stop] += np.where(follows, gain, 0.0)
        before[start:stop] = np.where(follows, start + np.arange(stop - start) - back[best], -1)
        start = stop
    return _walk_back(total, before, round(periods[-1]))


def _walk_back(
    total: NDArray[np.float64], before: NDArray[np.int64], period: int
) -> NDArray[np.int64]:
    first = max(0, len(total) - round(1.5 * period))
    place = first + int(np.argmax(total[first:]))
    path = []
    while place >= 0:
        path.append(place)
        place = int(before[place])
    return np.array(path[::-1], dtype=np.int64)
