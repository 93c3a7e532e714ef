"""Dynamics independent of the overall level, and the percussive share.

Harmonic and percussive parts by median filters after Fitzgerald, "Harmonic/percussive separation
using median filtering" (DAFx 2010), here on mel bands.
"""

from __future__ import annotations

from functools import lru_cache, reduce

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from musicu.features.frames import FRAME_RATE, QUIET, Frames
from musicu.features.timbre import Statistics, quantiles

_SECOND = round(FRAME_RATE)
_GROUPS = 6
_SQUARABLE = 1e18  # the square of more does not fit float32
_Table = NDArray[np.float32]


def dynamics(frames: Frames) -> Statistics:
    """Quantiles, spread and frame-to-frame steps of loudness (log10 of power); slow and fast."""
    loudness = frames.whole.loudness
    step = np.abs(frames.changes(loudness, 1)).mean()
    shares = [(loudness < limit).mean() for limit in (-0.3, -1.0, QUIET)]
    levels = quantiles(loudness[0], (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98))
    slow = [_by_second(window) for window in frames.windows(loudness[0])]
    return {
        "loudness": np.array([*levels, loudness.std(), step, *shares]),
        "slow_loudness": np.array([np.concatenate(slow).std(), np.mean([s.std() for s in slow])]),
    }


def _by_second(loudness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Moving means over one second, one value a second; the ends are mirrored."""
    smooth: NDArray[np.float32] = ndimage.uniform_filter1d(loudness, _SECOND)[::_SECOND]
    return smooth


def percussion(frames: Frames) -> Statistics:
    """The percussive share of the power in six groups of bands, each in [0, 1]."""
    power = frames.whole.power
    # window by window: small arrays stay in the processor's cache
    shares = [percussive_share(window) for window in frames.windows(power)]
    struck = _by_group(power * np.concatenate(shares, axis=1))
    return {"percussion": struck / (_by_group(power) + 1e-9)}


def percussive_share(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """A soft mask in [0, 1], float32 like `power` [bands, frames]."""
    if power.max(initial=0.0) > _SQUARABLE:
        power = power / power.max()
    struck: _Table = np.square(running_median(power, 9, axis=0))
    held: _Table = np.square(running_median(power, 17, axis=1))
    held += struck + np.float32(1e-18)
    mask: NDArray[np.float32] = struck / held
    return mask


def running_median(values: _Table, width: int, axis: int) -> _Table:
    """Running medians of 5, 9, 17 … (2^k + 1) neighbours; the ends are mirrored.

    Equal to `scipy.ndimage.median_filter`, in a fraction of the time: whole arrays are compared at
    once. Sorted runs of 2, 4, 8 … neighbours are merged from those of half the
    length (Batcher's odd-even merge), each for all places together. Of the two runs on either
    side of a place, the lower and the upper half of their union are known by one comparison of
    each pair, and the median is the value in the middle, kept between these halves.
    """
    half = width // 2
    padded = values.take(_mirrored(values.shape[axis], half), axis=axis)
    # all rows end to end, as loops over short rows are slow: what crosses rows is padding
    flat, step = padded.ravel(), padded.shape[1] if axis == 0 else 1
    run = _sorted_runs(flat, half, step)
    count = len(flat) - 2 * half * step
    before, after = [t[:count] for t in run], [t[-count:] for t in reversed(run)]
    lower = reduce(np.maximum, map(np.minimum, before, after))
    upper = reduce(np.minimum, map(np.maximum, before, after))
    median = np.empty_like(flat)
    middle = flat[half * step : half * step + count]
    np.maximum(lower, np.minimum(upper, middle), out=median[:count])
    return median.reshape(padded.shape)[: values.shape[0], : values.shape[1]]


@lru_cache(maxsize=16)
def _mirrored(count: int, margin: int) -> NDArray[np.int64]:
    """Indices 0 to count - 1 with `margin` mirrored ones at both ends."""
    places: NDArray[np.int64] = np.pad(np.arange(count), margin, mode="symmetric")
    return places


def _sorted_runs(flat: _Table, length: int, step: int) -> list[_Table]:
    """The `length` (2^k) values from every index on, `step` apart, sorted: least, next, …"""
    run, done = [flat], 1
    while done < length:
        shift = done * step
        run = _merged([table[:-shift] for table in run], [table[shift:] for table in run])
        done *= 2
    return run


def _merged(left: list[_Table], right: list[_Table]) -> list[_Table]:
    """Two sorted runs of 2^k arrays merged elementwise."""
    if len(left) == 1:
        return [np.minimum(left[0], right[0]), np.maximum(left[0], right[0])]
    even, odd = _merged(left[::2], right[::2]), _merged(left[1::2], right[1::2])
    between = zip(odd[:-1], even[1:], strict=True)
    pairs = [table for a, b in between for table in (np.minimum(a, b), np.maximum(a, b))]
    return [even[0], *pairs, odd[-1]]


def _by_group(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sums over time of six groups of bands [48, frames]."""
    bands = values.sum(axis=1).astype(np.float64)
    return np.asarray(bands.reshape(_GROUPS, -1).sum(axis=1))
