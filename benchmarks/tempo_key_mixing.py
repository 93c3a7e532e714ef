"""Styles that mix parts of others: one's drums under another's chords, on other instruments.

They have more freedom than those they are made of: swing, rubato, borrowed chords and modes,
drones, tunes alone, and music without a bass.
"""

from __future__ import annotations

import numpy as np
from tempo_key_styles import MAJOR, MAJOR_TURNS, MINOR, MINOR_TURNS, Scale, Style

SLOWEST, FASTEST = 46.0, 212.0  # BPM
# Borrowed from the parallel key, mixolydian, lydian, secondary dominants, passing chords.
_MAJOR_MORE = (
    "0M 0M 5m 0M", "0M 5M 5m 0M", "0M 8M 10M 0M", "0M 3M 5M 0M", "0M 10M 5M 5m", "0M 4M 9m 5M",
    "0M 2M 5M 0M", "2M 7M 0M 0M", "0M 9M 2m 7M", "0M 10M 0M 10M", "0M 5M 10M 5M", "0M 2M 0M 2M",
    "5M 5m 0M 0M", "9m 4m 5M 0M", "5M 7M 9m 0M", "7M 5M 0M 0M", "0M 4M 5M 5m", "9m 2m 7M 0M",
    "0M 11d 9m 7M", "5M 0M 5M 0M", "4m 9m 2m 7M", "0M 7m 5M 0M", "0M 6d 5m 0M", "0M 0M 2m 7M",
)  # fmt: skip
# Loops that begin elsewhere, dorian, phrygian, harmonic minor, the Andalusian cadence.
_MINOR_MORE = (
    "8M 3M 10M 0m", "3M 10M 0m 8M", "10M 0m 8M 3M", "8M 10M 0m 3M", "0m 3M 8M 10M", "0m 10M 5m 8M",
    "0m 2m 3M 5M", "0m 5M 10M 0m", "0m 1M 3M 1M", "0m 8M 2d 7M", "0m 5m 8M 7M", "5m 10M 3M 8M",
    "0m 10M 3M 5m", "0m 11d 0m 7M", "0m 7M 0m 7M", "0m 3M 5m 8M", "8M 7m 0m 0m", "0m 8M 0m 8M",
    "0m 0m 5m 7M", "0m 10M 0m 10M", "5m 7M 0m 0m", "0m 6d 5m 7M", "0m 9d 8M 7M", "3M 8M 5m 7M",
)  # fmt: skip
_MAJOR_SCALES: tuple[Scale, ...] = (
    MAJOR, MAJOR, (0, 2, 4, 7, 9), (0, 2, 4, 5, 7, 9, 10), (0, 2, 4, 6, 7, 9, 11),
    (0, 2, 3, 4, 7, 9), (0, 2, 4, 5, 7, 8, 11),
)  # fmt: skip
_MINOR_SCALES: tuple[Scale, ...] = (
    MINOR, MINOR, (0, 3, 5, 7, 10), (0, 2, 3, 5, 7, 9, 10), (0, 1, 3, 5, 7, 8, 10),
    (0, 2, 3, 5, 7, 8, 11), (0, 3, 5, 6, 7, 10),
)  # fmt: skip
_SWINGS = ((0.0, 0.0, 0.5), (0.0, 0.0, 0.5), (0.0, 0.0, 0.5), (0.05, 0.2, 1.0), (0.02, 0.1, 0.5))


def mixed(styles: list[Style], rng: np.random.Generator) -> Style:
    """A style whose drums, rhythms and instruments come from several of `styles`.

    They share the length of a bar and how a beat divides; the tempo is about that of the drums.
    """
    drums = _one(styles, rng)
    alike = [s for s in styles if (s.beats, s.steps) == (drums.beats, drums.steps)]
    chords, bass, hands = _one(alike, rng), _one(alike, rng), [_one(styles, rng) for _ in "cbl"]
    slowest = max(SLOWEST, drums.bpm[0] * float(rng.uniform(0.75, 1.0)))
    fastest = min(FASTEST, drums.bpm[1] * float(rng.uniform(1.0, 1.25)))
    swing = _SWINGS[int(rng.integers(len(_SWINGS)))] if drums.steps == 4 else _SWINGS[0]
    return Style(
        f"mixed {drums.name}", (slowest, fastest), _layered(drums, _one(alike, rng), rng),
        chords.chords, bass.bass, hands[0].chord_programs, hands[1].bass_programs,
        hands[2].lead_programs, drumless=0.3, beats=drums.beats, steps=drums.steps,
        swing=swing[:2], swung=swing[2], loose=float(rng.choice([0.0, 0.006, 0.014, 0.02])),
        rubato=0.03, power=max(chords.power, 0.1), drone=0.12, bassless=0.15, tune_only=0.06,
        turns=(MAJOR_TURNS + _MAJOR_MORE, MINOR_TURNS + _MINOR_MORE),
        scales=(_MAJOR_SCALES, _MINOR_SCALES), faint=0.3,
    )  # fmt: skip


def _layered(drums: Style, other: Style, rng: np.random.Generator) -> tuple[dict[int, str], ...]:
    """The grooves of a style, at times with one drum's part from another style."""
    if not drums.drums or not other.drums or rng.random() < 0.5:
        return drums.drums
    parts = list(other.drums[int(rng.integers(len(other.drums)))].items())
    drum, grid = parts[int(rng.integers(len(parts)))]
    return tuple(groove | {drum: grid} for groove in drums.drums)


def _one(styles: list[Style], rng: np.random.Generator) -> Style:
    return styles[int(rng.integers(len(styles)))]
