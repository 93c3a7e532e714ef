"""Drum grids, basses, chords, arpeggios and melodies over a plan.

Rhythms are written as grids, one sign for each step of a bar: "x" loud, "o" soft, "." silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from musicu.datasets.synth.score import Note, Part, Plan

_LOUDNESS = {"x": 1.0, "o": 0.55, "-": 0.28}


def grid(pattern: str, beats: int, swing: float = 0.0) -> list[tuple[float, str]]:
    """(beat, sign) of every sounding step of a bar of `beats`.

    swing: how far every second step is late, as a share of a step.
    """
    step = beats / len(pattern)
    late = [swing * step * (i % 2) for i in range(len(pattern))]
    return [(i * step + late[i], sign) for i, sign in enumerate(pattern) if sign != "."]


def _bars(plan: Plan, first: float) -> Iterator[tuple[int, float]]:
    """(bar, its first beat) of the bars from a share of the piece on."""
    for bar in range(plan.bar_at(first), plan.bars):
        yield bar, float(bar * plan.beats_per_bar)


def drums(plan: Plan, patterns: Sequence[str], first: float = 0, swing: float = 0.0) -> list[Note]:
    """Hits from drum grids, one grid a bar in turn."""
    return [
        Note(start + beat, 0.5, 0, _LOUDNESS[sign])
        for bar, start in _bars(plan, first)
        for beat, sign in grid(patterns[bar % len(patterns)], plan.beats_per_bar, swing)
    ]


def chords(
    plan: Plan,
    pattern: str,
    beats: float,
    low: int,
    first: float = 0,
    swing: float = 0.0,
) -> list[Note]:
    """The bar's chord, closely voiced above MIDI pitch `low`, at every step of a grid."""
    return [
        Note(start + beat, beats, pitch, _LOUDNESS[sign])
        for bar, start in _bars(plan, first)
        for beat, sign in grid(pattern, plan.beats_per_bar, swing)
        for pitch in plan.chords[bar].voiced(plan.key, low)
    ]


def bass(plan: Plan, pattern: str, beats: float, low: int, first: float = 0) -> list[Note]:
    """Chord tones below: signs "1", "3", "5" name the tone, "8" the root an octave up."""
    notes = []
    for bar, start in _bars(plan, first):
        chord = plan.chords[bar]
        root, third, fifth = chord.pitches(plan.key)[:3]
        root_low = low + (root - low) % 12
        tones = {"1": 0, "3": third - root, "5": fifth - root, "8": 12}
        for beat, sign in grid(pattern, plan.beats_per_bar):
            loud = 1.0 if beat == 0 else 0.8
            notes.append(Note(start + beat, beats, root_low + tones[sign], loud))
    return notes


def arpeggio(plan: Plan, pattern: str, beats: float, low: int, first: float = 0) -> list[Note]:
    """Single chord tones, upward from MIDI pitch `low`: signs "0" to "9" count the tones."""
    notes = []
    for bar, start in _bars(plan, first):
        tones = plan.chords[bar].voiced(plan.key, low)
        for beat, sign in grid(pattern, plan.beats_per_bar):
            octave, which = divmod(int(sign), len(tones))
            loud = 0.9 if beat % 1 == 0 else 0.65
            notes.append(Note(start + beat, beats, tones[which] + 12 * octave, loud))
    return notes


def walking_bass(plan: Plan, rng: np.random.Generator, low: int, first: float = 0) -> list[Note]:
    """A jazz bass: the root on one, chord tones between, a semitone into the next root."""
    notes = []
    for bar, start in _bars(plan, first):
        here = [low + (p - low) % 12 for p in plan.chords[bar].pitches(plan.key)]
        following = plan.chords[(bar + 1) % plan.bars].pitches(plan.key)[0]
        target = low + (following - low) % 12
        approach = target + (-1 if rng.random() < 0.6 else 1)
        line = [here[0], here[int(rng.integers(1, 3))], here[int(rng.integers(1, 3))], approach]
        for beat, pitch in enumerate(line[: plan.beats_per_bar]):
            notes.append(Note(start + beat, 0.95, pitch, 1.0 if beat % 2 == 0 else 0.85))
    return notes


def melody(
    plan: Plan,
    rng: np.random.Generator,
    rhythms: Sequence[str],
    low: int,
    first: float = 0,
    swing: float = 0.0,
    rest: float = 0.0,
) -> list[Note]:
    """A tune of two-bar motifs in the form A A' B A', moved along with the chords.

    Each grid of `rhythms` is one bar; a motif takes two of them. Accented notes ("x") fall on
    chord tones, the others walk the scale. rest: how likely a bar is silent.
    """
    motifs = [_motif(rng, rhythms, plan, swing) for _ in range(2)]
    notes = []
    for bar, start in _bars(plan, first):
        motif = motifs[(0, 0, 1, 0)[bar // 2 % 4]][bar % 2]
        if bar == plan.bars - 1:
            tonic = plan.key.pitch(0) + _octaves(plan, low)
            notes.append(Note(start, float(plan.beats_per_bar), tonic, 1.0))
            continue
        if rest and rng.random() < rest:
            continue
        notes += _sing(plan, bar, start, motif, low)
    return notes


def resolved(part: Part, plan: Plan) -> Part:
    """The part with an ending: in the last bar only its first beat sounds, and is held."""
    last = float((plan.bars - 1) * plan.beats_per_bar)
    held = [
        note._replace(beats=max(note.beats, float(plan.beats_per_bar)))
        for note in part.notes
        if note.beat == last
    ]
    return replace(part, notes=[note for note in part.notes if note.beat < last] + held)


_Motif = list[tuple[float, float, str, int]]  # beat, beats, sign, scale steps above the chord


def _motif(
    rng: np.random.Generator, rhythms: Sequence[str], plan: Plan, swing: float
) -> tuple[_Motif, _Motif]:
    """Two bars of rhythm and contour."""
    height = int(rng.integers(0, 5))
    bars: list[_Motif] = []
    for _ in range(2):
        hits = grid(rhythms[int(rng.integers(len(rhythms)))], plan.beats_per_bar, swing)
        ends = [beat for beat, _ in hits[1:]] + [float(plan.beats_per_bar)]
        motif = []
        for (beat, sign), end in zip(hits, ends, strict=True):
            motif.append((beat, end - beat, sign, height))
            height = int(np.clip(height + rng.choice((-2, -1, -1, 1, 1, 2)), -2, 8))
        bars.append(motif)
    return bars[0], bars[1]


def _sing(plan: Plan, bar: int, start: float, motif: _Motif, low: int) -> list[Note]:
    """A motif over one bar's chord, its heights counted from the tonic above `low`."""
    chord = plan.chords[bar]
    tones = {step % 7 for step in chord.steps()[:3]}
    notes = []
    for beat, beats, sign, height in motif:
        step = height
        if sign == "x":
            step = min(
                range(height - 2, height + 3),
                key=lambda s: (s % 7 not in tones, abs(s - height), s),
            )
        pitch = plan.key.pitch(step, chord.raised) + _octaves(plan, low)
        notes.append(Note(start + beat, beats * 0.95, pitch, _LOUDNESS[sign]))
    return notes


def _octaves(plan: Plan, low: int) -> int:
    """Semitones from the key's tonic to the tonic nearest to MIDI pitch `low`."""
    return 12 * round((low - plan.key.pitch(0)) / 12)
