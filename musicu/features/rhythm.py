"""Rhythm: fluctuation patterns, onsets and their periodicity.

Fluctuation patterns after Pampalk, "Computational models of music similarity" (2006); the onset
curve's autocorrelation after Ellis, "Beat tracking by dynamic programming" (2007).
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from musicu.features.frames import FRAME_RATE, Frames
from musicu.features.timbre import Statistics, deviation, mean, quantiles

BLOCK = 256  # frames, 5.9 s
BLOCK_BANDS = 12
MODULATION_HZ = (0.25, 0.5, 0.75, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 21.0)
PERIODS = np.geomspace(0.1, 4.0, 40)  # seconds
_MAX_LAG = 256  # frames, a little over the longest period
_TAPER = np.hanning(BLOCK).astype(np.float32)


def fluctuation(frames: Frames) -> Statistics:
    """Modulation of twelve bands at twelve rates, 0.25 to 21 Hz: the median over blocks."""
    bands = frames.whole.mel.reshape(BLOCK_BANDS, 4, -1).mean(axis=1)
    blocks = np.stack([block for window in frames.windows(bands) for block in _blocks(window)])
    return {"fluctuation": np.log(np.median(_patterns(blocks), axis=0) + 0.005).ravel()}


def _blocks(bands: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Half-overlapping blocks of 256 frames, float32 [12, 256]; a short window is one, padded."""
    length = bands.shape[1]
    if length < BLOCK:
        return [np.pad(bands, ((0, 0), (0, BLOCK - length)), mode="symmetric")]
    count = -(-(length - BLOCK) // (BLOCK // 2)) + 1
    starts = np.linspace(0, length - BLOCK, count).astype(int)
    return [bands[:, start : start + BLOCK] for start in starts]


def _patterns(blocks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Modulation magnitude of each band in each range of rates, float64 [blocks, 12, 12]."""
    centred = (blocks - blocks.mean(axis=2, keepdims=True)) * _TAPER
    magnitude = np.abs(fft.rfft(centred, axis=2))
    rates = np.arange(magnitude.shape[2]) * FRAME_RATE / BLOCK
    bounds = np.maximum(np.searchsorted(rates, MODULATION_HZ), 1)
    ranges = [magnitude[:, :, a : max(b, a + 1)] for a, b in itertools.pairwise(bounds)]
    return np.stack([mean(part) for part in ranges], axis=2) / BLOCK


def onset_curves(frames: Frames) -> list[NDArray[np.float32]]:
    """Mean rise of the log mel bands from frame to frame, float32 [frames - 1] per window.

    A window of one frame gives one 0.
    """
    mel = frames.whole.mel
    rises = mel[:, 1:] - mel[:, :-1]
    curve = np.maximum(rises, 0.0, out=rises).mean(axis=0)
    inside = [curve[a : b - 1] for a, b in itertools.pairwise(frames.edges)]
    return [part if len(part) else np.zeros(1, np.float32) for part in inside]


def periodicity(frames: Frames) -> NDArray[np.float64]:
    """Autocorrelation of the onset curve, float64 [256] lags of 23 ms; 1 at lag 0."""
    curves = onset_curves(frames)
    size = 2 * max(_MAX_LAG, *(len(curve) for curve in curves))
    power = np.zeros(size // 2 + 1)
    for curve in curves:
        spectrum = fft.rfft(curve - curve.mean(), size)
        power += np.square(spectrum.real) + np.square(spectrum.imag)
    total = fft.irfft(power)[:_MAX_LAG]
    return np.asarray(total / (total[0] + 1e-9))


def pulse(frames: Frames) -> Statistics:
    """Periodicity at forty periods from 0.1 to 4 s, and its tempo-invariant shape."""
    smooth = ndimage.gaussian_filter1d(periodicity(frames), 1.0)
    curve = np.interp(PERIODS * FRAME_RATE, np.arange(_MAX_LAG), smooth)
    shape = np.concatenate([np.sort(curve)[::-1][:12], np.abs(fft.rfft(curve))[1:12]])
    return {"periods": curve, "period_shape": shape}


def onsets(frames: Frames) -> Statistics:
    """Onset strength: mean, deviation and quantiles of the onset curve."""
    curve = np.concatenate(onset_curves(frames))
    values = [mean(curve), deviation(curve), *quantiles(curve, (0.5, 0.9, 0.98))]
    return {"onsets": np.log(np.array(values) + 0.005)}
