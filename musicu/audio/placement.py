"""Placing windows over a recording."""

from __future__ import annotations

from typing import NamedTuple

from musicu.records import Windows


class Span(NamedTuple):
    """A range of samples, `stop` excluded."""

    start: int
    stop: int


def place_windows(samples: int, sample_rate: int, windows: Windows | None) -> list[Span]:
    """Windows over a recording of `samples` at `sample_rate` Hz, in order, never overlapping.

    The recording is divided into `windows.count` equal parts with one window in the middle of
    each, so that a window rarely holds only a fade. A recording shorter than all windows together,
    or no `windows`, gives one span over the whole.
    """
    if windows is None:
        return [Span(0, samples)]
    length = round(windows.seconds * sample_rate)
    if length < 1 or windows.count < 1:
        raise ValueError(f"windows must have a length and a number, not {windows}")
    if samples < length * windows.count:
        return [Span(0, samples)]
    spare = samples - length * windows.count
    starts = [k * length + spare * (2 * k + 1) // (2 * windows.count) for k in range(windows.count)]
    return [Span(start, start + length) for start in starts]
