"""Silence at both ends of a recording, and a fade-out.

All levels are K-weighted, so that a constant offset or rumble counts as silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.features.loudness import ABSOLUTE_GATE_LUFS, STEPS_PER_SECOND, lufs, sliding_powers

#: Sound this far below the loudest 0.4 s is silence, as is sound below -80 LUFS.
SILENCE_LU = 60.0
_SILENCE_LUFS = -80.0
_MOMENTARY = 40  # steps
_FADE_WINDOW = 200  # steps: levels of two seconds
_FADE_HOP = 10
_FADE_END = 50  # the last half-second gives the final level
_FADE_RISE_LU = 4.0  # a fade may rise by this much on the way down
_FADE_DROP_LU = 20.0  # the least drop from beginning to end of a fade
_FADE_BEGUN_LU = 2.0  # a fade has begun where the level is this far down
_FADE_HALFWAY = 0.7  # of the drop at most by the middle: a soft ending is no fade
_SHORTEST_FADE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Silence:
    """Silence and fade of a recording, in seconds; None where all of it is silent.

    silence_start_seconds: before the first sound. silence_end_seconds: after the last.
    fade_out_seconds: how long the level falls steadily to the last sound; 0 without a fade.
    """

    silence_start_seconds: float | None
    silence_end_seconds: float | None
    fade_out_seconds: float | None


def measure_silence(powers: NDArray[np.float64]) -> Silence:
    """Silence and fade from K-weighted powers of 10 ms each, float64 [steps].

    A step sounds where it is less than 60 LU below the loudest 0.4 s and above -80 LUFS.
    """
    levels = lufs(powers)
    window = min(_MOMENTARY, len(powers))
    loudest = lufs(sliding_powers(powers, window)).max() if window else -np.inf
    if loudest <= ABSOLUTE_GATE_LUFS:
        return Silence(None, None, None)
    sounding = np.flatnonzero(levels > max(loudest - SILENCE_LU, _SILENCE_LUFS))
    first, end = int(sounding[0]), int(sounding[-1]) + 1
    return Silence(
        silence_start_seconds=first / STEPS_PER_SECOND,
        silence_end_seconds=(len(powers) - end) / STEPS_PER_SECOND,
        fade_out_seconds=fade_out(powers[first:end]),
    )


def fade_out(powers: NDArray[np.float64]) -> float:
    """The length of a closing fade in seconds, from K-weighted powers of 10 ms each.

    Levels over 2 s are followed backwards from the end. The fade reaches back to where a later
    level is more than 4 LU louder, and begins where the level has dropped by 2 LU. Drops of less
    than 20 LU or 2 s are no fades, nor is a soft ending at one level. A long natural decay counts
    as a fade.
    """
    levels = lufs(sliding_powers(powers, _FADE_WINDOW))[::-1][::_FADE_HOP]  # from the end
    if not len(levels):
        return 0.0
    after = np.maximum.accumulate(levels)
    risen = np.flatnonzero(after - levels > _FADE_RISE_LU)
    fade = after[: risen[0] if len(risen) else None]
    begun = int(np.flatnonzero(fade > fade[-1] - _FADE_BEGUN_LU)[0])
    seconds = (begun * _FADE_HOP + _FADE_WINDOW / 2) / STEPS_PER_SECOND
    drop = float(fade[-1] - lufs(powers[-_FADE_END:].mean()))
    early = fade[-1] - fade[begun // 2] > _FADE_HALFWAY * drop
    if drop < _FADE_DROP_LU or early or seconds < _SHORTEST_FADE_SECONDS:
        return 0.0
    return seconds
