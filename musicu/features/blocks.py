"""Power spectra of streamed audio, reduced block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import fft

_AT_ONCE = 2**17  # samples transformed at once: they stay in the processor's cache

Table = NDArray[np.float32]


class PowerBlocks:
    """Cuts streamed samples into blocks of centred frames, whatever the size of the input pieces.

    reduce: maps power spectra, float32 [frames, n_fft // 2 + 1], to float32 [frames, ...], frame
    by frame. n_fft, hop: of the short-time Fourier transform, in samples. block: frames per block.
    ahead: frames of the previous block that are repeated in front (none at the start).
    """

    def __init__(
        self, reduce: Callable[[Table], Table], n_fft: int, hop: int, block: int, ahead: int = 0
    ) -> None:
        self._reduce = reduce
        self._n_fft, self._hop, self._block, self._ahead = n_fft, hop, block, ahead
        self._held = np.zeros(n_fft // 2, np.float32)  # frames are centred: the first is half zeros
        self._again = 0  # frames at the front of _held that are repeated

    def add(self, samples: NDArray[np.float32]) -> Iterator[tuple[int, Table]]:
        """Each block that is now complete: (repeated frames, the reduced frames)."""
        self._held = np.concatenate([self._held, samples.astype(np.float32, copy=False)])
        while len(self._held) >= self._reach(self._again + self._block):
            yield self._give(self._again + self._block)

    def finish(self) -> Iterator[tuple[int, Table]]:
        """The last block: 1 + n // hop frames in total."""
        self._held = np.pad(self._held, (0, self._n_fft // 2))
        frames = (len(self._held) - self._n_fft) // self._hop + 1
        if frames > self._again:
            yield self._give(frames)

    def _reach(self, frames: int) -> int:
        return (frames - 1) * self._hop + self._n_fft

    def _give(self, frames: int) -> tuple[int, Table]:
        again = self._again
        reduced = self._reduced(self._held[: self._reach(frames)])
        self._again = min(self._ahead, frames)
        self._held = self._held[(frames - self._again) * self._hop :].copy()
        return again, reduced

    def _reduced(self, samples: Table) -> Table:
        """|STFT|² with a periodic Hann window and no padding, reduced."""
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self._n_fft) / self._n_fft)
        frames = np.lib.stride_tricks.sliding_window_view(samples, self._n_fft)[:: self._hop]
        return np.concatenate(
            [self._reduce(power) for power in self._powers(frames, window.astype(np.float32))]
        )

    def _powers(self, frames: Table, window: Table) -> Iterator[Table]:
        some = max(1, _AT_ONCE // self._n_fft)
        for first in range(0, len(frames), some):
            spectrum = fft.rfft(frames[first : first + some] * window, axis=1)
            yield spectrum.real**2 + spectrum.imag**2
