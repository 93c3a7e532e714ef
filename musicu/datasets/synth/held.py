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
_VIBRATO_HZ = 5.3


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


def _phase(hz: float, n: int, rate: int, vibrato_cents: float) -> NDArray[np.float64]:
    """Phase in cycles of a tone with a vibrato that grows over its first 0.4 seconds."""
    t = np.arange(n) / rate
    if not vibrato_cents:
        return hz * t
    depth = hz * vibrato_cents * np.log(2) / 1200 / (2 * np.pi * _VIBRATO_HZ)
    swing = depth * np.minimum(t / 0.4, 1) * np.cos(2 * np.pi * _VIBRATO_HZ * t)
    cycles: NDArray[np.float64] = hz * t - swing
    return cycles


def _waves(
    hz: float,
    n: int,
    rate: int,
    rng: np.random.Generator | None,
    shape: str,
    cents: tuple[float, ...] = (0,),
    softness: float = 0.0,
    vibrato: float = 0,
) -> Samples:
    """The mean of detuned waves without partials above 0.45 of the rate; vibrato in cents.

    rng: draws their phases; None: they begin at 0.
    """
    period = _table(shape, int(np.clip(0.45 * rate / hz, 1, 60)), softness)
    out = np.zeros(n, dtype=np.float32)
    for cent in cents:
        cycles = _phase(hz * 2 ** (cent / 1200), n, rate, vibrato)
        cycles += 0.0 if rng is None else rng.random()
        out += period[(cycles * _TABLE).astype(np.int64) & (_TABLE - 1)]
    out /= np.float32(len(cents))
    return out


def _envelope(
    n: int, rate: int, attack: float, decay: float, sustain: float, release: float
) -> Samples:
    """Attack, decay, sustain, release (seconds; sustain 0 to 1) that ends at zero, float32 [n]."""
    span = n / rate
    attack, release = min(attack, span / 3), min(release, span / 2)
    decayed = min(attack + decay, span - release)
    times = (0.0, attack, decayed, span - release, span)
    levels = (0.0, 1.0, sustain, sustain, 0.0)
    return np.interp(np.arange(n) / rate, times, levels).astype(np.float32)


def _fading(bright: Samples, dark: Samples, life: float, rate: int) -> Samples:
    """A sound whose brightness falls to 1/e in `life` seconds, as of a closing filter."""
    share = np.exp(-np.arange(len(bright), dtype=np.float32) / np.float32(life * rate))
    faded: Samples = share * bright + (1 - share) * dark
    return faded


def _held(
    shape: str,
    cents: tuple[float, ...],
    softness: float,
    vibrato: float,
    *adsr: float,
    gain: float = 1.0,
    drawn: bool = True,
) -> Held:
    """Waves under an envelope: see `_waves` and `_envelope`; drawn: with phases by chance."""

    def note(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
        waves = _waves(hz, n, rate, rng if drawn else None, shape, cents, softness, vibrato)
        return gain * waves * _envelope(n, rate, *adsr)

    return note


def stab(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A short synthesiser chord whose brightness falls."""
    bright, dark = (_waves(hz, n, rate, rng, "saw", (-5, 5), soft) for soft in (0.03, 0.4))
    return _fading(bright, dark, 0.08, rate) * _envelope(n, rate, 0.003, 0.15, 0.5, 0.05)


def synth_bass(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A plucked low saw, its brightness falling."""
    saw = _waves(hz, n, rate, rng, "saw", (0, 4), 0.06)
    dark = _waves(hz, n, rate, rng, "triangle")
    bright = 0.7 * saw + 0.3 * dark
    return _fading(bright, dark, 0.07, rate) * _envelope(n, rate, 0.004, 0.2, 0.75, 0.03)


def drone(hz: float, n: int, rate: int, rng: np.random.Generator) -> Samples:
    """A dark tone that breathes, with a hiss of its own pitch."""
    tone = _waves(hz, n, rate, rng, "organ", (-9, 0, 8), 0.15)
    t = np.arange(n) / rate
    breath = 0.7 + 0.3 * np.sin(2 * np.pi * (rng.uniform(0.05, 0.15) * t + rng.random()))
    return tone * breath.astype(np.float32) * _envelope(n, rate, 2.5, 0.1, 1.0, 2.5)


HELD: dict[str, Held] = {
    "pad": _held("saw", (-7, 0, 6), 0.22, 0, 0.9, 0.5, 0.8, 1.2),
    "strings": _held("saw", (-3, 4), 0.1, 16, 0.11, 0.3, 0.85, 0.14),
    "lead": _held("saw", (-6, 6), 0.06, 12, 0.015, 0.2, 0.7, 0.08),
    "reese bass": _held("saw", (-14, 15), 0.12, 0, 0.02, 0.2, 0.9, 0.06),  # two saws that beat
    "square wave": _held("square", (0,), 0, 0, 0.002, 0.05, 0.6, 0.01, gain=0.6, drawn=False),
    "pulse wave": _held("pulse", (0,), 0, 22, 0.002, 0.1, 0.55, 0.02, gain=0.6, drawn=False),
    "triangle wave": _held("triangle", (0,), 0, 0, 0.002, 0.05, 0.9, 0.01, drawn=False),
    "sub bass": _held("triangle", (0,), 0.5, 0, 0.01, 0.1, 0.9, 0.05, drawn=False),
    "organ": _held("organ", (0,), 0.05, 0, 0.006, 0.05, 0.9, 0.02, gain=0.7, drawn=False),
    "stab": stab,
    "synth bass": synth_bass,
    "drone": drone,
}
