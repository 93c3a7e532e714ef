"""What held instruments are made of: band-limited waves, vibrato, stacks and envelopes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_TABLE = 4096  # samples in one period
_VIBRATO_HZ = 5.3


def read_wave(
    shape: str, hz: float, cycles: NDArray[np.float64], rate: int, softness: float
) -> Samples:
    """A wave read at phases counted in cycles, without partials above 0.45 of the rate."""
    partials = int(np.clip(0.45 * rate / hz, 1, 60))
    index = (cycles * _TABLE).astype(np.int64) & (_TABLE - 1)
    wave: Samples = _table(shape, partials, softness)[index]
    return wave


def phase(hz: float, n: int, rate: int, vibrato_cents: float) -> NDArray[np.float64]:
    """Phase in cycles of a tone with a vibrato that grows over its first 0.4 seconds."""
    t = np.arange(n) / rate
    if not vibrato_cents:
        return hz * t
    depth = hz * vibrato_cents * np.log(2) / 1200 / (2 * np.pi * _VIBRATO_HZ)
    cycles: NDArray[np.float64] = hz * t - depth * np.minimum(t / 0.4, 1) * np.cos(
        2 * np.pi * _VIBRATO_HZ * t
    )
    return cycles


def stacked(
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
        cycles = phase(hz * 2 ** (cent / 1200), n, rate, vibrato) + rng.random()
        out += read_wave(shape, hz, cycles, rate, softness)
    out /= np.float32(len(cents))
    return out


def fading(bright: Samples, dark: Samples, life: float, rate: int) -> Samples:
    """A sound whose brightness falls to 1/e in `life` seconds, as of a closing filter."""
    share = np.exp(-np.arange(len(bright), dtype=np.float32) / np.float32(life * rate))
    faded: Samples = share * bright + (1 - share) * dark
    return faded


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
