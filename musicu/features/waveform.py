"""How peaked the waveform is, whatever its level: what compression and limiting leave behind."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicu.features.frames import Frames
from musicu.features.timbre import Statistics, quantiles

BLOCK = 2048  # samples, 93 ms
_SHARES = (0.999, 0.99, 0.9, 0.5)
_QUANTILES = (0.1, 0.5, 0.9)
_STRIDE = 5  # every fifth sample tells the quantiles of all
_SILENT = 1e-20  # of mean power


def peakiness(frames: Frames) -> Statistics:
    """Crest factors as log10 of amplitude, of the whole and of blocks, and log kurtosis of blocks.

    A sine has a crest factor of log10(√2) and a kurtosis of 1.5; noise has a kurtosis of 3.
    """
    audio = frames.audio
    offset = np.float32(audio.samples.mean(dtype=np.float64)) if len(audio.samples) else 0.0
    # window by window: a recording would not fit into the processor's cache
    heard = [_hear(window, offset) for window in audio.windows() if len(window)]
    level = sum(part.energy for part in heard) / max(len(audio.samples), 1)
    if level < _SILENT:
        heard, level = [_hear(np.zeros(BLOCK, np.float32), 0.0)], 1.0
    peak, power, fourth = np.concatenate([part.blocks for part in heard], axis=1) / level
    some = quantiles(np.concatenate([part.some for part in heard]), _SHARES)
    whole = np.array([max(part.peak for part in heard), *some]) / level
    crest = np.sqrt(peak) / (np.sqrt(power) + 1e-9)
    kurtosis = (fourth / level + 1e-12) / (power**2 + 1e-12)
    return {
        "crest": np.log10(np.sqrt(whole) + 1e-3),
        "block_crest": quantiles(crest, _QUANTILES),
        "kurtosis": np.log(quantiles(kurtosis, _QUANTILES)),
    }


class _Heard(NamedTuple):
    """Squares of a window's samples: sum, greatest, every fifth, and by block."""

    energy: float
    peak: float
    some: NDArray[np.float32]
    blocks: NDArray[np.float64]


def _hear(window: NDArray[np.float32], offset: np.float32 | float) -> _Heard:
    squares = np.square(window - offset)
    energy, peak = float(squares.sum()), float(squares.max())
    return _Heard(energy, peak, squares[::_STRIDE].copy(), _moments(squares))


def _moments(squares: NDArray[np.float32]) -> NDArray[np.float64]:
    """Maximum, mean and mean square of blocks of 2048 end to end, float64 [3, blocks].

    A window shorter than a block is padded with zeros.
    """
    if len(squares) < BLOCK:
        squares = np.pad(squares, (0, BLOCK - len(squares)))
    blocks = squares[: len(squares) // BLOCK * BLOCK].reshape(-1, BLOCK)
    found = [blocks.max(axis=1), blocks.mean(axis=1), np.square(blocks).mean(axis=1)]
    return np.array(found, np.float64)
