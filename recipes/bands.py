"""Music made by rules: bands with a manner of their own, and pieces that they play.

A band keeps its instruments, patterns, tempo and mode; its pieces differ in key, chords, melody
and, a little, in tempo. So pieces of a band belong together for reasons that are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from musicu.datasets.synth.composition import SCALES
from recipes.midi import DRUMS, Channel, MidiNote

MODES = {**SCALES, "dorian": (0, 2, 3, 5, 7, 9, 10)}
_CHORDS = ((0, 4, 5, 3), (0, 3, 4, 0), (0, 5, 3, 4), (1, 4, 0, 5), (0, 6, 5, 4), (0, 0, 3, 3))
_LEAD, _CHORD, _BASS, _PAD, _VOICE = 0, 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class BandStyle:
    """What a kind of music may use: General MIDI programs, patterns and tempi (BPM)."""

    name: str
    leads: tuple[int, ...]
    chords: tuple[int, ...]
    basses: tuple[int, ...]
    pads: tuple[int, ...]
    drums: tuple[str, ...]
    kit: int
    tempo: tuple[float, float]
    chord_patterns: tuple[str, ...]
    bass_patterns: tuple[str, ...]
    modes: tuple[str, ...] = ("major", "minor", "dorian")
    voice: float = 0.0  # chance that a band sings


STYLES = (
    BandStyle("rock", (29, 30, 27), (29, 30, 27, 28), (33, 34), (18, 48), ("rock", "half"), 16,
          (85, 165), ("power", "pulse"), ("eighths", "whole"), voice=0.6),
    BandStyle("metal", (30, 29), (30,), (34, 33), (48,), ("double", "rock"), 16,
          (110, 190), ("power", "gallop"), ("eighths", "gallop"), ("minor",), voice=0.4),
    BandStyle("pop", (0, 4, 25, 81), (0, 25, 4, 5), (33, 38, 39), (48, 89, 52), ("rock", "four"), 0,
          (80, 130), ("pulse", "sustain", "arpeggio"), ("eighths", "whole"), voice=0.8),
    BandStyle("jazz", (65, 66, 56, 26, 0, 11), (0, 26, 4), (32,), (), ("swing",), 32,
          (90, 220), ("stab", "sustain"), ("walking",), ("major", "dorian"), voice=0.2),
    BandStyle("funk", (66, 61, 7), (7, 27, 16), (36, 37, 33), (61,), ("break", "rock"), 8,
          (88, 120), ("stab", "offbeat"), ("syncopated",), ("dorian", "minor"), voice=0.3),
    BandStyle("house", (81, 87, 4), (4, 90, 16), (38, 39), (89, 94), ("four",), 25,
          (115, 132), ("offbeat", "stab"), ("octave", "eighths"), ("minor", "dorian"), voice=0.3),
    BandStyle("techno", (81, 84, 87), (81, 90), (38, 87), (94, 95), ("four", "double"), 24,
          (125, 150), ("arpeggio", "stab"), ("eighths",), ("minor",)),
    BandStyle("hip hop", (4, 11, 108), (4, 0, 5), (38, 33, 35), (50, 89), ("trap", "break"), 25,
          (66, 98), ("sustain", "stab"), ("syncopated", "whole"), ("minor", "dorian"), voice=0.6),
    BandStyle("chiptune", (80, 81), (80, 81), (80, 38), (), ("break", "four", ""), 24,
          (110, 190), ("arpeggio", "pulse"), ("octave", "eighths")),
    BandStyle("ambient", (88, 91, 98, 14), (89, 95), (39,), (89, 91, 92, 94, 95), ("",), 0,
          (50, 80), ("sustain",), ("whole",)),
    BandStyle("orchestra", (40, 68, 71, 73, 60, 56), (48, 49, 60), (43, 42), (48, 61, 52),
          ("", "timpani"), 48, (60, 140), ("sustain", "pulse", "arpeggio"), ("whole", "eighths")),
    BandStyle("march", (56, 73, 72), (60, 61), (58, 57), (61,), ("march",), 48,
          (104, 126), ("offbeat",), ("oompah",), ("major",)),
    BandStyle("piano", (0, 1), (0, 1), (0,), (), ("",), 0,
          (55, 140), ("arpeggio", "sustain", "pulse"), ("whole", "walking")),
    BandStyle("guitar", (24, 25), (24, 25), (24, 32), (), ("", "shaker"), 0,
          (70, 130), ("arpeggio", "strum"), ("whole",), voice=0.6),
    BandStyle("folk", (110, 73, 21, 22, 105), (25, 21, 24, 15), (32, 43), (), ("", "shaker"), 0,
          (90, 150), ("strum", "offbeat"), ("oompah", "whole"), voice=0.4),
    BandStyle("latin", (56, 24, 66, 73), (0, 24), (32, 33), (48,), ("latin",), 0,
          (85, 130), ("montuno", "offbeat"), ("syncopated",), voice=0.4),
    BandStyle("reggae", (16, 66, 56), (27, 16), (33, 35), (16,), ("onedrop",), 0,
          (64, 90), ("offbeat",), ("syncopated",), voice=0.5),
    BandStyle("blues", (22, 27, 29, 65), (27, 0, 16), (33, 32), (16,), ("shuffle",), 0,
          (60, 130), ("stab", "pulse"), ("walking",), ("dorian",), voice=0.5),
    BandStyle("choir", (52, 53, 54), (52, 53, 19), (19, 43), (52, 19), ("",), 0,
          (50, 90), ("sustain",), ("whole",), voice=0.5),
    BandStyle("world", (104, 107, 75, 77, 109), (104, 46, 15, 108), (32, 43), (109, 48),
          ("shaker", "latin", ""), 0, (60, 120), ("arpeggio", "strum"), ("whole",)),
)  # fmt: skip

_K, _S, _H, _O, _R, _T = 36, 38, 42, 46, 51, 47  # kick, snare, hats closed and open, ride, tom
DRUM_PATTERNS: dict[str, tuple[tuple[int, tuple[float, ...]], ...]] = {
    "rock": ((_K, (0, 2, 2.5)), (_S, (1, 3)), (_H, (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5))),
    "half": ((_K, (0, 1.5)), (_S, (2,)), (_R, (0, 1, 2, 3))),
    "double": ((_K, tuple(i / 4 for i in range(16))), (_S, (1, 3)), (_O, (0, 1, 2, 3))),
    "four": ((_K, (0, 1, 2, 3)), (39, (1, 3)), (_O, (0.5, 1.5, 2.5, 3.5))),
    "break": ((_K, (0, 0.75, 2.5)), (_S, (1, 1.75, 3)), (_H, tuple(i / 4 for i in range(16)))),
    "trap": ((_K, (0, 1.5, 2.75)), (39, (2,)), (_H, (0, 0.5, 1, 1.25, 1.5, 2, 2.5, 3, 3.33, 3.66))),
    "swing": ((_R, (0, 1, 1.67, 2, 3, 3.67)), (44, (1, 3)), (_S, (3.67,))),
    "shuffle": ((_K, (0, 2)), (_S, (1, 3)), (_R, (0, 0.67, 1, 1.67, 2, 2.67, 3, 3.67))),
    "march": ((_K, (0, 2)), (_S, (0, 1, 1.5, 2, 3, 3.25, 3.5, 3.75)), (49, (0,))),
    "latin": ((64, (0, 1.5, 3)), (63, (1, 2.5, 3.5)), (75, (0, 1.5, 3)), (70, (0.5, 1.5, 2.5))),
    "onedrop": ((_K, (2,)), (37, (2,)), (_H, (0.5, 1.5, 2.5, 3.5))),
    "shaker": ((70, (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5)), (54, (1, 3))),
    "timpani": ((_T, (0, 3.5)), (57, (0,))),
}  # fmt: skip

RHYTHMS: dict[str, tuple[tuple[float, float], ...]] = {  # (start, length) in a bar of four beats
    "sustain": ((0, 4),),
    "whole": ((0, 3.8),),
    "pulse": tuple((i, 0.9) for i in range(4)),
    "eighths": tuple((i / 2, 0.45) for i in range(8)),
    "offbeat": tuple((i + 0.5, 0.3) for i in range(4)),
    "stab": ((0, 0.4), (1.5, 0.4), (2.75, 0.3)),
    "gallop": tuple((b + o, 0.2) for b in range(4) for o in (0, 0.5, 0.75)),
    "power": ((0, 1.4), (1.5, 0.9), (2.5, 1.4)),
    "strum": ((0, 0.9), (1, 0.4), (1.5, 0.9), (2.5, 0.4), (3, 0.9)),
    "syncopated": ((0, 0.7), (0.75, 0.5), (1.5, 0.4), (2.5, 0.7), (3.5, 0.4)),
    "montuno": ((0, 0.4), (0.5, 0.4), (1.5, 0.4), (2, 0.4), (2.5, 0.4), (3.5, 0.4)),
    "walking": tuple((i, 0.95) for i in range(4)),
    "octave": tuple((i / 2, 0.4) for i in range(8)),
    "oompah": ((0, 0.8), (2, 0.8)),
}


@dataclass(frozen=True, slots=True)
class StyledBand:
    """A manner of playing, drawn once and kept for all the band's pieces."""

    style: int
    channels: tuple[Channel, ...]
    patterns: tuple[str, str, str]  # chords, bass, drums
    mode: str
    bpm: float
    swing: float
    register: int
    density: float
    voice: int | None  # a number that seeds the singer, or None


