"""Power spectra of a recording that comes in pieces, in blocks of a fixed number of frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import fft


class PowerBlocks:
    """Cuts samples into blocks of centred frames, wherever the pieces that come in end.

    n_fft, hop: of the short-time Fourier transform, in samples. block: frames to a block.
    ahead: frames of the block before that are given again at the front (none at the start).
    """

    def __init__(self, n_fft: int, hop: int, block: int, ahead: int = 0) -> None:
        self._n_fft, self._hop, self._block, self._ahead = n_fft, hop, block, ahead
        self._held = np.zeros(n_fft // 2, np.float32)  # frames are centred: the first sees zeros
        self._again = 0  # frames at the front of _held that were given already

    def add(self, samples: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Each block that is now whole: (frames given again, power [frames, n_fft // 2 + 1])."""
        self._held = np.concatenate([self._held, samples.astype(np.float32, copy=False)])
        while len(self._held) >= self._reach(self._again + self._block):
            yield self._give(self._again + self._block)

    def finish(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """What is left when all samples are in: 1 + n // hop frames in all."""
        self._held = np.pad(self._held, (0, self._n_fft // 2))
        frames = (len(self._held) - self._n_fft) // self._hop + 1
        if frames > self._again:
            yield self._give(frames)

    def _reach(self, frames: int) -> int:
        return (frames - 1) * self._hop + self._n_fft

    def _give(self, frames: int) -> tuple[int, NDArray[np.float32]]:
        again = self._again
        power = self._power(self._held[: self._reach(frames)])
        self._again = min(self._ahead, frames)
        self._held = self._held[(frames - self._again) * self._hop :].copy()
        return again, power

    def _power(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """|STFT|² with a periodic Hann window; no padding."""
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self._n_fft) / self._n_fft)
        frames = np.lib.stride_tricks.sliding_window_view(samples, self._n_fft)[:: self._hop]
        spectrum = fft.rfft(frames * window.astype(np.float32), axis=1)
        power: NDArray[np.float32] = spectrum.real**2 + spectrum.imag**2
        return power
