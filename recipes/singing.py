"""A sung line without words: harmonics of a gliding pitch through the resonances of vowels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.midi import MidiNote

# First three formants of five vowels in Hz (Peterson and Barney 1952, men, rounded).
_VOWELS = np.array(
    [[730, 1090, 2440], [530, 1840, 2480], [270, 2290, 3010], [570, 840, 2410], [300, 870, 2240]]
)
_HOP = 220  # samples from one envelope value to the next


@dataclass(frozen=True, slots=True)
class Singer:
    """A voice: formants scaled by `size`, vibrato in semitones and Hz, breath as a share."""

    size: float
    octave: int
    vibrato: float
    vibrato_hz: float
    breath: float
    tilt_db: float  # fall of the source per octave
    consonants: float


def form_singer(rng: np.random.Generator) -> Singer:
    """A voice drawn at random, from bass to soprano."""
    high = bool(rng.random() < 0.5)
    return Singer(
        size=float(rng.uniform(1.08, 1.25) if high else rng.uniform(0.92, 1.05)),
        octave=0 if high else -12,
        vibrato=float(rng.uniform(0.0, 0.6)),
        vibrato_hz=float(rng.uniform(4.5, 6.5)),
        breath=float(rng.uniform(0.005, 0.08)),
        tilt_db=float(rng.uniform(6.0, 12.0)),
        consonants=float(rng.uniform(0.0, 0.5)),
    )


def sing(
    notes: Sequence[MidiNote],
    singer: Singer,
    bpm: float,
    n: int,
    rate: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:  # fmt: skip
    """The notes sung to random vowels, float32 [n] at `rate` Hz, peaks near 1."""
    sound = np.zeros(n, dtype=np.float32)
    before = 0.0
    for note in notes:
        start = int(note.start * 60 / bpm * rate)
        length = min(int(note.length * 60 / bpm * rate * 1.02), n - start)
        if length < 4 * _HOP:
            continue
        pitch = float(note.pitch + singer.octave)
        glide = before if 0 < abs(before - pitch) < 8 else pitch
        tone = _note(pitch, glide, length, singer, rate, rng)
        sound[start : start + length] += tone * (note.velocity / 127) ** 1.5
        before = pitch
    peak = float(np.abs(sound).max(initial=0.0))
    return sound / peak if peak > 0 else sound


def _note(
    pitch: float, before: float, n: int, singer: Singer, rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """One note, from vowel to vowel, float32 [n]."""
    t = np.arange(n) / rate
    bend = (before - pitch) * np.exp(-t / 0.04)
    depth = singer.vibrato * np.clip((t - 0.15) / 0.3, 0, 1)  # vibrato sets in late
    semitones = pitch + bend + depth * np.sin(2 * np.pi * singer.vibrato_hz * t)
    hz = 440.0 * 2 ** ((semitones - 69) / 12)
    phase = 2 * np.pi * np.cumsum(hz) / rate
    first, last = _VOWELS[rng.integers(5)], _VOWELS[rng.integers(5)]
    grid = np.arange(0, n + _HOP, _HOP)
    share = np.clip(grid / n * 1.5 - 0.25, 0, 1)[:, None]
    formants = (first * (1 - share) + last * share) * singer.size  # [grid, 3]
    tone = np.zeros(n)
    base = float(hz.mean())
    for k in range(1, min(40, int(0.47 * rate / base)) + 1):
        gain = _resonance(np.full(len(grid), k * base), formants)
        gain *= 10 ** (-singer.tilt_db * np.log2(k) / 20)
        tone += np.interp(np.arange(n), grid, gain) * np.sin(k * phase)
    tone += singer.breath * rng.standard_normal(n) * np.abs(tone).mean() * 4
    envelope = np.minimum(1, t / 0.05) * np.minimum(1, (n / rate - t) / 0.06)
    tone *= envelope
    if rng.random() < singer.consonants:
        tone += _consonant(n, rate, rng) * np.abs(tone).max()
    return tone.astype(np.float32)


def _resonance(hz: NDArray[np.float64], formants: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gain of three resonances at `hz`, each [n], formants [n, 3]."""
    widths = 60.0 + 0.06 * formants
    curves = 1 / (1 + ((hz[:, None] - formants) / widths) ** 2)
    gain: NDArray[np.float64] = (curves * np.array([1.0, 0.6, 0.35])).sum(axis=1) + 0.01
    return gain


def _consonant(n: int, rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A burst of hiss at the note's start, as of s, t or f."""
    burst = np.zeros(n)
    length = min(n, int(rng.uniform(0.02, 0.1) * rate))
    noise = np.diff(rng.standard_normal(length + 1))  # brighter than white
    burst[:length] = noise * np.hanning(length) * rng.uniform(0.1, 0.4)
    return burst
