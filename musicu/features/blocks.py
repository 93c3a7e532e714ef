"""Power spectra of streamed audio, reduced block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from musicu.features.mel import hann

_AT_ONCE = 2**17  # samples transformed at once: they stay in the processor's cache

Table = NDArray[np.float32]


class PowerBlocks:
    """Reads streamed samples as centred frames, block by block whatever the size of the pieces.

    reduce: maps power spectra, float32 [frames, n_fft // 2 + 1], to float32 [frames, ...], frame
    by frame. n_fft, hop: of the short-time Fourier transform, in samples. block: frames per block.
    finish_block: maps a block of reduced frames to the frames that are kept of it. ahead: frames of
    the previous block that it gets in front (none at the start), and that are not kept again.
    """

    def __init__(
        self,
        reduce: Callable[[Table], Table],
        n_fft: int,
        hop: int,
        block: int,
        finish_block: Callable[[Table], Table] | None = None,
        ahead: int = 0,
    ) -> None:
        self._reduce, self._finish_block = reduce, finish_block
        self._n_fft, self._hop, self._block, self._ahead = n_fft, hop, block, ahead
        self._held = np.zeros(n_fft // 2, np.float32)  # frames are centred: the first is half zeros
        self._again = 0  # frames at the front of _held that are repeated
        self._parts: list[Table] = []

    def update(self, samples: NDArray[np.float32]) -> None:
        """Take in the next samples, float32 [n]."""
        self._held = np.concatenate([self._held, samples.astype(np.float32, copy=False)])
        while len(self._held) >= self._reach(self._again + self._block):
            self._take(self._again + self._block)

    def finish(self) -> Table:
        """What is kept of all samples so far, float32 [1 + n // hop, ...]."""
        self._held = np.pad(self._held, (0, self._n_fft // 2))
        frames = (len(self._held) - self._n_fft) // self._hop + 1
        if frames > self._again:
            self._take(frames)
        return np.concatenate(self._parts)

    def _reach(self, frames: int) -> int:
        return (frames - 1) * self._hop + self._n_fft

    def _take(self, frames: int) -> None:
        """Reduce the block of so many frames at the front of what is held."""
        samples = self._held[: self._reach(frames)]
        windows = np.lib.stride_tricks.sliding_window_view(samples, self._n_fft)[:: self._hop]
        reduced = np.concatenate([self._reduce(power) for power in self._powers(windows)])
        kept = self._finish_block(reduced) if self._finish_block else reduced
        self._parts.append(kept[self._again :])
        self._again = min(self._ahead, frames)
        self._held = self._held[(frames - self._again) * self._hop :].copy()

    def _powers(self, windows: Table) -> Iterator[Table]:
        """|STFT|² with a periodic Hann window and no padding."""
        some = max(1, _AT_ONCE // self._n_fft)
        for first in range(0, len(windows), some):
            spectrum = fft.rfft(windows[first : first + some] * hann(self._n_fft), axis=1)
            yield spectrum.real**2 + spectrum.imag**2
