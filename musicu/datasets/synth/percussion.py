"""Drums and noises in NumPy: each renders one hit as mono float32 samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Samples = NDArray[np.float32]
Hit = Callable[[int, np.random.Generator], Samples]


def _fall(n: int, rate: int, life: float) -> NDArray[np.float64]:
    """Exponential decay to 1/e in `life` seconds, faded to zero at the end."""
    i = np.arange(n)
    fall: NDArray[np.float64] = np.exp(-i / (life * rate)) * np.minimum(1, (n - i) / (0.01 * rate))
    return fall


def _hiss(rate: int, seconds: float, low: float, high: float, rng: np.random.Generator) -> Samples:
    """Noise between two frequencies in Hz."""
    noise = rng.standard_normal(int(seconds * rate))
    band = signal.butter(2, (low, min(high, 0.48 * rate)), "band", fs=rate, output="sos")
    hiss: Samples = signal.sosfilt(band, noise).astype(np.float32)
    return hiss


def _sweep(rate: int, seconds: float, low: float, high: float, life: float) -> Samples:
    """A sine that falls from `high` to `low` Hz."""
    t = np.arange(int(seconds * rate)) / rate
    cycles = low * t + (high - low) * life * (1 - np.exp(-t / life))
    sweep: Samples = np.sin(2 * np.pi * cycles).astype(np.float32)
    return sweep


def kick(rate: int, rng: np.random.Generator) -> Samples:
    """A deep electronic bass drum."""
    body = _sweep(rate, 0.32, rng.uniform(44, 54), rng.uniform(180, 260), 0.03)
    hit: Samples = (np.tanh(1.6 * body) * _fall(len(body), rate, 0.11)).astype(np.float32)
    return hit


def soft_kick(rate: int, rng: np.random.Generator) -> Samples:
    """A felted acoustic bass drum."""
    body = _sweep(rate, 0.25, 58, 110, 0.02)
    return (0.8 * body * _fall(len(body), rate, 0.07)).astype(np.float32)


def snare(rate: int, rng: np.random.Generator) -> Samples:
    """A drum head and its wires."""
    head = _sweep(rate, 0.25, rng.uniform(165, 200), 320, 0.015)
    wires = _hiss(rate, 0.25, 900, 9000, rng)
    n = len(head)
    out = 0.55 * head * _fall(n, rate, 0.06) + 0.7 * wires[:n] * _fall(n, rate, 0.08)
    return out.astype(np.float32)


def clap(rate: int, rng: np.random.Generator) -> Samples:
    """Several hands, not quite together."""
    hiss = _hiss(rate, 0.28, 700, 5000, rng)
    out = np.zeros(len(hiss))
    for late, level in ((0.0, 0.7), (0.010, 0.7), (0.021, 1.0)):
        start = int(late * rate)
        out[start:] += (
            level * hiss[start:] * _fall(len(hiss) - start, rate, 0.05 if level == 1 else 0.006)
        )
    return out.astype(np.float32)


def rim(rate: int, rng: np.random.Generator) -> Samples:
    """A stick on the rim, as in reggae."""
    click = _sweep(rate, 0.08, 820, 1700, 0.004) + 0.4 * _hiss(rate, 0.08, 1500, 6000, rng)
    return (0.7 * click * _fall(len(click), rate, 0.016)).astype(np.float32)


def _cymbal(gain: float, seconds: float, low: float, high: float, life: float) -> Hit:
    """A hiss between two frequencies that dies away."""

    def hit(rate: int, rng: np.random.Generator) -> Samples:
        hiss = _hiss(rate, seconds, low, high, rng)
        return (gain * hiss * _fall(len(hiss), rate, life)).astype(np.float32)

    return hit


def ride(rate: int, rng: np.random.Generator) -> Samples:
    """A ride cymbal: a stick's ping in a wash of metal."""
    hiss = _hiss(rate, 0.7, 4500, 14000, rng)
    t = np.arange(len(hiss)) / rate
    ping = sum(np.sin(2 * np.pi * hz * t) for hz in (3140, 4523, 5897, 7331))
    wash = 0.35 * hiss * _fall(len(hiss), rate, 0.22)
    return (wash + 0.05 * ping * _fall(len(hiss), rate, 0.12)).astype(np.float32)


def shaker(rate: int, rng: np.random.Generator) -> Samples:
    """Seeds in a gourd."""
    hiss = _hiss(rate, 0.12, 4000, 11000, rng)
    rise = np.minimum(1, np.arange(len(hiss)) / (0.03 * rate))
    return (0.6 * hiss * rise * _fall(len(hiss), rate, 0.035)).astype(np.float32)


def noise_drum(rate: int, rng: np.random.Generator) -> Samples:
    """A game console's noise channel: noise held for several samples."""
    n = int(0.12 * rate)
    held = np.repeat(rng.choice((-0.5, 0.5), n // 6 + 1), 6)[:n]
    return (held * _fall(n, rate, 0.035)).astype(np.float32)


def surf(rate: int, rng: np.random.Generator) -> Samples:
    """A wave that comes and goes, twelve seconds long."""
    hiss = _hiss(rate, 12.0, 150, 2500, rng)
    swell = np.sin(np.pi * np.linspace(0, 1, len(hiss))) ** 2
    wave: Samples = (0.8 * hiss * swell).astype(np.float32)
    return wave


def crackle(rate: int, rng: np.random.Generator) -> Samples:
    """Eight seconds of dust on an old record."""
    n = int(8 * rate)
    dust = np.zeros(n)
    at = rng.integers(0, n, 90)
    dust[at] = rng.uniform(-1, 1, len(at))
    soft = signal.butter(2, (700, 6000), "band", fs=rate, output="sos")
    grains: Samples = (2.0 * signal.sosfilt(soft, dust)).astype(np.float32)
    return grains


PERCUSSION: dict[str, Hit] = {
    "kick": kick,
    "soft kick": soft_kick,
    "snare": snare,
    "clap": clap,
    "rim": rim,
    "hat": _cymbal(0.8, 0.09, 6500, 15000, 0.022),
    "open hat": _cymbal(0.7, 0.3, 6000, 15000, 0.09),
    "ride": ride,
    "shaker": shaker,
    "noise drum": noise_drum,
    "surf": surf,
    "crackle": crackle,
}
