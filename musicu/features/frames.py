"""Short-time spectra of a recording, normalised by its level: the input of every statistic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from musicu.features.powers import (
    HOP,
    N_FFT,
    N_MELS,
    N_NOTES,
    N_OCTAVES,
    SAMPLE_RATE,
    TINY,
    Sums,
    spectrograms,
    sum_up,
)
from musicu.records import Audio

FRAME_RATE = SAMPLE_RATE / HOP
N_CEPSTRA = 20
FLOOR = -6.0  # 60 dB below the recording's mean power: anything lower is codec noise
QUIET = -4.0  # frames 40 dB below it do not count for timbre
PER_DECADE = np.float32(1.0 / np.log(10.0))  # NumPy's log10 is slow
_TINY = 1e-20  # of mean power; digital silence lies under it


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """Spectral frames of one or more windows; logarithms are to base 10, relative to the recording.

    Every field is float32 [numbers, frames], so that operations along time are fast.

    power: 48 mel bands, the recording's mean being 1. mel: their logarithms.
    cepstra: 20, of `mel`.
    salience: how far each of 48 semitones from E3 up exceeds its neighbours, at least 0.
    flatness, peak: the log of the geometric mean and of the maximum over the arithmetic mean, in
    eight bands of about an octave.
    loudness: one row.
    """

    power: NDArray[np.float32]
    mel: NDArray[np.float32]
    cepstra: NDArray[np.float32]
    salience: NDArray[np.float32]
    flatness: NDArray[np.float32]
    peak: NDArray[np.float32]
    loudness: NDArray[np.float32]

    def at(self, frames: slice | NDArray[np.bool_]) -> Spectra:
        """Some of the frames."""
        return Spectra(*(getattr(self, field.name)[:, frames] for field in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """A recording's frames, window after window; no frame spans two windows.

    edges: where in `whole` the windows begin, and the end.
    active: the frames less than 40 dB below the recording's mean.
    """

    audio: Audio
    edges: tuple[int, ...]
    whole: Spectra
    active: Spectra

    def windows(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Views [..., frames of a window] of values [..., frames], one per window."""
        return [values[..., a:b] for a, b in pairwise(self.edges)]

    def changes(self, values: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
        """value(t + lag) - value(t) inside each window, float32 [rows, ...].

        One column of zeros where no window is long enough.
        """
        windows = [w for w in self.windows(values) if w.shape[1] > lag]
        if not windows:
            return np.zeros((len(values), 1), np.float32)
        changes = np.empty((len(values), sum(w.shape[1] - lag for w in windows)), np.float32)
        done = 0
        for window in windows:
            stop = done + window.shape[1] - lag
            np.subtract(window[:, lag:], window[:, :-lag], out=changes[:, done:stop])
            done = stop
        return changes


def read_frames(audio: Audio, sums: Sequence[Sums] | None = None) -> Frames:
    """The frames of a recording at 22,050 Hz.

    sums: of each of its `spectrograms`, where they were computed already. The mean power is scaled
    to 1, so that the level has no influence. Digital silence becomes three seconds of a flat
    spectrum.
    """
    windows = sums or [sum_up(power) for power in spectrograms(audio)]
    together = Sums(*(np.concatenate(parts, axis=1) for parts in zip(*windows, strict=True)))
    edges = np.cumsum([0, *(window.bands.shape[1] for window in windows)]).tolist()
    mean = float(together.bands[:N_MELS].mean(dtype=np.float64))
    if mean <= _TINY:
        together, mean = _flat(), 1.0
        edges = [0, together.bands.shape[1]]
    whole = _relative(together, np.float32(1.0 / mean))
    sounding = whole.loudness[0] > QUIET
    return Frames(audio, tuple(edges), whole, whole if sounding.all() else whole.at(sounding))


def _flat() -> Sums:
    """Three seconds of a flat spectrum."""
    count = (3 * SAMPLE_RATE - N_FFT) // HOP + 1
    bands = np.ones((N_MELS + N_NOTES + N_OCTAVES, count), np.float32)
    return Sums(bands, np.ones((N_OCTAVES, count), np.float32), np.zeros_like(bands[:N_OCTAVES]))


def _relative(sums: Sums, scale: np.float32) -> Spectra:
    """Sums as logarithms relative to the recording's mean."""
    notes, octaves = N_MELS, N_MELS + N_NOTES
    power = np.maximum(sums.bands[:octaves] * scale, np.float32(10.0**FLOOR))
    logs, means = _log10(power), _log10(sums.bands[octaves:] + TINY)
    return Spectra(
        power=power[:notes],
        mel=logs[:notes],
        cepstra=cepstra(logs[:notes]),
        salience=note_salience(logs[notes:]),
        flatness=np.maximum(sums.logs * PER_DECADE - means, np.float32(-4.0)),
        peak=_log10(sums.peaks + TINY) - means,
        loudness=_log10(power[:notes].mean(axis=0, keepdims=True)),
    )


def _log10(values: NDArray[np.float32]) -> NDArray[np.float32]:
    logs: NDArray[np.float32] = np.log(values)
    logs *= PER_DECADE
    return logs


def cepstra(mel: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Mel-frequency cepstral coefficients of log10 mel powers [48, frames], float32 [20, frames].

    librosa's are these times 10, with power in decibels.
    """
    coefficients = fft.dct(mel.astype(np.float32, copy=False), axis=0, norm="ortho")
    return np.asarray(coefficients[:N_CEPSTRA])


def note_salience(notes: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far log10 powers of notes exceed the mean of the five around, float32 [48, frames]."""
    padded = np.concatenate([notes[1::-1], notes, notes[:-3:-1]])
    around = padded[:-4] + padded[1:-3]
    for start in (2, 3, 4):
        around += padded[start : start + len(notes)]
    around *= np.float32(-0.2)
    around += notes
    salience: NDArray[np.float32] = np.maximum(around, 0.0, out=around)
    return salience
