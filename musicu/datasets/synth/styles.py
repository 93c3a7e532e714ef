"""The twelve styles: tempo, harmony, room and band of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from musicu.datasets.synth.band import Band, resolved
from musicu.datasets.synth.composition import Chord, Moves, Part, Plan, Tonality, progression

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
    compose: Callable[[Band], list[Part]]
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

    def parts(self, plan: Plan, rng: np.random.Generator) -> list[Part]:
        """What its band plays of a plan, with an ending."""
        return [resolved(part, plan) for part in self.compose(Band(plan, rng))]

    @property
    def _phrase(self) -> int:
        return 4 * self.bars_per_chord

    def _chord(self, degrees: list[int], bar: int) -> Chord:
        degree = degrees[bar // self.bars_per_chord % 4]
        return Chord(degree, self.chord_size, raised=self.dominant and degree == 4)


def house(band: Band) -> list[Part]:
    """Four on the floor, hats between, stabs off the beat."""
    rhythm = band.pick("..x..x....x..x..", "x..x..x...x..x..", "..x...x...x..x.o")
    line = band.pick("..1...1...1...1.", "..1..81...1..5..", "1..1..8...1..8..")
    return [
        Part("kick", band.drums("x...x...x...x..."), 0.9, 0, 0.02),
        Part("clap", band.drums("....x.......x...", first=0.15), 0.4, 0, 0.2),
        Part("open hat", band.drums("..x...x...x...x.", first=0.15), 0.22, 0.25),
        Part("hat", band.drums("x-o-x-o-x-o-x-oo", first=0.3), 0.22, -0.3),
        Part("synth bass", band.bass(line, 0.4, 36), 0.48, 0, 0.02, ducked=True),
        Part("stab", band.chords(rhythm, 0.35, 57), 0.24, -0.15, 0.3, 0.35, ducked=True),
        Part("pad", band.chords("x", 4.2, 64, 0.3), 0.2, 0.3, 0.5, ducked=True),
    ]


def solo_piano(band: Band) -> list[Part]:
    """Broken chords in the left hand, a song in the right."""
    left = band.pick("01213121", "02132312", "01234321")
    tune = band.melody("x...o.x.", "x.o.x...", "x..ox.o.", low=72, first=0.15)
    return [
        Part("piano", band.bass("1...5...", 2.2, 36), 0.42, -0.25, 0.25, loose_seconds=0.008),
        Part("piano", band.arpeggio(left, 0.9, 50), 0.3, -0.1, 0.3, loose_seconds=0.008),
        Part("piano", tune, 0.65, 0.2, 0.3, loose_seconds=0.01),
    ]


def chiptune(band: Band) -> list[Part]:
    """Three tones and a noise: arpeggios for chords, a brisk tune."""
    rhythms = ["x.o.x.oox.o.x...", "x..o..x.o.o.x.o.", "x.oox.o.x...x.o."]
    steps = band.pick("0120120120120120", "0123012301230123", "0210021002100210")
    return [
        Part("pulse wave", band.melody(*rhythms, low=72, first=0.15), 0.5, 0.15, 0.03, 0.2, 0.5),
        Part("square wave", band.arpeggio(steps, 0.2, 60), 0.2, -0.35, 0.02),
        Part("triangle wave", band.bass("1.1.8.1.1.1.8.5.", 0.3, 36), 0.3, 0, 0.0),
        Part("noise drum", band.drums("x.-.x.-.x.-.x.--"), 0.35, 0, 0.02),
        Part("soft kick", band.drums("x...x...x...x..."), 0.5, 0, 0.0),
    ]


def folk(band: Band) -> list[Part]:
    """A fingerpicked guitar, its thumb alternating, a tune on top."""
    fingers = band.pick("2.3124.3", "3.2.4.23", "2324.324")
    tune = band.melody("x...o.o.", "x.o.x...", "..x.o.x.", low=67, first=0.3)
    return [
        Part("guitar", band.bass("1.3.1.5.", 1.2, 40), 0.6, -0.15, 0.12, loose_seconds=0.006),
        Part("guitar", band.arpeggio(fingers, 1.0, 50), 0.5, 0.15, 0.15, loose_seconds=0.006),
        Part("guitar", tune, 1.0, 0.3, 0.2, loose_seconds=0.008),
        Part("shaker", band.drums("o-x-o-x-", first=0.5), 0.08, -0.4, 0.1),
    ]


def ambient(band: Band) -> list[Part]:
    """Long pads, a bass note a bar, bells far away."""
    tune = band.melody("x.....o.", "..x...o.", "x...o...", low=72, first=0.2, rest=0.2)
    beats = float(band.plan.beats_per_bar)
    return [
        Part("pad", band.chords("x", beats * 1.25, 55), 0.22, -0.3, 0.5),
        Part("pad", band.chords("x", beats * 1.25, 67, 0.3), 0.12, 0.4, 0.6),
        Part("sub bass", band.bass("1", beats * 1.05, 36), 0.25, 0, 0.05),
        Part("bell", tune, 0.4, 0.2, 0.8, echo=0.45, echo_beats=1.5),
    ]


def drum_and_bass(band: Band) -> list[Part]:
    """A chopped break at speed over a growling bass and slow pads."""
    breaks = ["x.........x.....", "x.....o...x....."]
    snares = band.pick("....x..-.-..x..-", "....x..o....x.-.", "....x-......x..o")
    line = band.pick("1.....1...8.....", "1..1......5...1.", "1.........1.8...")
    tune = band.melody("x..o..x.", "x.......", "o..x....", low=72, first=0.4)
    return [
        Part("kick", band.drums(*breaks), 0.85, 0, 0.02),
        Part("snare", band.drums(snares), 0.55, 0, 0.12),
        Part("hat", band.drums("x.o.x.o.x.o.x.oo"), 0.22, 0.3),
        Part("shaker", band.drums("oxoxoxoxoxoxoxox", first=0.3), 0.14, -0.4),
        Part("reese bass", band.bass(line, 0.95, 33, 0.15), 0.5, 0, 0.02),
        Part("pad", band.chords("x", 4.2, 60), 0.16, -0.2, 0.6),
        Part("electric piano", tune, 0.25, 0.2, 0.5, 0.45),
    ]


def jazz_trio(band: Band) -> list[Part]:
    """Walking bass, ride cymbal, a piano that comps and then speaks."""
    comping = band.pick("x..o....", ".x....o.", "...x..o.")
    rhythms = ["x.oox.o.", ".oxo..x.", "x.o.xoo.", "..x.ooxo"]
    swing = 1 / 3
    tune = band.melody(*rhythms, low=72, first=0.3, swing=swing, rest=0.12)
    return [
        Part("ride", band.drums("x.oxx.ox", swing=swing), 0.3, 0.35, 0.1),
        Part("hat", band.drums("..x...x."), 0.25, -0.3, 0.05),
        Part("snare", band.drums(".......-", "...-....", first=0.3, swing=swing), 0.25, -0.1, 0.1),
        Part("double bass", band.walking_bass(33), 0.75, -0.1, 0.08, loose_seconds=0.004),
        Part("piano", band.chords(comping, 0.6, 53, swing=swing), 0.22, 0.15, 0.2),
        Part("piano", tune, 0.6, 0.2, 0.2, loose_seconds=0.008),
    ]


def chamber(band: Band) -> list[Part]:
    """Four bowed voices: tune, two inner parts, cello."""
    low = band.bass(band.pick("1...5...", "1.......", "1...3.5."), 1.9, 36)
    inner = band.arpeggio(band.pick("01010101", "02120212", "0.1.2.1."), 0.5, 55)
    return [
        Part("strings", band.melody("x...o.o.", "x.....o.", "x.o.x.o.", low=72), 0.4, -0.5, 0.35),
        Part("strings", inner, 0.22, -0.15, 0.35),
        Part("strings", band.chords("x...", 3.9, 50)[::2], 0.2, 0.2, 0.35),
        Part("strings", low, 0.4, 0.5, 0.3),
    ]


def synth_pop(band: Band) -> list[Part]:
    """Octave bass, big snare, arpeggio and a lead that one remembers."""
    rhythms = ["x..x..x.o.o.x...", "x...o.x...x.o...", "x.o.x.o.x......."]
    steps = band.pick("0121345421213454", "0213021302130213", "0120312041203120")
    return [
        Part("kick", band.drums("x.......x.o.....", "x.......x......."), 0.8, 0, 0.03),
        Part("snare", band.drums("....x.......x..."), 0.5, 0, 0.35),
        Part("hat", band.drums("x.o.x.o.x.o.x.o.", first=0.15), 0.2, 0.3),
        Part("synth bass", band.bass("1.8.1.8.1.8.1.8.", 0.45, 36), 0.42, 0, 0.03),
        Part("pad", band.chords("x", 4.1, 57), 0.2, -0.4, 0.4),
        Part("square wave", band.arpeggio(steps, 0.22, 62), 0.2, 0.5, 0.3, 0.3),
        Part("lead", band.melody(*rhythms, low=72, first=0.3), 0.36, 0, 0.35, 0.3),
    ]


def dub(band: Band) -> list[Part]:
    """One drop, a heavy bass, an organ skank that echoes away."""
    line = band.pick("1..1.5..3.1.....", "..1.1.5...8.5...", "1...3.5.1...5...")
    tune = band.melody("..x..o..", "x.o.....", "....x.o.", low=69, first=0.3, rest=0.3)
    return [
        Part("soft kick", band.drums("........x......."), 1.0, 0, 0.05),
        Part("rim", band.drums("........x.......", "........x.....o."), 0.6, 0.1, 0.5, 0.5),
        Part("hat", band.drums("x.o.x.o.x.o.x.oo", swing=0.2), 0.2, -0.3),
        Part("sub bass", band.bass(line, 0.5, 33), 0.5, 0, 0.0),
        Part("organ", band.chords("....x.......x...", 0.22, 60), 0.2, 0.3, 0.2, 0.5),
        Part("electric piano", tune, 0.3, -0.3, 0.5, 0.55, 0.75),
        Part("crackle", band.drums("x")[::4], 0.12, 0.0, 0.0),
    ]


def music_box(band: Band) -> list[Part]:
    """A waltz on tines: one, two, three, and a child's tune."""
    rhythms = ["x.o.o.", "x...o.", "x.oox.", "x....."]
    return [
        Part("music box", band.bass("1..", 0.9, 60), 0.5, -0.2, 0.3),
        Part("music box", band.chords(".oo", 0.8, 72), 0.2, -0.1, 0.3),
        Part("music box", band.melody(*rhythms, low=84), 0.6, 0.15, 0.35),
        Part("bell", band.bass("1..", 2.5, 48, 0.5), 0.15, 0.4, 0.6),
    ]


