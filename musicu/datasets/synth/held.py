"""Instruments that sound as long as they are held, from band-limited waves.

A note is mono, float32 [n], about -1 to 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from musicu.datasets.synth.waves import Samples, envelope, fading, phase, read_wave, stacked

Held = Callable[[float, int, int, np.random.Generator], Samples]  # Hz, samples, sample rate, rng


def pad(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Slow, soft, wide saws."""
    return stacked(hz, n, rate, "saw", (-7, 0, 6), 0.22, 0, rng) * envelope(
        n, rate, 0.9, 0.5, 0.8, 1.2
    )


def strings(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A bowed section: two saws with vibrato, slow to speak."""
    return stacked(hz, n, rate, "saw", (-3, 4), 0.1, 16, rng) * envelope(
        n, rate, 0.11, 0.3, 0.85, 0.14
    )


def square(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A game console's square wave."""
    return (
        0.6
        * read_wave("square", hz, phase(hz, n, rate), rate, 0.0)
        * envelope(n, rate, 0.002, 0.05, 0.6, 0.01)
    )


def pulse(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A game console's narrow pulse, with vibrato."""
    return (
        0.6
        * read_wave("pulse", hz, phase(hz, n, rate, 22), rate, 0.0)
        * envelope(n, rate, 0.002, 0.1, 0.55, 0.02)
    )


def triangle(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A game console's triangle: a plain bass."""
    return read_wave("triangle", hz, phase(hz, n, rate), rate, 0.0) * envelope(
        n, rate, 0.002, 0.05, 0.9, 0.01
    )


def stab(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A short synthesiser chord whose brightness falls."""
    bright = stacked(hz, n, rate, "saw", (-5, 5), 0.03, 0, rng)
    dark = stacked(hz, n, rate, "saw", (-5, 5), 0.4, 0, rng)
    return fading(bright, dark, 0.08, rate) * envelope(n, rate, 0.003, 0.15, 0.5, 0.05)


def lead(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A singing synthesiser lead."""
    return stacked(hz, n, rate, "saw", (-6, 6), 0.06, 12, rng) * envelope(
        n, rate, 0.015, 0.2, 0.7, 0.08
    )


def synth_bass(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A plucked low saw, its brightness falling."""
    bright = stacked(hz, n, rate, "saw", (0, 4), 0.06, 0, rng)
    dark = stacked(hz, n, rate, "triangle", (0,), 0.0, 0, rng)
    bright = 0.7 * bright + 0.3 * dark
    return fading(bright, dark, 0.07, rate) * envelope(n, rate, 0.004, 0.2, 0.75, 0.03)


def reese(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Two low saws that beat against each other, the drum and bass growl."""
    return stacked(hz, n, rate, "saw", (-14, 15), 0.12, 0, rng) * envelope(
        n, rate, 0.02, 0.2, 0.9, 0.06
    )


def sub_bass(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Nearly a sine: the bass of dub."""
    return read_wave("triangle", hz, phase(hz, n, rate), rate, 0.5) * envelope(
        n, rate, 0.01, 0.1, 0.9, 0.05
    )


def organ(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Drawbars without a rotor."""
    return (
        0.7
        * read_wave("organ", hz, phase(hz, n, rate), rate, 0.05)
        * envelope(n, rate, 0.006, 0.05, 0.9, 0.02)
    )


def drone(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A dark tone that breathes, with a hiss of its own pitch."""
    tone = stacked(hz, n, rate, "organ", (-9, 0, 8), 0.15, 0, rng)
    t = np.arange(n) / rate
    breath = 0.7 + 0.3 * np.sin(2 * np.pi * (rng.uniform(0.05, 0.15) * t + rng.random()))
    return tone * breath.astype(np.float32) * envelope(n, rate, 2.5, 0.1, 1.0, 2.5)


HELD: dict[str, Held] = {
    "pad": pad,
    "strings": strings,
    "square wave": square,
    "pulse wave": pulse,
    "triangle wave": triangle,
    "stab": stab,
    "lead": lead,
    "synth bass": synth_bass,
    "reese bass": reese,
    "sub bass": sub_bass,
    "organ": organ,
    "drone": drone,
}
