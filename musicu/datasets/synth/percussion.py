"""Drums and noises in NumPy: each renders one hit as mono samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Wave = NDArray[Any]
Hit = Callable[[int, np.random.Generator], Wave]  # sample rate, rng


def _dying(wave: Wave, rate: int, life: float) -> Wave:
    """A wave that decays to 1/e in `life` seconds, faded to zero at the end."""
    n = len(wave)
    i = np.arange(n)
    fall = np.exp(-i / (life * rate)) * np.minimum(1, (n - i) / (0.01 * rate))
    return np.asarray(wave * fall)


def _hiss(rate: int, seconds: float, low: float, high: float, rng: np.random.Generator) -> Wave:
    """Noise between two frequencies in Hz."""
    noise = rng.standard_normal(int(seconds * rate))
    band = signal.butter(2, (low, min(high, 0.48 * rate)), "band", fs=rate, output="sos")
    hiss: Wave = signal.sosfilt(band, noise).astype(np.float32)
    return hiss


def _sweep(rate: int, seconds: float, low: float, high: float, life: float) -> Wave:
    """A sine that falls from `high` to `low` Hz."""
    t = np.arange(int(seconds * rate)) / rate
    cycles = low * t + (high - low) * life * (1 - np.exp(-t / life))
    return np.sin(2 * np.pi * cycles).astype(np.float32)


def kick(rate: int, rng: np.random.Generator) -> Wave:
    """A deep electronic bass drum."""
    body = _sweep(rate, 0.32, rng.uniform(44, 54), rng.uniform(180, 260), 0.03)
    return _dying(np.tanh(1.6 * body), rate, 0.11)


def soft_kick(rate: int, rng: np.random.Generator) -> Wave:
    """A felted acoustic bass drum."""
    return _dying(0.8 * _sweep(rate, 0.25, 58, 110, 0.02), rate, 0.07)


def snare(rate: int, rng: np.random.Generator) -> Wave:
    """A drum head and its wires."""
    head = _sweep(rate, 0.25, rng.uniform(165, 200), 320, 0.015)
    wires = _hiss(rate, 0.25, 900, 9000, rng)
    return np.asarray(_dying(0.55 * head, rate, 0.06) + _dying(0.7 * wires, rate, 0.08))


def clap(rate: int, rng: np.random.Generator) -> Wave:
    """Several hands, not quite together."""
    hiss = _hiss(rate, 0.28, 700, 5000, rng)
    out = np.zeros(len(hiss))
    for late, level, life in ((0.0, 0.7, 0.006), (0.010, 0.7, 0.006), (0.021, 1.0, 0.05)):
        start = int(late * rate)
        out[start:] += _dying(level * hiss[start:], rate, life)
    return out


def rim(rate: int, rng: np.random.Generator) -> Wave:
    """A stick on the rim, as in reggae."""
    click = _sweep(rate, 0.08, 820, 1700, 0.004) + 0.4 * _hiss(rate, 0.08, 1500, 6000, rng)
    return _dying(0.7 * click, rate, 0.016)


def _cymbal(gain: float, seconds: float, low: float, high: float, life: float) -> Hit:
    """A hiss between two frequencies that dies away."""
    return lambda rate, rng: _dying(gain * _hiss(rate, seconds, low, high, rng), rate, life)


def ride(rate: int, rng: np.random.Generator) -> Wave:
    """A ride cymbal: a stick's ping in a wash of metal."""
    hiss = _hiss(rate, 0.7, 4500, 14000, rng)
    t = np.arange(len(hiss)) / rate
    ping = sum((np.sin(2 * np.pi * hz * t) for hz in (3140, 4523, 5897, 7331)), 0 * t)
    return np.asarray(_dying(0.35 * hiss, rate, 0.22) + _dying(0.05 * ping, rate, 0.12))


def shaker(rate: int, rng: np.random.Generator) -> Wave:
    """Seeds in a gourd."""
    hiss = _hiss(rate, 0.12, 4000, 11000, rng)
    return _dying(0.6 * hiss * np.minimum(1, np.arange(len(hiss)) / (0.03 * rate)), rate, 0.035)


def noise_drum(rate: int, rng: np.random.Generator) -> Wave:
    """A game console's noise channel: noise held for several samples."""
    n = int(0.12 * rate)
    return _dying(np.repeat(rng.choice((-0.5, 0.5), n // 6 + 1), 6)[:n], rate, 0.035)


def surf(rate: int, rng: np.random.Generator) -> Wave:
    """A wave that comes and goes, twelve seconds long."""
    hiss = _hiss(rate, 12.0, 150, 2500, rng)
    swell = np.sin(np.pi * np.linspace(0, 1, len(hiss))) ** 2
    return np.asarray(0.8 * hiss * swell)


def crackle(rate: int, rng: np.random.Generator) -> Wave:
    """Eight seconds of dust on an old record."""
    dust = np.zeros(int(8 * rate))
    at = rng.integers(0, len(dust), 90)
    dust[at] = rng.uniform(-1, 1, len(at))
    soft = signal.butter(2, (700, 6000), "band", fs=rate, output="sos")
    grains: Wave = 2.0 * signal.sosfilt(soft, dust)
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
