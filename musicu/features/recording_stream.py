"""A recording in any form (file, `Audio` or samples) as a stream of blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.audio import AudioSource, is_short, open_source
from musicu.audio.array_source import frames_of, whole_rate
from musicu.audio.samples import finite
from musicu.errors import AudioError
from musicu.features.loudness import MIN_SAMPLE_RATE
from musicu.features.mono import MonoMixer
from musicu.records import Audio

BLOCK_FRAMES = 65536

#: A file, a whole `Audio`, or samples [n] or [n, channels], which need their rate.
Recording = str | Path | Audio | NDArray[np.floating[Any]]


@dataclass(slots=True)
class RecordingStream:
    """An open recording, to be read once.

    complete: False where something is missing; known after the last block.
    """

    sample_rate: int
    channels: int
    blocks: Iterator[NDArray[np.float32]]
    complete: bool = True

    def planes(self) -> Iterator[NDArray[np.float32]]:
        """The samples, float32 [channels, n] at a time; NaN and infinities become 0."""
        for block in self.blocks:
            yield finite(np.ascontiguousarray(block.T))

    def mono(self) -> Iterator[NDArray[np.float32]]:
        """The mono mix at 22,050 Hz, float32 [n] at a time."""
        mixer = MonoMixer(self.sample_rate)
        for planes in self.planes():
            yield mixer.mix(planes)
        yield mixer.finish()


@contextmanager
def open_recording(
    recording: Recording, sample_rate: int | None = None
) -> Iterator[RecordingStream]:
    """Open a recording as a stream.

    sample_rate: of samples, in Hz. Files are read in their own channels and rate; an `Audio` is
    mono. Raises AudioError where a file cannot be read or the sample rate is under 8 kHz, and for
    an `Audio` of several windows or samples without a rate.
    """
    if isinstance(recording, str | Path):
        with open_recording_file(recording) as opened:
            _checked(opened.sample_rate)
            yield opened
        return
    if isinstance(recording, Audio):
        if len(recording.edges) > 2:
            raise AudioError("describe needs whole recordings: read the audio without windows")
        blocks = _cut(recording.samples[:, None])
        yield RecordingStream(_checked(recording.sample_rate), 1, blocks, recording.complete)
        return
    if sample_rate is None:
        raise AudioError("samples need their sample_rate in Hz")
    samples = frames_of(recording)
    yield RecordingStream(_checked(whole_rate(sample_rate)), samples.shape[1], _cut(samples))


@contextmanager
def open_recording_file(path: str | Path) -> Iterator[RecordingStream]:
    """Open a file as a stream, whatever its rate. Raises AudioError where it cannot be read."""
    with open_source(path) as source:
        opened = RecordingStream(source.sample_rate, source.channels, iter(()))
        opened.blocks = _read(source, opened)
        yield opened


def _checked(sample_rate: int) -> int:
    if sample_rate < MIN_SAMPLE_RATE:
        raise AudioError(
            f"a sample rate of {sample_rate} Hz; at least {MIN_SAMPLE_RATE} are needed"
        )
    return sample_rate


def _read(source: AudioSource, opened: RecordingStream) -> Iterator[NDArray[np.float32]]:
    frames = 0
    while len(block := source.read(BLOCK_FRAMES)):
        frames += len(block)
        yield block
    opened.complete = not source.cut and not is_short(source, frames / source.sample_rate)


def _cut(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    return (samples[at : at + BLOCK_FRAMES] for at in range(0, len(samples), BLOCK_FRAMES))
