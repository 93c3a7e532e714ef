"""Spectral descriptors of a whole recording: brightness, flatness and percussive share.

Measured in mono at 22,050 Hz, in frames of 93 ms, 43 per second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.features.blocks import PowerBlocks
from musicu.features.dynamics import percussive_share
from musicu.features.mel import sparse_filterbank
from musicu.features.mono import SAMPLE_RATE

N_FFT = 2048
HOP = 512
LIMITS_HZ = (40.0, 10_000.0)
OCTAVES_HZ = (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0)
_BLOCK = 1292  # frames, 30 s
_N_MELS = 48
_N_CURVES = 3  # power, centroid, flatness
_QUIET = 1e-4  # of the recording's mean power: frames 40 dB under it do not count
_SILENT = 1e-10  # mean square of the samples; -100 dBFS
_TINY = 1e-12
_NOISE_FLATNESS = np.exp(-np.euler_gamma)  # of a periodogram of white noise


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The spectrum of frames less than 40 dB below the mean; None in silence.

    brightness_hz: the centroid of the magnitude spectrum from 40 Hz to 10 kHz, mean over frames.
    flatness: the geometric over the arithmetic mean of the power in each octave from 100 to
    6400 Hz, mean in decibels over octaves and frames, relative to white noise: 0 tone, 1 noise.
    percussive_share: the share of the power that median filters over time and frequency assign to
    percussion (Fitzgerald, DAFx 2010), in [0, 1].
    """

    brightness_hz: float | None
    flatness: float | None
    percussive_share: float | None


class SpectrumMeter:
    """Measures mono audio at 22,050 Hz from pieces of any size."""

    def __init__(self) -> None:
        self._blocks = PowerBlocks(_rows, N_FFT, HOP, _BLOCK, self._take)
        self._struck = 0.0
        self._total = 0.0

    def update(self, samples: NDArray[np.float32]) -> None:
        """Take in the next samples, float32 [n]."""
        self._blocks.update(samples)

    def finish(self) -> Spectrum:
        """The spectrum of all samples so far."""
        level, centroid, flatness = self._blocks.finish().T.astype(np.float64)
        mean = level.mean() if len(level) else 0.0
        if mean < _SILENT * N_FFT**2 * 3 / 16:  # |STFT|² of a Hann window, summed over bins
            return Spectrum(None, None, None)
        sounding = level > mean * _QUIET
        flat = np.exp(flatness[sounding].mean()) / _NOISE_FLATNESS
        return Spectrum(
            brightness_hz=float(centroid[sounding].mean()),
            flatness=min(float(flat), 1.0),
            percussive_share=self._struck / self._total if self._total else None,
        )

    def _take(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The curves of a block, whose percussive power is added."""
        mel = np.ascontiguousarray(rows[:, _N_CURVES:].T)
        self._struck += float((mel * percussive_share(mel)).sum(dtype=np.float64))
        self._total += float(mel.sum(dtype=np.float64))
        return rows[:, :_N_CURVES]


def _rows(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power, centroid, flatness and mel bands of each frame, float32 [frames, 3 + 48]."""
    filters = sparse_filterbank(SAMPLE_RATE, N_FFT, _N_MELS, *LIMITS_HZ)
    mel = (filters @ np.ascontiguousarray(power.T)).T
    return np.column_stack([*_centroids(power), _flatness(power), mel])


def _centroids(power: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Power, and centroid of the magnitudes in Hz, each float32 [frames]."""
    first, last = (round(hz * N_FFT / SAMPLE_RATE) for hz in LIMITS_HZ)
    inside = power[:, first : last + 1]
    magnitude = np.sqrt(inside)
    hz = (np.arange(first, last + 1) * SAMPLE_RATE / N_FFT).astype(np.float32)
    return inside.sum(axis=1), (magnitude @ hz) / (magnitude.sum(axis=1) + np.float32(_TINY))


def _flatness(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log of the geometric over the arithmetic mean, mean over octaves, float32 [frames]."""
    bounds = np.ceil(np.array(OCTAVES_HZ) * N_FFT / SAMPLE_RATE).astype(int)
    inside = power[:, bounds[0] : bounds[-1]] + np.float32(_TINY)
    starts, widths = bounds[:-1] - bounds[0], np.diff(bounds).astype(np.float32)
    arithmetic = np.log(np.add.reduceat(inside, starts, axis=1) / widths)
    geometric = np.add.reduceat(np.log(inside), starts, axis=1) / widths
    flatness: NDArray[np.float32] = (geometric - arithmetic).mean(axis=1)
    return flatness
