"""Periodicities of a recording's onsets, and features of each candidate tempo.

Autocorrelation and Fourier tempogram of the onset strength (Grosche and Müller, "Extracting
predominant local pulse information", 2011), averaged over segments, on a logarithmic axis of
periods: a faster performance is the same pattern, shifted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from musicu.features.onsets import ONSET_RATE

SEGMENT = 2000  # frames, 20 s
N_LAGS = 602  # frames, 6 s
STEP = 0.005  # of the logarithm of the period
SHORTEST, LONGEST = 0.05, 6.0  # seconds
SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0
CELL = 4  # steps of the period axis per candidate tempo: 2 %
#: All bands together, the lowest, the highest, and low bands against high ones. Each band by
#: itself was better on synthesised pieces and worse on recordings.
N_CHANNELS = 4
MULTIPLES = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0, 4.0)
_COMB = (1, 2, 3, 4)
_PRIOR_CENTRES = np.linspace(np.log(30.0), np.log(300.0), 12)


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """A recording's periodicities.

    lags: float32 [4, periods], autocorrelation of each channel at `periods()`, 1 at lag 0.
    rates: float32 [4, periods], spectral magnitude at the same periods, relative to its mean.
    onsets: float64 [3], onsets per second in all bands, in low and in high ones.
    contrast: float64 [3], deviation over mean of the same curves: high for clicks, low for hiss.
    """

    lags: NDArray[np.float32]
    rates: NDArray[np.float32]
    onsets: NDArray[np.float64]
    contrast: NDArray[np.float64]


@lru_cache(maxsize=1)
def periods() -> NDArray[np.float64]:
    """The axis of periods in seconds, float64 [958], 0.5 % apart."""
    axis: NDArray[np.float64] = np.exp(np.arange(np.log(SHORTEST), np.log(LONGEST), STEP))
    return axis


def rhythm_pattern(bands: NDArray[np.float32]) -> Pattern:
    """The pattern of onset strength float32 [frames, 6] of `musicu.features.onsets`."""
    curves = np.stack([bands.mean(axis=1), bands[:, :2].mean(axis=1), bands[:, 3:].mean(axis=1)])
    lagged = _mean_autocorrelation(bands)
    axis = periods() * ONSET_RATE
    lags = np.stack([np.interp(axis, np.arange(N_LAGS), row) for row in lagged])
    power = np.maximum(lagged @ _cosines(), 0.0)
    rates = np.sqrt(power / (power.mean(axis=1, keepdims=True) + 1e-3))
    spread = curves.std(axis=1) / (curves.mean(axis=1) + 1e-6)
    return Pattern(
        lags.astype(np.float32),
        rates.astype(np.float32),
        np.array([_onset_density(curve) for curve in curves]),
        spread.astype(np.float64),
    )


def _mean_autocorrelation(bands: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean over half-overlapping segments that sound, float64 [4, 602 lags]."""
    count = max(1, -(-(len(bands) - SEGMENT) // (SEGMENT // 2)) + 1)
    last = max(0, len(bands) - SEGMENT)
    total, used = np.zeros((N_CHANNELS, N_LAGS)), 0
    for start in np.linspace(0, last, count).astype(int):
        segment = bands[start : start + SEGMENT].astype(np.float64)
        if segment.max(initial=0.0) > 0.0:
            total += _autocorrelation(segment)
            used += 1
    smooth: NDArray[np.float64] = ndimage.gaussian_filter1d(total / max(used, 1), 1.0, axis=1)
    return smooth


def _autocorrelation(segment: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the channels of one segment, unbiased, float64 [4, 602]."""
    n = len(segment)
    low, high = segment[:, :2].mean(axis=1), segment[:, 3:].mean(axis=1)
    curves = np.stack([segment.mean(axis=1), segment[:, 0], segment[:, -1], low, high])
    curves -= ndimage.uniform_filter1d(curves, 201, axis=1, mode="nearest")
    spectrum = fft.rfft(curves, fft.next_fast_len(n + N_LAGS, real=True), axis=1)
    power = np.abs(spectrum[:-1]) ** 2
    power[-1] = (spectrum[-2] * spectrum[-1].conj()).real  # low against high
    raw = fft.irfft(power, axis=1)[:, :N_LAGS]
    energy = (curves**2).sum(axis=1)
    energy[-2] = np.sqrt(energy[-2] * energy[-1])
    share = np.maximum(n - np.arange(N_LAGS), 1) / n
    reliable = np.arange(N_LAGS) < 0.8 * n
    unbiased: NDArray[np.float64] = raw / (energy[:-1, None] + 1e-9) / share * reliable
    return unbiased


@lru_cache(maxsize=1)
def _cosines() -> NDArray[np.float64]:
    """The matrix from autocorrelation to spectral power at `periods()`, float64 [602, periods]."""
    lags = np.arange(N_LAGS)[:, None] / ONSET_RATE
    taper = np.cos(0.5 * np.pi * np.arange(N_LAGS) / N_LAGS)[:, None] ** 2
    matrix: NDArray[np.float64] = taper * np.cos(2 * np.pi * lags / periods())
    matrix[1:] *= 2.0
    return matrix


def _onset_density(curve: NDArray[np.float32]) -> float:
    """Peaks per second that exceed the mean of the second around them."""
    around = ndimage.uniform_filter1d(curve, 101)
    peak = (curve >= ndimage.maximum_filter1d(curve, 7)) & (curve > 1.3 * around + 0.02)
    return float(peak.sum() / max(len(curve) / ONSET_RATE, 1.0))


@lru_cache(maxsize=1)
def _cells() -> NDArray[np.int64]:
    """Index of each candidate's shortest period on the axis, int64 [115]."""
    first = round(np.log(60.0 / FASTEST_BPM / SHORTEST) / STEP)
    last = round(np.log(60.0 / SLOWEST_BPM / SHORTEST) / STEP)
    return np.arange(first, last - CELL + 1, CELL)


def candidates(pattern: Pattern) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The period of each candidate tempo, float64 [cells], and how well it fits, [cells, F].

    Within its 2 % a candidate takes the period with the highest autocorrelation.
    """
    comb = _at(pattern.lags[:1], np.arange(len(periods())), _COMB).sum(axis=2)[0]
    within = _cells()[:, None] + np.arange(CELL)
    best = within[np.arange(len(within)), np.argmax(comb[within], axis=1)]
    chosen = periods()[best]
    lags = _at(pattern.lags, best, MULTIPLES)
    rates = _at(pattern.rates, best, MULTIPLES)
    shape = [a.transpose(1, 0, 2).reshape(len(best), -1) for a in (lags, rates)]
    strongest = float(comb[within].max())
    relative = comb[best][:, None] / (abs(strongest) + 0.05)
    return chosen, np.hstack([*shape, relative, _context(pattern, chosen, strongest)])


def _context(
    pattern: Pattern, chosen: NDArray[np.float64], strongest: float
) -> NDArray[np.float64]:
    """Absolute tempo, onsets per beat, and the features that all candidates share."""
    position = np.log(60.0 / chosen)[:, None]
    absolute = np.exp(-0.5 * ((position - _PRIOR_CENTRES) / 0.2) ** 2)
    density = np.log2(pattern.onsets * chosen[:, None] + 0.05)
    common = np.concatenate([np.log2(pattern.onsets + 0.2), pattern.contrast, [strongest]])
    return np.hstack([absolute, density, np.tile(common, (len(chosen), 1))])


def _at(
    table: NDArray[np.float32], index: NDArray[np.int64], multiples: tuple[float, ...]
) -> NDArray[np.float64]:
    """Values at multiples of periods, float64 [channels, index, multiples]; 0 off the axis."""
    steps = np.round(np.log(np.array(multiples)) / STEP).astype(np.int64)
    place = index[:, None] + steps
    inside = (place >= 0) & (place < table.shape[1])
    values: NDArray[np.float64] = table[:, np.clip(place, 0, table.shape[1] - 1)] * inside
    return values.astype(np.float64)