def drone(band: Band) -> list[Part]:
    """A dark fifth that hardly moves, and the sea."""
    beats = float(band.plan.beats_per_bar)
    root = band.plan.key.pitch(0) - 24
    still = [note._replace(pitch=root) for note in band.bass("1", beats * 1.6, 36)]
    fifth = [note._replace(pitch=root + 7 + 12 * (i % 2)) for i, note in enumerate(still)]
    bells = band.melody("x.......", "....o...", low=60, first=0.3, rest=0.3)
    return [
        Part("drone", still, 0.5, 0, 0.4),
        Part("drone", fifth, 0.25, -0.3, 0.6),
        Part("pad", band.chords("x", beats * 1.5, 55, 0.2), 0.12, 0.4, 0.7),
        Part("surf", band.drums("x...")[::3], 0.25, 0.2, 0.4),
        Part("bell", bells, 0.12, 0.5, 1.0),
    ]


STYLES = (
    Style("house", ("House", "Electronic"), (120, 127), house, _MINOR, ("minor",),
          chord_size=4, room_seconds=1.0, level_db=-15, dj_tags=True),
    Style("solo piano", ("Piano", "Classical"), (66, 92), solo_piano, _POP,
          pulse=False, dominant=True, room_seconds=1.8, level_db=-20),
    Style("chiptune", ("Chiptune", "Electronic"), (138, 164), chiptune, _POP,
          ("major",), room_seconds=0.3),
    Style("folk", ("Folk", "Acoustic"), (88, 116), folk, _POP, ("major",),
          pulse=False, room_seconds=0.8, level_db=-19),
    Style("ambient", ("Ambient",), (60, 76), ambient, _STILL,
          pulse=False, room_seconds=3.5, level_db=-21),
    Style("drum and bass", ("Drum & Bass", "Electronic"), (170, 176), drum_and_bass,
          _MINOR, ("minor",), bars_per_chord=2, level_db=-15, dj_tags=True),
    Style("jazz trio", ("Jazz",), (118, 152), jazz_trio, _JAZZ,
          chord_size=4, dominant=True, room_seconds=0.9, level_db=-19),
    Style("chamber", ("Chamber Music", "Classical"), (72, 96), chamber, _CLASSIC,
          pulse=False, dominant=True, room_seconds=1.8, level_db=-19),
    Style("synth-pop", ("Synth-pop", "Pop"), (104, 122), synth_pop, _POP, ("major",),
          room_seconds=1.3, level_db=-16),
    Style("dub", ("Dub", "Reggae"), (134, 148), dub, _VAMP, ("minor",),
          room_seconds=1.6, level_db=-18),
    Style("music box", ("Music Box", "Children's Music"), (112, 148), music_box,
          _CLASSIC, ("major",), beats_per_bar=3, pulse=False, room_seconds=1.4, level_db=-21),
    Style("drone", ("Drone", "Ambient"), (48, 60), drone, _STILL, ("minor",),
          pulse=False, room_seconds=4.0, level_db=-22),
)  # fmt: skip
