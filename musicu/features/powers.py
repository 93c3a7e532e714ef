"""Power spectra of a recording's windows, and their sums over bands."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

from musicu.features.mel import hann, mel_filterbank
from musicu.records import Audio

SAMPLE_RATE = 22050
N_FFT = 2048
HOP = 512
N_BINS = 726  # up to 7,806 Hz, the highest frequency used here
N_MELS = 48
MEL_LIMITS = (40.0, 7800.0)  # above, low-rate codecs synthesise
LOWEST_NOTE = 52  # MIDI: E3, 165 Hz; below it a bin is wider than a semitone
N_NOTES = 48
OCTAVES_HZ = (40.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 5000.0, 7800.0)
N_OCTAVES = len(OCTAVES_HZ) - 1
TINY = np.float32(1e-18)  # of power; far below a 24-bit recording's last bit
_TOGETHER = 32  # frames transformed at once: intermediate results stay in the processor's cache

Columns = NDArray[np.float32]


def spectrograms(audio: Audio) -> Iterator[Columns]:
    """The power spectrogram of each window at 22,050 Hz, float32 [726 bins, frames].

    Frames are 93 ms long with a periodic Hann window, 43 a second, and lie wholly inside their
    window; one that is shorter than a frame is padded with zeros.
    """
    windows = [window for window in audio.windows() if len(window)]
    return map(_power, windows or [np.zeros(N_FFT, np.float32)])


def white_power(audio: Audio, decibels: float) -> float:
    """What white noise, so many decibels over the recording's mean square, adds to each bin."""
    mean = float(np.square(audio.samples).mean(dtype=np.float64))
    taper = float(np.sum(hann(N_FFT).astype(np.float64) ** 2))
    power: float = taper * mean * 10.0 ** (decibels / 10.0)
    return power


def _power(samples: NDArray[np.float32]) -> Columns:
    if len(samples) < N_FFT:
        samples = np.pad(samples, (0, N_FFT - len(samples)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP]
    power = np.empty((N_BINS, len(frames)), np.float32)
    tapered = np.empty((_TOGETHER, N_FFT), np.float32)
    for start in range(0, len(frames), _TOGETHER):
        some = slice(start, min(start + _TOGETHER, len(frames)))
        taken = np.multiply(frames[some], hann(N_FFT), out=tapered[: some.stop - start])
        # transformed along the first axis, so that the result lies bin by bin
        squares = fft.rfft(taken.T, axis=0)[:N_BINS].view(np.float32)
        np.square(squares, out=squares)
        np.add(squares[:, ::2], squares[:, 1::2], out=power[:, some])
    return power


class Sums(NamedTuple):
    """Band sums of a window's power spectrogram, each float32 [rows, frames].

    bands: 48 mel bands, 48 notes (semitones upwards from E3), and the mean of 8 octave bands.
    peaks: the greatest of each octave band. logs: the mean of its natural logarithms.
    """

    bands: NDArray[np.float32]
    peaks: NDArray[np.float32]
    logs: NDArray[np.float32]


def sum_up(power: Columns) -> Sums:
    """The band sums of one window's power spectrogram."""
    peaks, logs = (np.empty((N_OCTAVES, power.shape[1]), np.float32) for _ in range(2))
    for octave, (low, high) in enumerate(pairwise(_octave_bounds())):
        inside = power[low:high]
        inside.max(axis=0, out=peaks[octave])
        logs[octave] = _sum_of_logs(inside) / np.float32(high - low)
    # a sparse product and not BLAS, whose sums may depend on the number of threads
    return Sums(_bands() @ power, peaks, logs)


def _sum_of_logs(power: Columns) -> NDArray[np.float32]:
    """The sum of natural logarithms over the bins, float32 [frames]."""
    floored = power + TINY
    even = len(floored) & ~1
    sums = np.log(floored[:even:2] * floored[1:even:2]).sum(axis=0)  # half the logarithms
    if even < len(floored):
        sums += np.log(floored[-1])
    return np.asarray(sums)


@lru_cache(maxsize=1)
def _octave_bounds() -> list[int]:
    """The bins at which the octaves begin, and the end of the last."""
    return [int(bound) for bound in np.ceil(np.array(OCTAVES_HZ) * N_FFT / SAMPLE_RATE)]


@lru_cache(maxsize=1)
def _bands() -> sparse.csr_matrix:
    mel = mel_filterbank(SAMPLE_RATE, N_FFT, N_MELS, *MEL_LIMITS)[:, :N_BINS]
    octaves = np.zeros((N_OCTAVES, N_BINS), np.float32)
    bounds = _octave_bounds()
    for row, (low, high) in zip(octaves, pairwise(bounds), strict=True):
        row[low:high] = 1.0 / (high - low)
    return sparse.csr_matrix(np.concatenate([mel, _bells(), octaves]))


def _bells() -> NDArray[np.float32]:
    """Bell-shaped filters a third of a semitone wide, or half a bin where that is wider."""
    bins = np.arange(N_BINS) * SAMPLE_RATE / N_FFT
    notes = 440.0 * 2.0 ** ((np.arange(LOWEST_NOTE, LOWEST_NOTE + N_NOTES) - 69) / 12.0)
    width = np.maximum(notes * (2.0 ** (0.35 / 12.0) - 1.0), 0.5 * SAMPLE_RATE / N_FFT)
    bells = np.exp(-0.5 * ((bins - notes[:, None]) / width[:, None]) ** 2)
    return np.where(bells > 1e-3, bells, 0.0).astype(np.float32)
