"""Peakiness of the waveform, independent of its level: it shows compression and limiting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.features.frames import Frames
from musicu.features.timbre import Statistics, quantiles

BLOCK = 2048  # samples, 93 ms
_SHARES = (0.999, 0.99, 0.9, 0.5)
_QUANTILES = (0.1, 0.5, 0.9)
_STRIDE = 5  # quantiles are taken of every fifth sample
_SILENT = 1e-20  # of mean power


def peakiness(frames: Frames) -> Statistics:
    """Crest factors as log10 of amplitude, of the whole and of blocks, and log kurtosis of blocks.

    A sine has a crest factor of log10(√2) and a kurtosis of 1.5; noise has a kurtosis of 3.
    """
    samples = frames.audio.samples if len(frames.audio.samples) else np.zeros(1, np.float32)
    offset = np.float32(samples.mean(dtype=np.float64))
    # window by window: a whole recording does not fit into the processor's cache
    windows = [window for window in frames.audio.windows() if len(window)]
    measured = [_window_powers(window, offset) for window in windows or [samples]]
    level = sum(energy for energy, *_ in measured) / len(samples)
    level = level if level > _SILENT else 1.0
    peak, power, fourth = np.concatenate([blocks for _, blocks, _ in measured], axis=1)
    peak, power, fourth = peak / level, power / level, fourth / level**2
    some = np.concatenate([part for *_, part in measured])
    whole = np.array([peak.max(), *quantiles(some, _SHARES) / level])
    crest = np.sqrt(peak) / (np.sqrt(power) + 1e-9)
    kurtosis = (fourth + 1e-12) / (power**2 + 1e-12)
    return {
        "crest": np.log10(np.sqrt(whole) + 1e-3),
        "block_crest": quantiles(crest, _QUANTILES),
        "kurtosis": np.log(quantiles(kurtosis, _QUANTILES)),
    }


def _window_powers(
    window: NDArray[np.float32], offset: np.float32
) -> tuple[float, NDArray[np.float64], NDArray[np.float32]]:
    """The energy of a window; the powers of its blocks of 2048 samples; and every fifth power.

    Of the blocks: maximum, mean and mean square of the squared samples, float64 [3, blocks]. A
    window shorter than a block is padded with zeros. The single powers are float32 [n].
    """
    squares = np.square(window - offset)
    energy = float(squares.sum())
    if len(squares) < BLOCK:
        squares = np.pad(squares, (0, BLOCK - len(squares)))
    blocks = squares[: len(squares) // BLOCK * BLOCK].reshape(-1, BLOCK)
    found = [blocks.max(axis=1), blocks.mean(axis=1), np.square(blocks).mean(axis=1)]
    return energy, np.array(found, np.float64), squares[::_STRIDE].copy()
