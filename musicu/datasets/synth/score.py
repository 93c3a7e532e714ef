"""What a piece is before it sounds: its plan, its parts and their notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from musicu.datasets.synth.theory import Chord, Tonality


class Note(NamedTuple):
    """One tone: where it begins and how long it lasts (beats), MIDI pitch, loudness 0 to 1."""

    beat: float
    beats: float
    pitch: int
    velocity: float


@dataclass(frozen=True, slots=True)
class Part:
    """What one instrument plays and where it stands in the mix.

    gain: linear. pan: -1 left to 1 right. reverb: share sent to the room, 0 to 1.
    echo: loudness of each repeat against the one before, 0 for none; `echo_beats` apart.
    ducked: the kick drum pushes it down at every beat.
    loose_seconds: how far hands stray from the beat (standard deviation).
    """

    instrument: str
    notes: list[Note]
    gain: float = 0.5
    pan: float = 0.0
    reverb: float = 0.15
    echo: float = 0.0
    echo_beats: float = 0.75
    ducked: bool = False
    loose_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The frame of a piece: key, tempo, metre, and one chord for each bar."""

    key: Tonality
    tempo_bpm: float
    beats_per_bar: int
    chords: list[Chord] = field(default_factory=list)

    @property
    def bars(self) -> int:
        """How many bars it has."""
        return len(self.chords)

    def bar_at(self, share: float) -> int:
        """The bar at a share (0 to 1) of the piece, moved to the start of a pair of bars."""
        return 2 * round(share * self.bars / 2)
