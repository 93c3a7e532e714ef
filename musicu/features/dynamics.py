"""Loud and soft, whatever the level as a whole; and the share of percussion.

Harmonic and percussive parts by median filters after Fitzgerald, "Harmonic/percussive separation
using median filtering" (DAFx 2010), here on mel bands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from musicu.features.frames import FRAME_RATE, QUIET, Frames
from musicu.features.timbre import Statistics

_SECOND = round(FRAME_RATE)
_GROUPS = 6


def dynamics(frames: Frames) -> Statistics:
    """Quantiles, spread and steps of loudness, in factors of ten of power; slow and fast."""
    loudness = frames.whole("loudness").astype(np.float64)
    steps = [np.abs(np.diff(w.loudness)) for w in frames.windows if len(w.loudness) > 1]
    shares = [(loudness < limit).mean() for limit in (-0.3, -1.0, QUIET)]
    step = np.concatenate(steps).mean(dtype=np.float64) if steps else 0.0
    quantiles = np.quantile(loudness, (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98))
    slow = [ndimage.uniform_filter1d(w.loudness, _SECOND)[::_SECOND] for w in frames.windows]
    return {
        "loudness": np.array([*quantiles, loudness.std(), step, *shares]),
        "slow_loudness": np.array([np.concatenate(slow).std(), np.mean([s.std() for s in slow])]),
    }


def percussion(frames: Frames) -> Statistics:
    """The percussive share of the power in six groups of bands, each in [0, 1]."""
    total = np.zeros(_GROUPS)
    struck = np.zeros(_GROUPS)
    for window in frames.windows:
        power = 10.0**window.mel
        share = percussive_share(power)
        total += _by_group(power)
        struck += _by_group(power * share)
    return {"percussion": struck / (total + 1e-9)}


def percussive_share(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """A soft mask in [0, 1], float32 like `power` [frames, bands]."""
    struck = running_median(power, 9, axis=1) ** 2
    held = running_median(power, 17, axis=0) ** 2
    mask: NDArray[np.float32] = struck / (struck + held + np.float32(1e-18))
    return mask


def running_median(values: NDArray[np.float32], width: int, axis: int) -> NDArray[np.float32]:
    """Medians of an odd number of neighbours, at the ends with the values mirrored.

    The numbers of `scipy.ndimage.median_filter`, in a third of the time: whole tables are
    compared at once. Of what is held the least and the greatest cannot be the median; they are
    dropped and the next table is taken in, until one is left.
    """
    pad = [(0, 0), (0, 0)]
    pad[axis] = (width // 2, width // 2)
    padded = np.pad(values, pad, mode="symmetric")
    views = np.lib.stride_tricks.sliding_window_view(padded, width, axis=axis)
    waiting = [views[..., i] for i in range(width)]
    held = [waiting.pop() for _ in range(width // 2 + 2)]
    while len(held) > 1:
        for i in range(1, len(held)):
            held[0], held[i] = np.minimum(held[0], held[i]), np.maximum(held[0], held[i])
        for i in range(1, len(held) - 1):
            held[-1], held[i] = np.maximum(held[-1], held[i]), np.minimum(held[-1], held[i])
        held = [*held[1:-1], *([waiting.pop()] if waiting else [])]
    return np.ascontiguousarray(held[0])


def _by_group(values: NDArray[np.float32]) -> NDArray[np.float64]:
    groups = values.reshape(len(values), _GROUPS, -1).sum(axis=(0, 2), dtype=np.float64)
    return np.asarray(groups)
