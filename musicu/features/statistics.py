"""All statistics of a recording, in eleven blocks by topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from musicu.features.dynamics import dynamics, percussion
from musicu.features.frames import Frames, read_frames
from musicu.features.powers import Sums
from musicu.features.rhythm import fluctuation, onsets, pulse
from musicu.features.timbre import (
    Statistics,
    colour,
    movement,
    spread,
    togetherness,
    tonality,
)
from musicu.features.tonal import harmony, pitch
from musicu.features.waveform import peakiness
from musicu.records import Audio

BLOCKS: dict[str, tuple[Callable[[Frames], Statistics], ...]] = {
    "colour": (colour,),
    "spread": (spread,),
    "togetherness": (togetherness,),
    "movement": (movement, onsets),
    "fluctuation": (fluctuation,),
    "pulse": (pulse,),
    "dynamics": (dynamics, percussion),
    "tonality": (tonality,),
    "harmony": (harmony,),
    "pitch": (pitch,),
    "waveform": (peakiness,),
}


def track_statistics(audio: Audio, sums: Sequence[Sums] | None = None) -> dict[str, Statistics]:
    """The statistics of a recording at 22,050 Hz: block → group → float64 [n], always finite.

    sums: of its `powers.spectrograms`, where they were computed already.
    """
    frames = read_frames(audio, sums)
    found: dict[str, Statistics] = {}
    for block, makers in BLOCKS.items():
        found[block] = {name: v for make in makers for name, v in make(frames).items()}
    return found
