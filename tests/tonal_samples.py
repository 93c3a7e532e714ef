"""Made sound with a known tempo and key, for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 22_050
TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7)}
#: Chords of a turn: semitones above the tonic, and kind.
TURNS = {
    "major": ((0, "major"), (5, "major"), (7, "major"), (0, "major")),
    "minor": ((0, "minor"), (5, "minor"), (7, "major"), (0, "minor")),
}


def clicks(bpm: float, seconds: float = 15.0, rate: int = RATE) -> NDArray[np.float32]:
    """Short bursts of noise on every beat, the first at 0.5 s, over a faint hiss."""
    rng = np.random.default_rng(0)
    sound = 1e-4 * rng.standard_normal(round(seconds * rate))
    burst = rng.standard_normal(round(0.03 * rate)) * np.exp(
        -np.arange(round(0.03 * rate)) / (0.005 * rate)
    )
    for beat in np.arange(0.5, seconds - 0.1, 60.0 / bpm):
        start = round(beat * rate)
        sound[start : start + len(burst)] += 0.5 * burst
    return sound.astype(np.float32)


def drums(bpm: float, seconds: float = 20.0, rate: int = RATE) -> NDArray[np.float32]:
    """Kick on 1 and 3, snare on 2 and 4, hats on eighths: a rock beat from 0.5 s."""
    rng = np.random.default_rng(1)
    sound = 1e-4 * rng.standard_normal(round(seconds * rate))
    t = np.arange(round(0.2 * rate)) / rate
    kick = np.sin(2 * np.pi * 55 * t * (1 + np.exp(-t / 0.02))) * np.exp(-t / 0.06)
    snare = 0.5 * rng.standard_normal(len(t)) * np.exp(-t / 0.05)
    hat = 0.25 * np.diff(rng.standard_normal(len(t) + 1)) * np.exp(-t / 0.015)
    for eighth in range(int((seconds - 0.8) * bpm / 30)):
        start = round((0.5 + eighth * 30.0 / bpm) * rate)
        hit = hat + (0 if eighth % 2 else snare if eighth // 2 % 2 else kick)
        sound[start : start + len(t)] += 0.5 * hit
    return sound.astype(np.float32)


def chords(
    tonic: int,
    mode: str,
    seconds: float = 12.0,
    cents: float = 0.0,
    rate: int = RATE,
    each: float = 0.75,
) -> NDArray[np.float32]:
    """A cadence, over and over, of plucked notes with six harmonics, and its bass.

    each: seconds from chord to chord.
    """
    length = round(each * rate)
    t = np.arange(length) / rate
    parts = []
    for step in range(round(seconds / each)):
        root, kind = TURNS[mode][step % 4]
        notes = [36 + (tonic + root) % 12] + [
            55 + (tonic + root + p - 7) % 12 for p in TRIADS[kind]
        ]
        part = np.zeros(length)
        for note in notes:
            hz = 440.0 * 2 ** ((note - 69 + cents / 100) / 12)
            for k in range(1, 7):
                part += np.sin(2 * np.pi * k * hz * t) * np.exp(-t * (1 + 0.7 * k)) / k
        parts.append(part)
    sound = np.concatenate(parts)
    return (0.2 * sound / np.abs(sound).max()).astype(np.float32)
