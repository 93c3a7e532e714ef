"""Mel bands and the window of short-time spectra, in NumPy and SciPy."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_BREAK_HZ = 1000.0  # Slaney's mel scale is linear below, logarithmic above
_MELS_PER_HZ = 3.0 / 200.0
_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequency in Hz to Slaney's mel scale (Auditory Toolbox, 1998)."""
    log_part = np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    mels: NDArray[np.float64] = np.minimum(hz, _BREAK_HZ) * _MELS_PER_HZ + log_part
    return mels


def mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale to frequency in Hz; the inverse of `hz_to_mel`."""
    break_mel = _BREAK_HZ * _MELS_PER_HZ
    growth = np.exp(_LOG_STEP * np.maximum(mels - break_mel, 0.0))
    hz: NDArray[np.float64] = np.minimum(mels, break_mel) / _MELS_PER_HZ * growth
    return hz


@lru_cache(maxsize=16)
def mel_filterbank(
    sample_rate: int, n_fft: int, n_mels: int, low_hz: float, high_hz: float
) -> NDArray[np.float32]:
    """Triangular mel filters of equal area, float32 [n_mels, n_fft // 2 + 1].

    The same numbers as librosa's `filters.mel` and torchaudio's `melscale_fbanks` with
    `mel_scale="slaney", norm="slaney"`.
    """
    bins = np.linspace(0.0, sample_rate / 2, n_fft // 2 + 1)
    limits = hz_to_mel(np.array([low_hz, high_hz], dtype=np.float64))
    edges = mel_to_hz(np.linspace(limits[0], limits[1], n_mels + 2))
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    weights = (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    weights.flags.writeable = False
    return weights


@lru_cache(maxsize=16)
def sparse_filterbank(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    low_hz: float,
    high_hz: float,
    bins: int | None = None,
) -> sparse.csr_matrix:
    """The same filters, sparse, of the lowest `bins`: csr float32 [n_mels, bins].

    A sparse product is used and not BLAS, whose sums may depend on the number of threads.
    """
    return sparse.csr_matrix(mel_filterbank(sample_rate, n_fft, n_mels, low_hz, high_hz)[:, :bins])


@lru_cache(maxsize=16)
def hann(n: int) -> NDArray[np.float32]:
    """A periodic Hann window, float32 [n]."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)
    window.flags.writeable = False
    return window
