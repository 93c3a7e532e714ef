"""What a recording looks like over time: wave, loudness, beats, pitch classes, mel bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from musicu.features.blocks import PowerBlocks
from musicu.features.describing import DescriptorExtractor, extract_descriptors
from musicu.features.descriptors import Descriptors
from musicu.features.loudness import STEPS_PER_SECOND, lufs, sliding_powers
from musicu.features.mel import sparse_filterbank
from musicu.features.mono import SAMPLE_RATE
from musicu.features.recording_stream import Recording, open_recording
from musicu.features.tuning import chroma

COLUMNS = 2400  # at most, to a curve or a picture
N_MELS = 80
MEL_LIMITS_HZ = (40.0, 10_000.0)
_N_FFT, _HOP, _BLOCK = 2048, 1024, 646  # 30 s of frames
_WAVE_STEP = 220  # samples whose lowest and highest are kept, 10 ms
_SHORT_TERM = 3 * STEPS_PER_SECOND
_CALM = 5  # frames of pitch classes, a second: chords show, not every note
_RANGE_DB = 70.0  # of the mel bands, under the loudest


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A recording over time; each curve spans all of it, in at most 2400 columns.

    wave: float32 [2, columns], lowest and highest sample of the mono mix.
    loudness: float32 [points, 2], seconds (the middle of the 3 s) and short-term LUFS; empty
    under 3 s.
    chroma: float32 [12, columns], C first, in the recording's own tuning, 0 to 1 in each column.
    mel: float32 [80, columns], the lowest band first, decibels: 0 the loudest to -70.
    """

    descriptors: Descriptors
    wave: NDArray[np.float32]
    loudness: NDArray[np.float32]
    chroma: NDArray[np.float32]
    mel: NDArray[np.float32]


def picture_of(recording: Recording, sample_rate: int | None = None) -> Picture:
    """A recording as it looks over time, with its descriptors; heard once.

    Takes and raises what `musicu.features.describe` does.
    """
    with open_recording(recording, sample_rate) as heard:
        extractor = _Sketcher(heard.sample_rate, heard.channels)
        return extractor.picture(extract_descriptors(heard, extractor))


class _Sketcher(DescriptorExtractor):
    """Reads what a `DescriptorExtractor` reads, and keeps what it looks like over time."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        super().__init__(sample_rate, channels)
        self._blocks = PowerBlocks(_mel, _N_FFT, _HOP, _BLOCK)
        self._extremes: list[NDArray[np.float32]] = []
        self._rest = np.empty(0, np.float32)

    def update_mono(self, mono: NDArray[np.float32]) -> None:
        super().update_mono(mono)
        self._blocks.update(mono)
        self._rest = np.concatenate([self._rest, mono])
        whole = len(self._rest) // _WAVE_STEP * _WAVE_STEP
        steps = self._rest[:whole].reshape(-1, _WAVE_STEP)
        if whole:
            self._extremes.append(np.stack([steps.min(axis=1), steps.max(axis=1)]))
        self._rest = self._rest[whole:]

    def picture(self, found: Descriptors) -> Picture:
        """The picture, once the recording is heard and described."""
        mel = _columns(self._blocks.finish(), "mean").T
        loudest = max(float(mel.max()), 1e-10)
        decibels = 10.0 * np.log10(np.maximum(mel / loudest, 10.0 ** (-_RANGE_DB / 10.0)))
        low, high = np.concatenate([*self._extremes, np.zeros((2, 1), np.float32)], axis=1)
        wave = np.stack([_columns(low[:, None], "min"), _columns(high[:, None], "max")])[..., 0]
        return Picture(found, wave, _short_term(self.powers), self._pitch_classes(found), decibels)

    def _pitch_classes(self, found: Descriptors) -> NDArray[np.float32]:
        fine = self.fine_pitches
        folded = chroma(fine, found.tuning_cents or 0.0).sum(axis=1)
        folded = ndimage.uniform_filter1d(folded, _CALM, axis=0, mode="nearest")
        columns = _columns(folded.astype(np.float32), "mean").T
        shares: NDArray[np.float32] = columns / np.maximum(columns.max(axis=0), 1e-3)
        return shares


def _mel(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power in mel bands, float32 [frames, 80]."""
    filters = sparse_filterbank(SAMPLE_RATE, _N_FFT, N_MELS, *MEL_LIMITS_HZ)
    bands: NDArray[np.float32] = (filters @ np.ascontiguousarray(power.T)).T
    return bands


def _short_term(powers: NDArray[np.float64]) -> NDArray[np.float32]:
    """Seconds and LUFS, float32 [points, 2]."""
    curve = lufs(sliding_powers(powers, _SHORT_TERM))
    stride = max(1, -(-len(curve) // COLUMNS))
    seconds = (np.arange(len(curve)) + _SHORT_TERM / 2) / STEPS_PER_SECOND
    return np.stack([seconds, curve], axis=1)[::stride].astype(np.float32)


def _columns(frames: NDArray[np.float32], how: str) -> NDArray[np.float32]:
    """At most 2400 rows from rows [frames, n], each the mean, min or max of its neighbours."""
    if len(frames) <= COLUMNS:
        return frames
    starts = np.arange(COLUMNS) * len(frames) // COLUMNS
    if how == "mean":
        counts = np.diff([*starts, len(frames)])[:, None].astype(np.float32)
        return np.asarray(np.add.reduceat(frames, starts, axis=0) / counts, np.float32)
    reduce = np.minimum if how == "min" else np.maximum
    return np.asarray(reduce.reduceat(frames, starts, axis=0), np.float32)
