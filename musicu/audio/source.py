"""The role of a decoder: blocks of float samples from any position."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

#: A length of this many frames or more means unknown (libsndfile gives 2^63 - 1).
UNKNOWN_FRAMES = 1 << 62


class AudioSource(Protocol):
    """A recording that can be read from any frame (one sample of each channel).

    sample_rate: Hz. channels: their number.
    frames: the length that the file states, `UNKNOWN_FRAMES` or more where it does not; the
        true length may be shorter or longer.
    promised: whether fewer than `frames` mean that something is missing.
    cut: whether the file's structure shows that its end is missing.
    """

    sample_rate: int
    channels: int
    frames: int
    promised: bool
    cut: bool

    def seek(self, frame: int) -> bool:
        """Go to a frame; False where the decoder cannot."""
        ...

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next frames, float32 [n, channels]; fewer at the end or where decoding stops."""
        ...

    def close(self) -> None:
        """Release the decoder."""
        ...