@dataclass(frozen=True, slots=True)
class RenderedPiece:
    """Notes for a synthesiser, notes to sing, and what is known of them. key: 0 is C."""

    notes: tuple[MidiNote, ...]
    sung: tuple[MidiNote, ...]
    bpm: float
    key: int
    mode: str


def form_band(rng: np.random.Generator, style_number: int) -> StyledBand:
    """A band of a style, with instruments, tempo and patterns of its own."""
    style = STYLES[style_number]
    channels = []
    for number, programs in enumerate((style.leads, style.chords, style.basses, style.pads)):
        if programs and (number in (_CHORD, _BASS) or rng.random() < 0.75):
            loud, pan = int(rng.integers(60, 115)), int(rng.integers(30, 98))
            wet = int(rng.integers(0, 100))
            channels.append(Channel(number, int(rng.choice(programs)), loud, pan, wet))
    drums = str(rng.choice(style.drums))
    if drums:
        channels.append(Channel(DRUMS, style.kit, int(rng.integers(70, 120)), 64, 20))
    return StyledBand(
        style=style_number,
        channels=tuple(channels),
        patterns=(
            str(rng.choice(style.chord_patterns)), str(rng.choice(style.bass_patterns)), drums
        ),
        mode=str(rng.choice(style.modes)),
        bpm=float(rng.uniform(*style.tempo)),
        swing=float(rng.choice([0.0, 0.0, rng.uniform(0.0, 0.15)])),
        register=int(rng.integers(-1, 2)) * 12,
        density=float(rng.uniform(0.3, 0.95)),
        voice=int(rng.integers(1 << 30)) if rng.random() < style.voice else None,
    )  # fmt: skip


