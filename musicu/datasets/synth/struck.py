"""Struck and plucked instruments: each pitch is rendered once, ringing out, and damped later.

A sound is mono, float32 [samples], about -1 to 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Ringing = Callable[[float, int, np.random.Generator], Samples]  # Hz, sample rate, rng


def _partials(
    hz: float,
    rate: int,
    seconds: float,
    ratios: NDArray[np.float64],
    levels: NDArray[np.float64],
    lives: NDArray[np.float64],
) -> Samples:
    """Decaying sines: frequency ratios, levels, and seconds in which each falls to 1/e."""
    t = (np.arange(int(seconds * rate)) / rate).astype(np.float32)
    out = np.zeros(len(t), dtype=np.float32)
    for ratio, level, life in zip(ratios, levels, lives, strict=True):
        if ratio * hz < 0.45 * rate:
            turn = np.float32(2 * np.pi * hz * ratio)
            out += np.float32(level) * np.sin(turn * t) * np.exp(t * np.float32(-1 / life))
    out[: rate // 500] *= np.linspace(0, 1, rate // 500, dtype=np.float32)  # no click
    return out


def piano(hz: float, rate: int, rng: np.random.Generator) -> Samples:
    """Stretched partials that die the faster the higher they are, and a felt thump."""
    k = np.arange(1, 11, dtype=np.float64)
    ratios = k * np.sqrt(1 + 0.0004 * k**2)
    brightness = np.exp(-(k - 1) * (0.45 + hz / 1500))
    strike = 0.6 + 0.4 * np.abs(np.sin(np.pi * k / 7.3))
    levels, lives = 0.6 * brightness * strike, 1.6 * (220 / hz) ** 0.4 / k**0.7
    out = _partials(hz, rate, 2.6, ratios, levels, lives)
    thump = rng.standard_normal(rate // 40).astype(np.float32) * 0.04
    felt = np.convolve(thump, np.ones(24, dtype=np.float32) / 8, "same")
    out[: len(thump)] += felt * np.linspace(1, 0, len(thump), dtype=np.float32)
    return out


def epiano(hz: float, rate: int, rng: np.random.Generator) -> Samples:
    """Two-operator FM: a bell-like attack over a warm sine."""
    t = np.arange(int(2.2 * rate)) / rate
    body = 2 * np.pi * hz * t
    bite = 1.4 * np.exp(-t / 0.35) * np.sin(body) + 0.35 * np.exp(-t / 0.08) * np.sin(14 * body)
    detune = 1 + 0.0006 * rng.standard_normal()
    out: Samples = (0.8 * np.exp(-t / 0.9) * np.sin(detune * body + bite)).astype(np.float32)
    return out


def musicbox(hz: float, rate: int, rng: np.random.Generator) -> Samples:
    """A plucked steel tine: partials of a clamped bar."""
    ratios = np.array([1.0, 2.0, 6.27, 17.55])
    lives = np.array([0.9, 0.5, 0.16, 0.05]) * (880 / hz) ** 0.3
    return _partials(hz, rate, 2.2, ratios, np.array([0.7, 0.12, 0.22, 0.1]), lives)


def bell(hz: float, rate: int, rng: np.random.Generator) -> Samples:
    """A soft glassy bell with beating partials."""
    ratios = np.array([1.0, 1.002, 2.01, 3.0, 4.17])
    lives = np.array([2.0, 1.8, 1.1, 0.6, 0.35])
    return _partials(hz, rate, 4.0, ratios, np.array([0.4, 0.3, 0.2, 0.12, 0.06]), lives)


def _string(
    hz: float, rate: int, seconds: float, damping: float, soft: int, rng: np.random.Generator
) -> Samples:
    """Karplus and Strong's plucked string (1983), a whole period at a time.

    The loop's length is a whole number of samples, so the result is stretched to the pitch.
    """
    period = int(rate / hz - 0.5)
    burst = rng.uniform(-1, 1, period)
    looped = np.concatenate([burst[-soft:], burst])
    burst = np.convolve(looped, np.ones(soft) / soft, "valid")[:period]
    burst -= np.roll(burst, period // 5)  # plucked at a fifth of its length
    rounds = int(seconds * hz) + 2
    loop = np.empty((rounds, period))
    loop[0] = burst - burst.mean()
    for i in range(1, rounds):
        before = loop[i - 1]
        loop[i, 1:] = before[1:] + before[:-1]
        loop[i, 0] = before[0] + (loop[i - 2, -1] if i > 1 else 0.0)
        loop[i] *= 0.5 * damping
    wave = loop.ravel()
    stretch = hz * (period + 0.5) / rate
    at = np.arange(int(len(wave) / stretch) - 1) * stretch
    out = np.interp(at, np.arange(len(wave)), wave)
    fade = np.minimum(1, (len(out) - np.arange(len(out))) / (0.1 * rate))
    result: Samples = (0.5 * out * fade / np.abs(out[:rate]).max()).astype(np.float32)
    return result


def guitar(hz: float, rate: int, rng: np.random.Generator) -> Samples:
    """A steel-string guitar."""
    return _string(hz, rate, 2.4, 0.996, 3, rng)


def upright_bass(hz: float, rate: int, rng: np.random.Generator) -> Samples:
    """A plucked double bass: a dark string with a sine's body."""
    out = 0.55 * _string(hz, rate, 1.2, 0.985, 14, rng)
    t = np.arange(len(out)) / rate
    body = 0.6 * np.exp(-t / 0.45) * np.minimum(1, t / 0.006) * np.sin(2 * np.pi * hz * t)
    out += body.astype(np.float32)
    return out


RINGING: dict[str, Ringing] = {
    "piano": piano,
    "electric piano": epiano,
    "music box": musicbox,
    "bell": bell,
    "guitar": guitar,
    "double bass": upright_bass,
}
