"""What a piece is before it sounds: keys, chords and progressions, its plan, parts and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

TONIC_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}

#: Where a chord (a scale degree, 0 is the tonic) may go next.
Moves = Mapping[int, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Tonality:
    """A tonic (0 is C) and a mode, "major" or "minor"."""

    tonic: int
    mode: str

    @property
    def name(self) -> str:
        """The tonic's name, such as "F#"."""
        return TONIC_NAMES[self.tonic]

    def pitch(self, step: int, raised: bool = False) -> int:
        """MIDI pitch of a scale step; step 0 is the tonic between G3 and F#4.

        raised: the minor scale's seventh is sharpened, as in a dominant chord.
        """
        octave, degree = divmod(step, 7)
        base = 60 + (self.tonic if self.tonic < 7 else self.tonic - 12)
        sharpened = raised and self.mode == "minor" and degree == 6
        return base + 12 * octave + SCALES[self.mode][degree] + int(sharpened)


@dataclass(frozen=True, slots=True)
class Chord:
    """Stacked thirds on a scale degree: `size` 3 is a triad, 4 a seventh."""

    degree: int
    size: int = 3
    raised: bool = False

    def steps(self) -> list[int]:
        """Scale steps of its tones, root first."""
        return [self.degree + 2 * i for i in range(self.size)]

    def pitches(self, key: Tonality) -> list[int]:
        """MIDI pitches of its tones in root position."""
        return [key.pitch(step, self.raised) for step in self.steps()]

    def voiced(self, key: Tonality, low: int) -> list[int]:
        """Its tones within the octave from MIDI pitch `low` up: inversions that lie close."""
        return sorted({low + (pitch - low) % 12 for pitch in self.pitches(key)})


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


def progression(rng: np.random.Generator, moves: Moves, bars: int) -> list[int]:
    """A walk through `moves` that begins on the tonic and whose last chord leads back to it.

    Raises ValueError where no such walk of `bars` chords exists.
    """
    reach = {0: 1.0}  # how many ways lead from a degree back to the tonic, step by step
    ways = [reach]
    for _ in range(bars):
        reach = {d: sum(reach.get(n, 0.0) for n in following) for d, following in moves.items()}
        ways.append(reach)
    if not ways[bars].get(0):
        raise ValueError(f"no progression of {bars} bars returns to the tonic")
    walk = [0]
    for left in range(bars - 1, 0, -1):
        following = moves[walk[-1]]
        weights = np.array([ways[left].get(n, 0.0) for n in following])
        walk.append(following[int(rng.choice(len(following), p=weights / weights.sum()))])
    return walk
