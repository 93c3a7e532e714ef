"""The sound of recordings in one memory-mapped file, for front ends that run as training does.

On a GPU a batch's log-mel frames take less time than the step they are for, and nothing has to be
computed before the first step. The price is room: a minute is 2.6 MB, where its log-mel frames
are 0.2 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from musicu.embeddings import frontend
from musicu.embeddings.training.frontend_torch import MelPower
from musicu.embeddings.training.windows_cache import (
    LOG_FLOOR,
    ReadSound,
    WindowsCache,
    open_or_build,
)
from musicu.errors import AudioError, ModelError

FRONT_ENDS = ("auto", "cached", "device")
MOST = 5000  # recordings, up to which "auto" has room for sound: 40 GB at three minutes each
_SCALE = 32_767.0


class SoundCache(WindowsCache):
    """As `WindowsCache`, with rows of one hop of sound each; int16 [all hops, 1,024].

    A frame is two hops long, so there is one frame less than there are rows.
    """

    FILE: ClassVar[str] = "sound.i16"
    TYPE: ClassVar[str] = "int16"
    WIDTH: ClassVar[int] = frontend.HOP

    def lengths(self) -> NDArray[np.int64]:
        """Frames of each recording, int64 [recordings]; 0 where it could not be read."""
        lengths: NDArray[np.int64] = np.maximum(np.diff(self.offsets) - 1, 0)
        return lengths

    def power(self, recording: int) -> NDArray[np.float32]:
        """Mel power of one recording, float32 [frames, bands]."""
        rows = self.rows[self.offsets[recording] : self.offsets[recording + 1]]
        return frontend.mel_power(rows.ravel().astype(np.float32) / np.float32(_SCALE))

    def cut(self, starts: NDArray[np.int64], frames: int) -> NDArray[np.float32]:
        """The sound of `frames` frames from rows `starts` on, float32 [n, samples]."""
        cuts = [self.rows[start : start + frames + 1].ravel() for start in starts]
        sound: NDArray[np.float32] = np.stack(cuts).astype(np.float32) / np.float32(_SCALE)
        return sound


def open_cache(
    folder: Path, paths: Sequence[Path], read: ReadSound, front_end: str, device: str
) -> WindowsCache:
    """Log-mel frames, or sound, in a folder beside `folder`; as a recipe's `front_end` says.

    auto: sound on a GPU, where the recordings are few enough for it; else frames.
    Raises ModelError for a name that is none of FRONT_ENDS.
    """
    if front_end not in FRONT_ENDS:
        raise ModelError(f"front_end is {front_end!r}; known: {', '.join(FRONT_ENDS)}")
    fits = device.startswith("cuda") and len(paths) <= MOST
    if front_end == "cached" or (front_end == "auto" and not fits):
        return open_or_build(folder, paths, read)
    sound = folder.with_name(f"{folder.name}-sound")
    return open_or_build(sound, paths, read, SoundCache, _hops)


def _hops(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Whole hops of a recording at full level, int16 [hops, 1,024]."""
    whole = samples[: len(samples) // frontend.HOP * frontend.HOP].reshape(-1, frontend.HOP)
    if len(whole) < 22:
        raise AudioError(f"only {len(samples) / frontend.SAMPLE_RATE:.2f} s of sound")
    peak = max(float(np.abs(whole).max()), 1e-9)
    hops: NDArray[np.int16] = np.round(whole * (_SCALE / peak)).astype(np.int16)
    return hops


def as_logs(inputs: NDArray[np.float32], device: str) -> torch.Tensor:
    """log10 mel power float32 [n, frames, bands] on the device, of what a cache has cut."""
    given = torch.from_numpy(inputs).to(device)
    if given.ndim == 3:
        return given
    return torch.log10(_mel_power(device)(given) + LOG_FLOOR)


@lru_cache(maxsize=2)
def _mel_power(device: str) -> MelPower:
    module: MelPower = MelPower().to(device)
    return module
