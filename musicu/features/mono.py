"""Streaming downmix and resampling to mono at 22,050 Hz."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

SAMPLE_RATE = 22_050
_CANCELLED = 0.01  # of the channels' mean power: 20 dB below it the channels cancel


class MonoMixer:
    """Mixes channels down and resamples to 22,050 Hz.

    Where the mean of a block is more than 20 dB below its channels (one of them is inverted), the
    loudest channel is used instead.
    """

    def __init__(self, sample_rate: int) -> None:
        self._resampler = (
            soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
            if sample_rate != SAMPLE_RATE
            else None
        )

    def mix(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples at 22,050 Hz, float32 [m], of finite samples float32 [channels, n]."""
        mono = _average(planes)
        return mono if self._resampler is None else self._resample(mono, last=False)

    def finish(self) -> NDArray[np.float32]:
        """The samples left in the resampler, float32 [m]."""
        rest = np.empty(0, np.float32)
        return rest if self._resampler is None else self._resample(rest, last=True)

    def _resample(self, mono: NDArray[np.float32], last: bool) -> NDArray[np.float32]:
        assert self._resampler is not None
        resampled: NDArray[np.float32] = self._resampler.resample_chunk(mono, last=last)
        return resampled


def _average(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(planes) == 1:
        return np.asarray(planes[0])
    if len(planes) == 2:  # a mean over an axis of two takes twice as long
        mono: NDArray[np.float32] = (planes[0] + planes[1]) * np.float32(0.5)
    else:
        mono = planes.mean(axis=0, dtype=np.float32)
    powers = [float(np.dot(plane, plane)) for plane in planes]
    if float(np.dot(mono, mono)) < _CANCELLED * sum(powers) / len(powers):
        return np.asarray(planes[int(np.argmax(powers))])
    return mono