def compose(band: StyledBand, seconds: float, rng: np.random.Generator) -> RenderedPiece:
    """A piece of about `seconds` that the band plays: two sections by turns, in 4/4."""
    bpm = band.bpm * float(rng.uniform(0.93, 1.07))
    key = int(rng.integers(12))
    scale = MODES[band.mode]
    bars = max(4, round(seconds * bpm / 240))
    sections = [rng.choice(len(_CHORDS)) for _ in range(2)]
    motifs = [_motif(band.density, rng) for _ in range(2)]
    notes: list[MidiNote] = []
    sung: list[MidiNote] = []
    present = {c.number for c in band.channels}
    place = int(rng.integers(7))
    for bar in range(bars):
        section = bar // 4 % 2
        degree = _CHORDS[sections[section]][bar % 4]
        chord = [key + _pitch(scale, degree + step) for step in (0, 2, 4)]
        quiet = bar < 2 or (section == 1 and rng.random() < 0.2)
        notes += _accompany(band, chord, bar, present, quiet, rng)
        tune, place = _melody(scale, key, motifs[section], bar, place, band, rng)
        singing = band.voice is not None and bar // 2 % 4 != 3
        if singing:
            sung += [n._replace(pitch=n.pitch - 12) for n in tune]
        elif _LEAD in present and not quiet:
            notes += tune
    return RenderedPiece(tuple(_swung(notes, band.swing)), tuple(sung), bpm, key, band.mode)


