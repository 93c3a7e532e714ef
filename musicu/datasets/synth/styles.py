"""The twelve styles: tempo, harmony, room and band of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from musicu.datasets.synth import arrangements
from musicu.datasets.synth.score import Part, Plan
from musicu.datasets.synth.theory import Chord, Moves, Tonality, progression

_POP: Moves = {0: (3, 4, 5), 1: (4,), 3: (0, 1, 4), 4: (0, 3, 5), 5: (1, 3)}
_MINOR: Moves = {0: (3, 5, 6), 2: (5, 6), 3: (0, 4, 6), 4: (0,), 5: (2, 3, 6), 6: (0, 5)}
_STILL: Moves = {0: (0, 3, 5), 3: (0,), 5: (0, 3)}
_VAMP: Moves = {0: (0, 3, 6), 3: (0, 6), 6: (0, 3)}
_JAZZ: Moves = {0: (1, 5), 1: (4,), 3: (1, 4), 4: (0,), 5: (1, 3)}
_CLASSIC: Moves = {0: (0, 1, 3, 4, 5), 1: (4,), 3: (0, 1, 4), 4: (0,), 5: (1, 3)}


@dataclass(frozen=True, slots=True)
class Style:
    """How a kind of music is made.

    tempo_bpm: slowest and fastest. pulse: whether drums make the tempo audible.
    room_seconds: reverberation time. level_db: loudness of the master in dBFS RMS.
    """

    name: str
    genres: tuple[str, ...]
    tempo_bpm: tuple[int, int]
    compose: Callable[[Plan, np.random.Generator], list[Part]]
    moves: Moves
    modes: tuple[str, ...] = ("major", "minor")
    beats_per_bar: int = 4
    bars_per_chord: int = 1
    chord_size: int = 3
    dominant: bool = False
    pulse: bool = True
    room_seconds: float = 1.2
    level_db: float = -17.0
    dj_tags: bool = False

    def plan(self, rng: np.random.Generator, seconds: float) -> Plan:
        """A frame for a piece of about `seconds`: it begins and ends on the tonic."""
        low, high = self.tempo_bpm
        tempo = float(rng.integers(low, high + 1))
        key = Tonality(int(rng.integers(12)), self.modes[int(rng.integers(len(self.modes)))])
        bars = max(2, round(seconds * tempo / 60 / self.beats_per_bar))
        verse, bridge = (progression(rng, self.moves, 4) for _ in range(2))
        chords = [
            self._chord((verse, verse, bridge)[bar // self._phrase % 3], bar) for bar in range(bars)
        ]
        chords[-1] = Chord(0, self.chord_size)
        return Plan(key, tempo, self.beats_per_bar, chords)

    @property
    def _phrase(self) -> int:
        return 4 * self.bars_per_chord

    def _chord(self, degrees: list[int], bar: int) -> Chord:
        degree = degrees[bar // self.bars_per_chord % 4]
        return Chord(degree, self.chord_size, raised=self.dominant and degree == 4)


STYLES = (
    Style("house", ("House", "Electronic"), (120, 127), arrangements.house, _MINOR, ("minor",),
          chord_size=4, room_seconds=1.0, level_db=-15, dj_tags=True),
    Style("solo piano", ("Piano", "Classical"), (66, 92), arrangements.solo_piano, _POP,
          pulse=False, dominant=True, room_seconds=1.8, level_db=-20),
    Style("chiptune", ("Chiptune", "Electronic"), (138, 164), arrangements.chiptune, _POP,
          ("major",), room_seconds=0.3),
    Style("folk", ("Folk", "Acoustic"), (88, 116), arrangements.folk, _POP, ("major",),
          pulse=False, room_seconds=0.8, level_db=-19),
    Style("ambient", ("Ambient",), (60, 76), arrangements.ambient, _STILL,
          pulse=False, room_seconds=3.5, level_db=-21),
    Style("drum and bass", ("Drum & Bass", "Electronic"), (170, 176), arrangements.drum_and_bass,
          _MINOR, ("minor",), bars_per_chord=2, level_db=-15, dj_tags=True),
    Style("jazz trio", ("Jazz",), (118, 152), arrangements.jazz_trio, _JAZZ,
          chord_size=4, dominant=True, room_seconds=0.9, level_db=-19),
    Style("chamber", ("Chamber Music", "Classical"), (72, 96), arrangements.chamber, _CLASSIC,
          pulse=False, dominant=True, room_seconds=1.8, level_db=-19),
    Style("synth-pop", ("Synth-pop", "Pop"), (104, 122), arrangements.synth_pop, _POP, ("major",),
          room_seconds=1.3, level_db=-16),
    Style("dub", ("Dub", "Reggae"), (134, 148), arrangements.dub, _VAMP, ("minor",),
          room_seconds=1.6, level_db=-18),
    Style("music box", ("Music Box", "Children's Music"), (112, 148), arrangements.music_box,
          _CLASSIC, ("major",), beats_per_bar=3, pulse=False, room_seconds=1.4, level_db=-21),
    Style("drone", ("Drone", "Ambient"), (48, 60), arrangements.drone, _STILL, ("minor",),
          pulse=False, room_seconds=4.0, level_db=-22),
)  # fmt: skip
