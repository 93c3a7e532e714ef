"""Any channels at any rate as one mono signal at 22,050 Hz, block by block."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

SAMPLE_RATE = 22_050
_CANCELLED = 0.01  # of the channels' mean power: 20 dB under it the mix has lost the music


class MonoMixer:
    """Averages channels and resamples; channels that cancel each other are not averaged.

    Where the average of a block is more than 20 dB under its channels (one of them is inverted),
    the loudest channel speaks for all.
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
        """What the resampler still holds, float32 [m]."""
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
