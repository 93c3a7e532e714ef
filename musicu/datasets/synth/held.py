"""Instruments that sound as long as they are held, from band-limited waves.

A note is mono, float32 [n], about -1 to 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from musicu.datasets.synth.waves import Samples, envelope, fading, phase, read_wave, stacked

Held = Callable[[float, int, int, np.random.Generator], Samples]  # Hz, samples, sample rate, rng


def _stack(
    shape: str, cents: tuple[float, ...], softness: float, vibrato: float, *adsr: float
) -> Held:
    """Detuned waves under an envelope; vibrato in cents, `adsr` as in `envelope`."""

    def note(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
        waves = stacked(hz, n, rate, shape, cents, softness, vibrato, rng)
        return waves * envelope(n, rate, *adsr)

    return note


def _wave(gain: float, shape: str, softness: float, vibrato: float, *adsr: float) -> Held:
    """One wave under an envelope."""

    def note(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
        wave = read_wave(shape, hz, phase(hz, n, rate, vibrato), rate, softness)
        return gain * wave * envelope(n, rate, *adsr)

    return note


def stab(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A short synthesiser chord whose brightness falls."""
    bright = stacked(hz, n, rate, "saw", (-5, 5), 0.03, 0, rng)
    dark = stacked(hz, n, rate, "saw", (-5, 5), 0.4, 0, rng)
    return fading(bright, dark, 0.08, rate) * envelope(n, rate, 0.003, 0.15, 0.5, 0.05)


def synth_bass(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A plucked low saw, its brightness falling."""
    bright = stacked(hz, n, rate, "saw", (0, 4), 0.06, 0, rng)
    dark = stacked(hz, n, rate, "triangle", (0,), 0.0, 0, rng)
    bright = 0.7 * bright + 0.3 * dark
    return fading(bright, dark, 0.07, rate) * envelope(n, rate, 0.004, 0.2, 0.75, 0.03)


def drone(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A dark tone that breathes, with a hiss of its own pitch."""
    tone = stacked(hz, n, rate, "organ", (-9, 0, 8), 0.15, 0, rng)
    t = np.arange(n) / rate
    breath = 0.7 + 0.3 * np.sin(2 * np.pi * (rng.uniform(0.05, 0.15) * t + rng.random()))
    return tone * breath.astype(np.float32) * envelope(n, rate, 2.5, 0.1, 1.0, 2.5)


HELD: dict[str, Held] = {
    "pad": _stack("saw", (-7, 0, 6), 0.22, 0, 0.9, 0.5, 0.8, 1.2),
    "strings": _stack("saw", (-3, 4), 0.1, 16, 0.11, 0.3, 0.85, 0.14),
    "lead": _stack("saw", (-6, 6), 0.06, 12, 0.015, 0.2, 0.7, 0.08),
    "reese bass": _stack("saw", (-14, 15), 0.12, 0, 0.02, 0.2, 0.9, 0.06),  # two saws that beat
    "square wave": _wave(0.6, "square", 0.0, 0, 0.002, 0.05, 0.6, 0.01),
    "pulse wave": _wave(0.6, "pulse", 0.0, 22, 0.002, 0.1, 0.55, 0.02),
    "triangle wave": _wave(1.0, "triangle", 0.0, 0, 0.002, 0.05, 0.9, 0.01),
    "sub bass": _wave(1.0, "triangle", 0.5, 0, 0.01, 0.1, 0.9, 0.05),  # nearly a sine
    "organ": _wave(0.7, "organ", 0.05, 0, 0.006, 0.05, 0.9, 0.02),
    "stab": stab,
    "synth bass": synth_bass,
    "drone": drone,
}
