"""Drum grids, basses, chords, arpeggios and melodies over a plan.

Rhythms are written as grids, one sign for each step of a bar: "x" loud, "o" soft, "." silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from musicu.datasets.synth.composition import Chord, Note, Part, Plan

_LOUDNESS = {"x": 1.0, "o": 0.55, "-": 0.28}
_Motif = list[tuple[float, float, str, int]]  # beat, beats, sign, scale steps above the chord


@dataclass(frozen=True, slots=True)
class Band:
    """Players of one plan, and what they decide by chance.

    Of its methods: several grids take turns, bar by bar. beats: how long a note lasts. low: from
    which MIDI pitch on. first: after which share of the piece the part begins. swing: how far
    every second step is late, as a share of a step.
    """

    plan: Plan
    rng: np.random.Generator

    def pick(self, *options: str) -> str:
        """One of several grids."""
        return options[int(self.rng.integers(len(options)))]

    def drums(self, *grids: str, first: float = 0, swing: float = 0.0) -> list[Note]:
        """Hits."""
        steps = self._steps(grids, first, swing)
        return [Note(start + beat, 0.5, 0, _LOUDNESS[sign]) for _, start, beat, sign in steps]

    def chords(
        self, grid: str, beats: float, low: int, first: float = 0, swing: float = 0.0
    ) -> list[Note]:
        """The bar's chord, closely voiced, at every step of a grid."""
        return [
            Note(start + beat, beats, pitch, _LOUDNESS[sign])
            for chord, start, beat, sign in self._steps([grid], first, swing)
            for pitch in chord.voiced(self.plan.key, low)
        ]

    def bass(self, grid: str, beats: float, low: int, first: float = 0) -> list[Note]:
        """Chord tones below: signs "1", "3", "5" name the tone, "8" the root an octave up."""
        notes = []
        for chord, start, beat, sign in self._steps([grid], first):
            root, third, fifth = chord.pitches(self.plan.key)[:3]
            tone = {"1": 0, "3": third - root, "5": fifth - root, "8": 12}[sign]
            loud = 1.0 if beat == 0 else 0.8
            notes.append(Note(start + beat, beats, low + (root - low) % 12 + tone, loud))
        return notes

    def arpeggio(self, grid: str, beats: float, low: int, first: float = 0) -> list[Note]:
        """Single chord tones, upwards: signs "0" to "9" count the tones."""
        notes = []
        for chord, start, beat, sign in self._steps([grid], first):
            tones = chord.voiced(self.plan.key, low)
            octave, which = divmod(int(sign), len(tones))
            loud = 0.9 if beat % 1 == 0 else 0.65
            notes.append(Note(start + beat, beats, tones[which] + 12 * octave, loud))
        return notes

    def walking_bass(self, low: int) -> list[Note]:
        """A jazz bass: the root on one, chord tones between, a semitone into the next root."""
        plan, rng, notes = self.plan, self.rng, []
        for bar, start in self._bars(0):
            here = [low + (p - low) % 12 for p in plan.chords[bar].pitches(plan.key)]
            following = plan.chords[(bar + 1) % plan.bars].pitches(plan.key)[0]
            approach = low + (following - low) % 12 + (-1 if rng.random() < 0.6 else 1)
            line = [here[0], here[int(rng.integers(1, 3))], here[int(rng.integers(1, 3))], approach]
            for beat, pitch in enumerate(line[: plan.beats_per_bar]):
                notes.append(Note(start + beat, 0.95, pitch, 1.0 if beat % 2 == 0 else 0.85))
        return notes

    def melody(
        self, *rhythms: str, low: int, first: float = 0, swing: float = 0.0, rest: float = 0.0
    ) -> list[Note]:
        """A tune of two-bar motifs in the form A A' B A', moved along with the chords.

        Each rhythm is one bar; a motif takes two of them. Accented notes ("x") fall on chord
        tones, the others walk the scale. rest: how likely a bar is silent.
        """
        plan = self.plan
        motifs = [self._motif(rhythms, swing) for _ in range(2)]
        notes = []
        for bar, start in self._bars(first):
            if bar == plan.bars - 1:
                tonic = plan.key.pitch(0) + self._octaves(low)
                notes.append(Note(start, float(plan.beats_per_bar), tonic, 1.0))
            elif not rest or self.rng.random() >= rest:
                motif = motifs[(0, 0, 1, 0)[bar // 2 % 4]][bar % 2]
                notes += self._sing(plan.chords[bar], start, motif, low)
        return notes

    def _bars(self, first: float) -> Iterator[tuple[int, float]]:
        """(bar, its first beat) of the bars from a share of the piece on."""
        for bar in range(self.plan.bar_at(first), self.plan.bars):
            yield bar, float(bar * self.plan.beats_per_bar)

    def _steps(
        self, grids: Sequence[str], first: float, swing: float = 0.0
    ) -> Iterator[tuple[Chord, float, float, str]]:
        """(chord, the bar's first beat, beat within it, sign) of every sounding step."""
        for bar, start in self._bars(first):
            for beat, sign in self._grid(grids[bar % len(grids)], swing):
                yield self.plan.chords[bar], start, beat, sign

    def _grid(self, grid: str, swing: float) -> list[tuple[float, str]]:
        """(beat, sign) of every sounding step of a bar."""
        step = self.plan.beats_per_bar / len(grid)
        late = [swing * step * (i % 2) for i in range(len(grid))]
        return [(i * step + late[i], sign) for i, sign in enumerate(grid) if sign != "."]

    def _motif(self, rhythms: Sequence[str], swing: float) -> list[_Motif]:
        """Two bars of rhythm and contour."""
        height = int(self.rng.integers(0, 5))
        bars: list[_Motif] = []
        for _ in range(2):
            hits = self._grid(rhythms[int(self.rng.integers(len(rhythms)))], swing)
            ends = [beat for beat, _ in hits[1:]] + [float(self.plan.beats_per_bar)]
            bars.append([])
            for (beat, sign), end in zip(hits, ends, strict=True):
                bars[-1].append((beat, end - beat, sign, height))
                height = int(np.clip(height + self.rng.choice((-2, -1, -1, 1, 1, 2)), -2, 8))
        return bars

    def _sing(self, chord: Chord, start: float, motif: _Motif, low: int) -> list[Note]:
        """A motif over one bar's chord, its heights counted from the tonic near `low`."""
        tones = {step % 7 for step in chord.steps()[:3]}
        notes = []
        for beat, beats, sign, height in motif:
            step = height
            if sign == "x":
                near = range(height - 2, height + 3)
                step = min(near, key=lambda s: (s % 7 not in tones, abs(s - height), s))
            pitch = self.plan.key.pitch(step, chord.raised) + self._octaves(low)
            notes.append(Note(start + beat, beats * 0.95, pitch, _LOUDNESS[sign]))
        return notes

    def _octaves(self, low: int) -> int:
        """Semitones from the key's tonic to the tonic nearest to a MIDI pitch."""
        return 12 * round((low - self.plan.key.pitch(0)) / 12)


def resolved(part: Part, plan: Plan) -> Part:
    """The part with an ending: in the last bar only its first beat sounds, and is held."""
    last = float((plan.bars - 1) * plan.beats_per_bar)
    held = [
        note._replace(beats=max(note.beats, float(plan.beats_per_bar)))
        for note in part.notes
        if note.beat == last
    ]
    return replace(part, notes=[note for note in part.notes if note.beat < last] + held)
