"""Instruments that sound as long as they are held, from band-limited waves.

A note is mono, float32 [n], about -1 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Held = Callable[[float, int, int, np.random.Generator], Samples]  # Hz, samples, sample rate, rng

_TABLE = 4096  # samples in one period


def pad(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Slow, soft, wide saws."""
    return _stacked(hz, n, rate, "saw", (-7, 0, 6), 0.22, 0, rng) * envelope(
        n, rate, 0.9, 0.5, 0.8, 1.2
    )


def strings(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A bowed section: two saws with vibrato, slow to speak."""
    return _stacked(hz, n, rate, "saw", (-3, 4), 0.1, 16, rng) * envelope(
        n, rate, 0.11, 0.3, 0.85, 0.14
    )


def square(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A game console's square wave."""
    return (
        0.6
        * _wave("square", hz, _cycles(hz, n, rate), rate, 0.0)
        * envelope(n, rate, 0.002, 0.05, 0.6, 0.01)
    )


def pulse(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A game console's narrow pulse, with vibrato."""
    return (
        0.6
        * _wave("pulse", hz, _cycles(hz, n, rate, 22), rate, 0.0)
        * envelope(n, rate, 0.002, 0.1, 0.55, 0.02)
    )


def triangle(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A game console's triangle: a plain bass."""
    return _wave("triangle", hz, _cycles(hz, n, rate), rate, 0.0) * envelope(
        n, rate, 0.002, 0.05, 0.9, 0.01
    )


def stab(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A short synthesiser chord whose brightness falls."""
    bright = _stacked(hz, n, rate, "saw", (-5, 5), 0.03, 0, rng)
    dark = _stacked(hz, n, rate, "saw", (-5, 5), 0.4, 0, rng)
    return _fading(bright, dark, 0.08, rate) * envelope(n, rate, 0.003, 0.15, 0.5, 0.05)


def lead(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A singing synthesiser lead."""
    return _stacked(hz, n, rate, "saw", (-6, 6), 0.06, 12, rng) * envelope(
        n, rate, 0.015, 0.2, 0.7, 0.08
    )


def synth_bass(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A plucked low saw, its brightness falling."""
    bright = _stacked(hz, n, rate, "saw", (0, 4), 0.06, 0, rng)
    dark = _stacked(hz, n, rate, "triangle", (0,), 0.0, 0, rng)
    bright = 0.7 * bright + 0.3 * dark
    return _fading(bright, dark, 0.07, rate) * envelope(n, rate, 0.004, 0.2, 0.75, 0.03)


def reese(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Two low saws that beat against each other, the drum and bass growl."""
    return _stacked(hz, n, rate, "saw", (-14, 15), 0.12, 0, rng) * envelope(
        n, rate, 0.02, 0.2, 0.9, 0.06
    )


def sub_bass(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Nearly a sine: the bass of dub."""
    return _wave("triangle", hz, _cycles(hz, n, rate), rate, 0.5) * envelope(
        n, rate, 0.01, 0.1, 0.9, 0.05
    )


def organ(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Drawbars without a rotor."""
    return (
        0.7
        * _wave("organ", hz, _cycles(hz, n, rate), rate, 0.05)
        * envelope(n, rate, 0.006, 0.05, 0.9, 0.02)
    )


def drone(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A dark tone that breathes, with a hiss of its own pitch."""
    tone = _stacked(hz, n, rate, "organ", (-9, 0, 8), 0.15, 0, rng)
    t = np.arange(n) / rate
    breath = 0.7 + 0.3 * np.sin(2 * np.pi * (rng.uniform(0.05, 0.15) * t + rng.random()))
    return tone * breath.astype(np.float32) * envelope(n, rate, 2.5, 0.1, 1.0, 2.5)


@lru_cache(maxsize=512)
def _table(shape: str, partials: int, softness: float) -> Samples:
    """One period of a band-limited wave, float32 [4096], peak 1.

    softness: how fast partials fade beyond the wave's own slope, per partial.
    """
    k = np.arange(1, partials + 1)
    slopes = {
        "saw": 1.0 / k,
        "square": (k % 2) / k,
        "pulse": np.abs(np.sin(np.pi * k * 0.25)) / k,
        "triangle": (k % 2) / k**2.0,
        "organ": np.isin(k, (1, 2, 3, 4, 6, 8)) / k**0.8,
    }
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    spectrum[1 : partials + 1] = -1j * slopes[shape] * np.exp(-softness * (k - 1))
    wave = np.fft.irfft(spectrum)
    period: Samples = (wave / np.abs(wave).max()).astype(np.float32)
    return period


def _wave(
    shape: str, hz: float, cycles: NDArray[np.float64], rate: int, softness: float
) -> Samples:
    """A wave read at phases counted in cycles, without partials above 0.45 of the rate."""
    partials = int(np.clip(0.45 * rate / hz, 1, 60))
    index = (cycles * _TABLE).astype(np.int64) & (_TABLE - 1)
    wave: Samples = _table(shape, partials, softness)[index]
    return wave


def _cycles(
    hz: float, n: int, rate: int, vibrato_cents: float = 0.0, vibrato_hz: float = 5.3
) -> NDArray[np.float64]:
    """Phase in cycles of a tone with a vibrato that grows over its first 0.4 seconds."""
    t = np.arange(n) / rate
    if not vibrato_cents:
        return hz * t
    depth = hz * vibrato_cents * np.log(2) / 1200 / (2 * np.pi * vibrato_hz)
    cycles: NDArray[np.float64] = hz * t - depth * np.minimum(t / 0.4, 1) * np.cos(
        2 * np.pi * vibrato_hz * t
    )
    return cycles


def envelope(
    n: int, rate: int, attack: float, decay: float, sustain: float, release: float
) -> Samples:
    """Attack, decay, sustain, release (seconds; sustain 0 to 1) that ends at zero, float32 [n]."""
    span = n / rate
    attack, release = min(attack, span / 3), min(release, span / 2)
    decayed = min(attack + decay, span - release)
    times = (0.0, attack, decayed, span - release, span)
    levels = (0.0, 1.0, sustain, sustain, 0.0)
    return np.interp(np.arange(n) / rate, times, levels).astype(np.float32)


def _stacked(
    hz: float,
    n: int,
    rate: int,
    shape: str,
    cents: tuple[float, ...],
    softness: float,
    vibrato: float,
    rng: np.random.Generator,
) -> Samples:
    """Several detuned waves with phases of their own."""
    out = np.zeros(n, dtype=np.float32)
    for cent in cents:
        cycles = _cycles(hz * 2 ** (cent / 1200), n, rate, vibrato) + rng.random()
        out += _wave(shape, hz, cycles, rate, softness)
    out /= np.float32(len(cents))
    return out


def _fading(bright: Samples, dark: Samples, life: float, rate: int) -> Samples:
    """A sound whose brightness falls to 1/e in `life` seconds, as of a closing filter."""
    share = np.exp(-np.arange(len(bright), dtype=np.float32) / np.float32(life * rate))
    faded: Samples = share * bright + (1 - share) * dark
    return faded


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
