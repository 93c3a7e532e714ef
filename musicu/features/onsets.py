"""Onset strength in six bands, a hundred frames per second.

SuperFlux after Böck and Widmer, "Maximum filter vibrato suppression for onset detection" (DAFx
2013): rises of the log mel spectrum over two frames, against the maximum of neighbouring bands.
Each band is normalised by its own mean, so that level and equalisation have no influence.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from musicu.features.blocks import PowerBlocks
from musicu.features.mel import mel_filterbank

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


class OnsetStream:
    """Onset strength of mono audio at 22,050 Hz from pieces of any size."""

    def __init__(self) -> None:
        self._blocks = PowerBlocks(_mel, N_FFT, HOP, BLOCK, _LAG)
        self._parts: list[NDArray[np.float32]] = []

    def add(self, samples: NDArray[np.float32]) -> None:
        """The next samples, float32 [n]."""
        self._parts += [_rise(mel)[again:] for again, mel in self._blocks.add(samples)]

    def finish(self) -> NDArray[np.float32]:
        """Onset strength of all that was added, float32 [1 + n // 220, 6]; see `onset_bands`."""
        self._parts += [_rise(mel)[again:] for again, mel in self._blocks.finish()]
        return np.concatenate(self._parts)


def onset_bands(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Onset strength float32 [1 + n // 220, 6] of mono samples float32 [n] at 22,050 Hz.

    Frame i is centred at i * 220 / 22050 seconds. At least 0, and 0 in digital silence.
    """
    stream = OnsetStream()
    stream.add(samples)
    return stream.finish()


def _mel(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power in mel bands, float32 [frames, 40]."""
    bands: NDArray[np.float32] = (_weights() @ np.ascontiguousarray(power.T)).T
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


@lru_cache(maxsize=1)
def _weights() -> sparse.csr_matrix:
    return sparse.csr_matrix(mel_filterbank(SAMPLE_RATE, N_FFT, N_MELS, *LIMITS_HZ))