def _pitch(scale: tuple[int, ...], degree: int) -> int:
    return scale[degree % 7] + 12 * (degree // 7)


def _motif(density: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """A rhythm of two bars for the melody: (start, length) in beats, starts within 8."""
    motif, now = [], 0.0
    while now < 7.9:
        length = float(rng.choice([0.5, 0.5, 1.0, 1.0, 1.5, 2.0]) / (0.5 + density))
        length = max(0.25, round(length * 4) / 4)
        if rng.random() < 0.4 + 0.6 * density:
            motif.append((now, min(length, 8 - now) * 0.95))
        now += length
    return motif


def _melody(
    scale: tuple[int, ...], key: int, motif: list[tuple[float, float]], bar: int, place: int,
    band: StyledBand, rng: np.random.Generator,
) -> tuple[list[MidiNote], int]:  # fmt: skip
    """One bar of a walk along the scale in the motif's rhythm, and where the walk stands."""
    tune = []
    for start, length in motif:
        if not (bar % 2) * 4 <= start < (bar % 2) * 4 + 4:
            continue
        place = int(np.clip(place + rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 3]), -3, 10))
        pitch = 65 + band.register + key % 12 - 5 + _pitch(scale, place)
        tune.append(
            MidiNote(_LEAD, bar // 2 * 8 + start, length, pitch, int(rng.integers(70, 115)))
        )
    return tune, place


def _accompany(
    band: StyledBand,
    chord: list[int],
    bar: int,
    present: set[int],
    quiet: bool,
    rng: np.random.Generator,
) -> list[MidiNote]:
    """One bar of chords, bass, pad and drums."""
    notes: list[MidiNote] = []
    chords, bass, drums = band.patterns
    if _CHORD in present:
        notes += _play_chords(chords, [48 + p for p in chord], bar * 4.0, rng)
    if _BASS in present and not quiet:
        for i, (start, length) in enumerate(RHYTHMS[bass]):
            step = chord[int(rng.integers(3))] if bass == "walking" and i else chord[0]
            pitch = 36 + step % 12 + (12 if bass == "octave" and i % 2 else 0)
            notes.append(
                MidiNote(_BASS, bar * 4 + start, length, pitch, int(rng.integers(80, 110)))
            )
    if _PAD in present:
        notes += [
            MidiNote(_PAD, bar * 4.0, 4.0, 60 + p % 12, int(rng.integers(45, 75))) for p in chord
        ]
    if DRUMS in present:
        notes += _play_drums(drums, bar, rng)
    return notes


def _play_chords(
    pattern: str, pitches: list[int], start: float, rng: np.random.Generator
) -> list[MidiNote]:
    velocity = int(rng.integers(60, 100))
    if pattern == "arpeggio":
        climb = [*pitches, pitches[0] + 12, *pitches[:0:-1], pitches[1]]
        return [
            MidiNote(_CHORD, start + i / 2, 0.6, climb[i % len(climb)], velocity) for i in range(8)
        ]
    if pattern in ("power", "gallop"):
        pitches = [pitches[0] - 12, pitches[0] - 5, pitches[0]]
    return [
        MidiNote(_CHORD, start + s, length, p, int(np.clip(velocity + rng.integers(-8, 9), 1, 127)))
        for s, length in RHYTHMS[pattern]
        for p in pitches
    ]


def _play_drums(pattern: str, bar: int, rng: np.random.Generator) -> list[MidiNote]:
    notes = []
    for drum, starts in DRUM_PATTERNS[pattern]:
        for start in starts:
            if rng.random() < 0.95:
                loud = int(rng.integers(75, 120))
                notes.append(MidiNote(DRUMS, bar * 4 + start, 0.1, drum, loud))
    if bar % 4 == 3 and rng.random() < 0.6:  # a fill into the next four bars
        notes += [MidiNote(DRUMS, bar * 4 + 3 + i / 4, 0.1, 45 + i, 100) for i in range(4)]
    return notes


def _swung(notes: list[MidiNote], swing: float) -> list[MidiNote]:
    """Off-beat eighths come later by `swing` beats."""
    return [n._replace(start=n.start + swing) if n.start % 1 == 0.5 else n for n in notes]
