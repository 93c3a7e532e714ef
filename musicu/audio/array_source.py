"""Sound in memory, as files are read."""

from __future__ import annotations

from typing import Any

import numpy as np

from musicu.audio.samples import Samples
from musicu.errors import AudioError

_MOST_CHANNELS = 64


class ArraySource:
    """An array of samples as an `AudioSource`."""

    promised = True
    cut = False

    def __init__(self, samples: Any, sample_rate: float) -> None:
        """Take samples [n], [n, channels] or [channels, n]: see `frames_of`."""
        self._frames = frames_of(samples)
        self.sample_rate = whole_rate(sample_rate)
        self.frames, self.channels = self._frames.shape
        self._at = 0

    def seek(self, frame: int) -> bool:
        """Go to a frame."""
        self._at = frame
        return True

    def read(self, frames: int) -> Samples:
        """The next frames, float32 [n, channels]."""
        start, self._at = self._at, self._at + frames
        return self._frames[start : self._at]

    def close(self) -> None:
        """Nothing is open."""


def frames_of(samples: Any) -> Samples:
    """Samples as float32 [n, channels]; the longer axis is time, as no recording is so short.

    Whole numbers are scaled to [-1, 1) by the range of their type. Raises AudioError where the
    array is empty, or of another shape or type.
    """
    array = np.asarray(samples)
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or not array.size:
        raise AudioError(
            f"samples of the shape {array.shape} and type {array.dtype}: give an array of numbers, "
            "[n] or [n, channels], that is not empty"
        )
    if array.ndim == 2 and array.shape[1] > array.shape[0]:
        array = array.T
    frames = array[:, None] if array.ndim == 1 else array
    if frames.shape[1] > _MOST_CHANNELS:
        raise AudioError(f"samples of the shape {np.shape(samples)}: neither axis is of channels")
    if array.dtype.kind in "iu":
        half = 2.0 ** (8 * array.dtype.itemsize - 1)
        frames = (frames - (half if array.dtype.kind == "u" else 0.0)) / half
    return np.ascontiguousarray(frames, np.float32)


def whole_rate(sample_rate: Any) -> int:
    """A sample rate in Hz; raises AudioError where it is none."""
    number = isinstance(sample_rate, int | float | np.number) and not isinstance(sample_rate, bool)
    if not number or not sample_rate >= 1 or sample_rate != int(sample_rate):
        raise AudioError(f"sample_rate is {sample_rate!r}: give it in Hz, such as 44100")
    return int(sample_rate)
