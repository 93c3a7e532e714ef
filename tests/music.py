"""Small recordings for tests: each seed has a sound of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from musicu.features.blocks import PowerBlocks

RATE = 22_050


def tune(seed: int, seconds: float = 2.0, rate: int = RATE) -> NDArray[np.float32]:
    """A few plucked notes, float32 [n], in [-0.5, 0.5]; equal for equal arguments."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    beat = rng.uniform(0.2, 0.6)
    partials = rng.uniform(0.1, 1.0, 5)
    samples = np.zeros(len(t))
    for i, start in enumerate(np.arange(0.0, seconds, beat)):
        pitch = 110.0 * 2 ** (rng.integers(0, 24) / 12)
        after = np.maximum(t - start, 0.0)
        envelope = np.exp(-after / (0.1 + 0.05 * (i % 3))) * (t >= start)
        for n, level in enumerate(partials, start=1):
            samples += envelope * level * np.sin(2 * np.pi * n * pitch * t) / n
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def piece(seed: int, seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    """Music of any length, float32 [n]: one tune after another, in far less time than one tune."""
    tunes = [tune(1000 * seed + i, 2.0, rate) for i in range(-(-round(seconds) // 2))]
    return np.concatenate(tunes)[: round(seconds * rate)]


def write(path: Path, seed: int, seconds: float = 2.0, **tags: str) -> Path:
    """Write a tune to a file whose ending says the format, with tags; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = tune(seed, seconds)
    with sf.SoundFile(path, "w", RATE, 1) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(samples)
    return path


def power_spectrogram(samples: NDArray[np.float32], n_fft: int, hop: int) -> NDArray[np.float32]:
    """Power |STFT|² of centred frames, float32 [1 + n // hop, n_fft // 2 + 1]."""
    blocks = PowerBlocks(lambda power: power, n_fft, hop, 1000)
    blocks.update(samples)
    return blocks.finish()
