"""How peaked the waveform is, whatever its level: what compression and limiting leave behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.features.frames import Frames
from musicu.features.timbre import Statistics

BLOCK = 2048  # samples, 93 ms
_SHARES = (1.0, 0.999, 0.99, 0.9, 0.5)
_QUANTILES = (0.1, 0.5, 0.9)


def peakiness(frames: Frames) -> Statistics:
    """Crest factors as log10 of amplitude, of the whole and of blocks, and log kurtosis of blocks.

    A sine has a crest factor of log10(√2) and a kurtosis of 1.5; noise has a kurtosis of 3.
    """
    windows = _at_unit_level(frames.audio.windows())
    whole = _upper_quantiles(np.abs(np.concatenate(windows)), _SHARES)
    blocks = np.concatenate([_blocks(window) for window in windows])
    squares = np.square(blocks)
    power = np.mean(squares, axis=1, dtype=np.float64)
    crest = np.sqrt(squares.max(axis=1)) / (np.sqrt(power) + 1e-9)
    fourth = np.mean(np.square(squares), axis=1, dtype=np.float64)
    kurtosis = (fourth + 1e-12) / (power**2 + 1e-12)
    return {
        "crest": np.log10(whole + 1e-3).astype(np.float64),
        "block_crest": np.quantile(crest, _QUANTILES),
        "kurtosis": np.log(np.quantile(kurtosis, _QUANTILES)),
    }


def _upper_quantiles(values: NDArray[np.float32], shares: tuple[float, ...]) -> NDArray[np.float64]:
    """As np.quantile of shares of a half and more, in a third of the time: half is sorted."""
    half = (len(values) - 1) // 2
    upper = np.sort(np.partition(values, half)[half:])
    places = np.array(shares) * (len(values) - 1) - half
    quantiles: NDArray[np.float64] = np.interp(places, np.arange(len(upper)), upper)
    return quantiles


def _at_unit_level(windows: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Windows without offset and with a mean power of 1 over all of them; silence stays."""
    samples = np.concatenate([*windows, np.zeros(1, np.float32)])
    mean = samples.mean(dtype=np.float64)
    level = np.sqrt(np.mean(np.square(samples - np.float32(mean)), dtype=np.float64))
    if level < 1e-10:
        return [np.zeros(BLOCK, np.float32)]
    offset, scale = np.float32(mean), np.float32(1.0 / level)
    return [(w - offset) * scale for w in windows if len(w)]


def _blocks(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blocks of 2048 samples end to end, float32 [blocks, 2048]; a short window is padded."""
    if len(window) < BLOCK:
        window = np.pad(window, (0, BLOCK - len(window)))
    return window[: len(window) // BLOCK * BLOCK].reshape(-1, BLOCK)
