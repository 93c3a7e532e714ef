"""Onset strength in six bands, a hundred frames per second.

SuperFlux after Böck and Widmer, "Maximum filter vibrato suppression for onset detection" (DAFx
2013): rises of the log mel spectrum over two frames, against the maximum of neighbouring bands.
Each band is normalised by its own mean, so that level and equalisation have no influence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from musicu.features.blocks import PowerBlocks
from musicu.features.mel import sparse_filterbank

SAMPLE_RATE = 22_050
N_FFT = 1024
HOP = 220
ONSET_RATE = SAMPLE_RATE / HOP  # frames a second, 100.2
N_MELS = 40
LIMITS_HZ = (30.0, 8000.0)
GROUPS = (0, 2, 5, 11, 20, 30, 40)  # mel bands of the six: up to 0.2, 0.5, 0.9, 1.8, 3.9, 8 kHz
N_BANDS = len(GROUPS) - 1
BLOCK = 3000  # frames that share one normalisation, 30 s
_LAG = 2
_COMPRESSION = 30.0
_FLOOR = 1e-5  # of the loudest band's mean power: anything lower is codec noise
_SILENCE = 1e-9  # mean mel power of about -100 dBFS


class OnsetStream(PowerBlocks):
    """Onset strength of mono audio at 22,050 Hz from pieces of any size; see `onset_bands`."""

    def __init__(self) -> None:
        super().__init__(_mel, N_FFT, HOP, BLOCK, _rise, _LAG)


def onset_bands(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Onset strength float32 [1 + n // 220, 6] of mono samples float32 [n] at 22,050 Hz.

    Frame i is centred at i * 220 / 22050 seconds. At least 0, and 0 in digital silence.
    """
    stream = OnsetStream()
    stream.update(samples)
    return stream.finish()


def _mel(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power in mel bands, float32 [frames, 40]."""
    filters = sparse_filterbank(SAMPLE_RATE, N_FFT, N_MELS, *LIMITS_HZ)
    bands: NDArray[np.float32] = (filters @ np.ascontiguousarray(power.T)).T
    return bands


def _rise(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean rise of the compressed mel bands over two frames, float32 [frames, 6]."""
    mean = mel.mean(axis=0, dtype=np.float64)
    if mean.max(initial=0.0) < _SILENCE:
        return np.zeros((len(mel), N_BANDS), np.float32)
    scale = (_COMPRESSION / np.maximum(mean, _FLOOR * mean.max())).astype(np.float32)
    level = np.log1p(mel * scale)
    before = ndimage.maximum_filter1d(level[:-_LAG], 3, axis=1)
    rise = np.zeros_like(level)
    rise[_LAG:] = np.maximum(level[_LAG:] - before, 0.0)
    widths = np.diff(GROUPS).astype(np.float32)
    bands = np.add.reduceat(rise, GROUPS[:-1], axis=1) / widths
    return bands.astype(np.float32, copy=False)
