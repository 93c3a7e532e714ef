"""Sanitising decoded samples: finite values, one channel, a bounded level."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: 32-bit integers stored as floats reach this value. Anything beyond is not a sample.
LIMIT = 2.0**31
#: 96 dB over full scale, and above 16-bit integers stored as floats. Squares of louder samples
#: would overflow float32.
LOUDEST = 2.0**16

Samples = NDArray[np.float32]


def finite(values: Samples) -> Samples:
    """Values of any shape, with 0 for NaN, infinities and values beyond `LIMIT`."""
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.dot(flat, flat) <= LIMIT**2:  # false where any value is not finite
            return values
        return np.where(np.abs(values) <= LIMIT, values, np.float32(0.0))


def mono(frames: Samples) -> Samples:
    """The mean of the channels, float32 [n] of [n, channels]; invalid values count as 0."""
    with np.errstate(over="ignore", invalid="ignore"):  # infinities of both signs
        mixed = _mean_of_channels(frames)
        if np.dot(mixed, mixed) <= LIMIT**2:
            return mixed
    return _mean_of_channels(finite(frames))


def in_range(samples: Samples) -> Samples:
    """Samples scaled to full scale by a power of two where they exceed `LOUDEST`."""
    peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
    if peak <= LOUDEST:
        return samples
    quiet: Samples = samples * np.float32(2.0 ** -math.ceil(math.log2(peak)))
    return quiet


def _mean_of_channels(frames: Samples) -> Samples:
    """The mean, channel by channel: a NumPy mean over short rows takes ten times as long."""
    if frames.shape[1] == 1:
        return frames[:, 0]
    mixed = frames[:, 0] + frames[:, 1]
    for channel in range(2, frames.shape[1]):
        mixed += frames[:, channel]
    mixed /= np.float32(frames.shape[1])
    return mixed
