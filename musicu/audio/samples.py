"""What is made of a decoder's samples before anybody hears them: numbers, one channel, a level."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: Integers of 32 bits that were written as floats reach it. What lies beyond is no sample.
LIMIT = 2.0**31
#: 96 dB over full scale, and over integers of 16 bits that were written as floats. Powers of what
#: is louder would not fit float32.
LOUDEST = 2.0**16

Samples = NDArray[np.float32]


def finite(values: Samples) -> Samples:
    """The same values, of any shape, with 0 for NaN, infinities and what is beyond `LIMIT`."""
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.dot(flat, flat) <= LIMIT**2:  # no sum of squares is, where one of them is not
            return values
        return np.where(np.abs(values) <= LIMIT, values, np.float32(0.0))


def mono(frames: Samples) -> Samples:
    """The mean of the channels, float32 [n] of [n, channels], with 0 for what is no sample."""
    with np.errstate(over="ignore", invalid="ignore"):  # infinities of both signs
        mixed = _mean_of_channels(frames)
        if np.dot(mixed, mixed) <= LIMIT**2:
            return mixed
    return _mean_of_channels(finite(frames))


def in_range(samples: Samples) -> Samples:
    """Brought down to full scale by a power of two where they are beyond `LOUDEST`."""
    peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
    if peak <= LOUDEST:
        return samples
    quiet: Samples = samples * np.float32(2.0 ** -math.ceil(math.log2(peak)))
    return quiet


def _mean_of_channels(frames: Samples) -> Samples:
    """Channel by channel, over their number: NumPy means over short rows take ten times as long."""
    if frames.shape[1] == 1:
        return frames[:, 0]
    mixed = frames[:, 0] + frames[:, 1]
    for channel in range(2, frames.shape[1]):
        mixed += frames[:, channel]
    mixed /= np.float32(frames.shape[1])
    return mixed
