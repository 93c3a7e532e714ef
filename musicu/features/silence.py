"""How a recording begins and ends: silence at both ends, and a fade-out.

All levels are K-weighted, so that neither a constant offset nor rumble passes for sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.features.loudness import ABSOLUTE_GATE_LUFS, STEPS_PER_SECOND, lufs, sliding_powers

#: What lies so far under the loudest 0.4 s is silent; so is what lies under -80 LUFS.
SILENCE_LU = 60.0
_SILENCE_LUFS = -80.0
_MOMENTARY = 40  # steps
_FADE_WINDOW = 200  # steps: levels of two seconds
_FADE_HOP = 10
_FADE_END = 50  # the last half-second says how far it fell
_FADE_RISE_LU = 4.0  # what follows may be so much louder at most
_FADE_DROP_LU = 20.0  # from beginning to end of the fade
_FADE_BEGUN_LU = 2.0  # so far down from the level before
_FADE_HALFWAY = 0.7  # of the drop at most has happened by the middle: a soft ending is no fade
_SHORTEST_FADE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Silence:
    """Seconds at both ends; None where nothing sounds.

    silence_start_seconds: before the first sound. silence_end_seconds: after the last.
    fade_out_seconds: over which the level falls steadily to the last sound, 0 where it does not.
    """

    silence_start_seconds: float | None
    silence_end_seconds: float | None
    fade_out_seconds: float | None


def measure_silence(powers: NDArray[np.float64]) -> Silence:
    """Both ends of a recording from its K-weighted powers of 10 ms each, float64 [steps].

    It sounds where 10 ms are less than 60 LU under the loudest 0.4 s and above -80 LUFS.
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
    """Seconds of the fade that ends a sound, from its K-weighted powers of 10 ms each.

    Backwards from the end, levels of 2 s rise; the fade reaches back as far as none of them is
    followed by one more than 4 LU louder, and begins where the level has come down by 2 LU.
    Falls of less than 20 LU or 2 s are none, nor is a soft ending that stays at its level. A long
    natural decay counts as a fade.
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
