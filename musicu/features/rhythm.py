"""The pulse: fluctuation patterns, onsets and the periods at which they return.

Fluctuation patterns after Pampalk, "Computational models of music similarity" (2006); the onset
curve's autocorrelation after Ellis, "Beat tracking by dynamic programming" (2007).
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from musicu.features.frames import FRAME_RATE, Frames
from musicu.features.timbre import Statistics

BLOCK = 256  # frames, 5.9 s
BLOCK_BANDS = 12
MODULATION_HZ = (0.25, 0.5, 0.75, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 21.0)
PERIODS = np.geomspace(0.1, 4.0, 40)  # seconds
_MAX_LAG = 256  # frames, a little over the longest period


def fluctuation(frames: Frames) -> Statistics:
    """How strongly twelve bands beat at twelve rates, 0.25 to 21 Hz: the median over blocks."""
    blocks = [block for window in frames.windows for block in _blocks(window.mel)]
    patterns = np.stack([_pattern(block) for block in blocks])
    return {"fluctuation": np.log(np.median(patterns, axis=0) + 0.005).ravel()}


def _blocks(mel: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """Half-overlapping blocks of 256 frames, float64 [256, 12]; a short window is one, padded."""
    bands = mel.reshape(len(mel), BLOCK_BANDS, -1).mean(axis=2, dtype=np.float64)
    if len(bands) < BLOCK:
        bands = np.pad(bands, ((0, BLOCK - len(bands)), (0, 0)), mode="symmetric")
    count = -(-(len(bands) - BLOCK) // (BLOCK // 2)) + 1
    starts = np.linspace(0, len(bands) - BLOCK, count).astype(int)
    return [bands[start : start + BLOCK] for start in starts]


def _pattern(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Modulation magnitude of each band in each range of rates, float64 [12, 12]."""
    centred = (block - block.mean(axis=0)) * np.hanning(BLOCK)[:, None]
    magnitude = np.abs(fft.rfft(centred, axis=0)) / BLOCK
    rates = np.arange(len(magnitude)) * FRAME_RATE / BLOCK
    bounds = np.maximum(np.searchsorted(rates, MODULATION_HZ), 1)
    pairs = itertools.pairwise(bounds)
    return np.stack([magnitude[a : max(b, a + 1)].mean(axis=0) for a, b in pairs], axis=1)


def onset_curve(mel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean rise of the log mel bands from frame to frame, float64 [frames - 1], at least one."""
    if len(mel) < 2:
        return np.zeros(1)
    rises = np.maximum(np.diff(mel, axis=0), 0.0)
    return np.asarray(rises.mean(axis=1, dtype=np.float64))


def periodicity(frames: Frames) -> NDArray[np.float64]:
    """Autocorrelation of the onset curve, float64 [256] lags of 23 ms; 1 at lag 0."""
    total = np.zeros(_MAX_LAG)
    for window in frames.windows:
        curve = onset_curve(window.mel)
        spectrum = fft.rfft(curve - curve.mean(), 2 * max(_MAX_LAG, len(curve)))
        total += fft.irfft(np.abs(spectrum) ** 2)[:_MAX_LAG]
    return np.asarray(total / (total[0] + 1e-9))


def pulse(frames: Frames) -> Statistics:
    """Periodicity at forty periods from 0.1 to 4 s, and its shape whatever the tempo."""
    smooth = ndimage.gaussian_filter1d(periodicity(frames), 1.0)
    curve = np.interp(PERIODS * FRAME_RATE, np.arange(_MAX_LAG), smooth)
    shape = np.concatenate([np.sort(curve)[::-1][:12], np.abs(fft.rfft(curve))[1:12]])
    return {"periods": curve, "period_shape": shape}


def onsets(frames: Frames) -> Statistics:
    """How strong the onsets are: mean, deviation and quantiles of the onset curve."""
    curve = np.concatenate([onset_curve(window.mel) for window in frames.windows])
    values = [curve.mean(), curve.std(), *np.quantile(curve, (0.5, 0.9, 0.98))]
    return {"onsets": np.log(np.array(values) + 0.005)}
