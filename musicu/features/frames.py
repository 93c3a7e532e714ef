"""What every statistic starts from: short-time spectra of a recording, freed of its level."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from musicu.features.mel import mel_filterbank, power_spectrogram
from musicu.records import Audio

SAMPLE_RATE = 22050
N_FFT = 2048
HOP = 512
FRAME_RATE = SAMPLE_RATE / HOP
N_BINS = 726  # up to 7,806 Hz: nothing here hears further
N_MELS = 48
MEL_LIMITS = (40.0, 7800.0)  # above, low-rate codecs invent
LOWEST_NOTE = 52  # MIDI: E3, 165 Hz; below it a bin is wider than a semitone
N_NOTES = 48
OCTAVES_HZ = (40.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 5000.0, 7800.0)
FLOOR = -6.0  # 60 dB under the recording's mean power: what lies deeper is the codec's
QUIET = -4.0  # frames 40 dB under it say nothing of the timbre
_PER_DECADE = np.float32(1.0 / np.log(10.0))
_TINY = 1e-20  # of power; far below a 24-bit recording's last bit


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """The frames of one window; logarithms are to base 10, of power relative to the recording's.

    mel: float32 [frames, 48]; notes: float32 [frames, 48], semitones upwards from E3.
    flatness, peak: float32 [frames, 8], the log of the geometric mean and of the maximum over
    the arithmetic mean, in eight bands of about an octave.
    loudness: float32 [frames].
    """

    mel: NDArray[np.float32]
    notes: NDArray[np.float32]
    flatness: NDArray[np.float32]
    peak: NDArray[np.float32]
    loudness: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """A recording's frames: one `Spectra` per window; no frame straddles two windows."""

    audio: Audio
    windows: tuple[Spectra, ...]

    def whole(self, name: str) -> NDArray[np.float32]:
        """One field of all windows end to end."""
        return np.concatenate([getattr(window, name) for window in self.windows])

    def active(self, name: str) -> NDArray[np.float32]:
        """One field of the frames that sound: less than 40 dB below the recording's mean."""
        sounding = self.whole("loudness") > QUIET
        return self.whole(name)[sounding]


def spectrograms(audio: Audio) -> list[NDArray[np.float32]]:
    """Power of every window of a recording at 22,050 Hz, each float32 [frames, 726].

    Frames are 93 ms long, 43 a second, and lie wholly inside their window.
    """
    windows = [window for window in audio.windows() if len(window)]
    return [_inner_power(window) for window in windows or [np.zeros(N_FFT, np.float32)]]


def read_frames(audio: Audio, powers: list[NDArray[np.float32]] | None = None) -> Frames:
    """The frames of a recording at 22,050 Hz, from its `spectrograms` where they are at hand.

    The mean power of the recording is 1 afterwards, so that its level has no influence. Digital
    silence becomes three seconds of a flat spectrum.
    """
    reduced = [_reduced(power) for power in powers or spectrograms(audio)]
    mean = np.concatenate([mel for mel, *_ in reduced]).mean(dtype=np.float64)
    scale = np.float32(1.0 / max(float(mean), _TINY))
    silent = float(mean) <= _TINY
    if silent:
        reduced = [_reduced(_inner_power(np.zeros(3 * SAMPLE_RATE, np.float32)))]
    return Frames(audio, tuple(_relative(powers, scale, silent) for powers in reduced))


_Powers = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def _inner_power(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power of the frames that lie wholly inside a window, float32 [frames, 726]."""
    if len(samples) < N_FFT:
        samples = np.pad(samples, (0, N_FFT - len(samples)))
    edge = N_FFT // 2 // HOP
    # centred frames at both ends see the padding: only those wholly inside are kept
    inside = slice(edge, (len(samples) - N_FFT // 2) // HOP + 1)
    return power_spectrogram(samples, N_FFT, HOP, N_BINS)[inside]


def _reduced(power: NDArray[np.float32]) -> _Powers:
    """Mel and note power, and flatness and peak of the octave bands, of one window."""
    columns = np.ascontiguousarray(power.T)
    # sparse products and not BLAS, whose sums may depend on the number of threads
    mel, notes = ((weights @ columns).T for weights in (_mel_weights(), _note_weights()))
    return mel, notes, *_octaves(power)


def _octaves(power: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Flatness and peak of the octave bands, float32 [frames, 8] each."""
    bounds = np.ceil(np.array(OCTAVES_HZ) * N_FFT / SAMPLE_RATE).astype(int)
    power = power[:, : bounds[-1]] + np.float32(_TINY)
    widths = np.diff(bounds).astype(np.float32)
    mean = np.log10(np.add.reduceat(power, bounds[:-1], axis=1) / widths)
    peak = np.log10(np.maximum.reduceat(power, bounds[:-1], axis=1)) - mean
    logs = np.log(power)  # NumPy has no quick log10
    flatness = np.add.reduceat(logs, bounds[:-1], axis=1) * _PER_DECADE / widths - mean
    return np.maximum(flatness, np.float32(-4.0)), peak


def _relative(powers: _Powers, scale: np.float32, silent: bool) -> Spectra:
    """Powers of a window as logarithms relative to the recording's mean."""
    mel, notes, flatness, peak = powers
    if silent:
        mel, notes, scale = np.ones_like(mel), np.ones_like(notes), np.float32(1.0)
    floor = np.float32(10.0**FLOOR)
    mel = np.maximum(mel * scale, floor)
    notes = np.log10(np.maximum(notes * scale, floor))
    return Spectra(np.log10(mel), notes, flatness, peak, np.log10(mel.mean(axis=1)))


@lru_cache(maxsize=1)
def _mel_weights() -> sparse.csr_matrix:
    return sparse.csr_matrix(mel_filterbank(SAMPLE_RATE, N_FFT, N_MELS, *MEL_LIMITS)[:, :N_BINS])


@lru_cache(maxsize=1)
def _note_weights() -> sparse.csr_matrix:
    """Bell-shaped filters a third of a semitone wide, or half a bin where that is wider."""
    bins = np.arange(N_BINS) * SAMPLE_RATE / N_FFT
    notes = 440.0 * 2.0 ** ((np.arange(LOWEST_NOTE, LOWEST_NOTE + N_NOTES) - 69) / 12.0)
    width = np.maximum(notes * (2.0 ** (0.35 / 12.0) - 1.0), 0.5 * SAMPLE_RATE / N_FFT)
    bells = np.exp(-0.5 * ((bins - notes[:, None]) / width[:, None]) ** 2)
    return sparse.csr_matrix(np.where(bells > 1e-3, bells, 0.0).astype(np.float32))
