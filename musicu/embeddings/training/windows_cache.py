"""Log-mel frames of many recordings in one memory-mapped file, computed once for training."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings import frontend
from musicu.errors import AudioError, ModelError

FORMAT_VERSION = 1
LOG_FLOOR = 1e-10  # of mel power, far below what one step of 16-bit sound makes
_MIN_FRAMES = 22  # about a second: less teaches nothing

ReadSound = Callable[[Path], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class WindowsCache:
    """log10 mel power of recordings laid end to end.

    frames: float16 [all frames, bands], memory-mapped.
    offsets: int64 [recordings + 1], where each recording begins in `frames`; a recording that
        could not be read has no frames, and its reason stands in `failures` by its key.
    """

    keys: tuple[str, ...]
    frames: NDArray[np.float16]
    offsets: NDArray[np.int64]
    failures: dict[str, str]

    def lengths(self) -> NDArray[np.int64]:
        """Frames of each recording, int64 [recordings]; 0 where it could not be read."""
        return np.diff(self.offsets)

    def power(self, recording: int) -> NDArray[np.float32]:
        """Mel power of one recording, float32 [frames, bands]."""
        part = self.frames[self.offsets[recording] : self.offsets[recording + 1]]
        power: NDArray[np.float32] = np.power(10.0, part.astype(np.float32))
        return power


def open_or_build(folder: Path, paths: Sequence[Path], read: ReadSound) -> WindowsCache:
    """The cache of these recordings in `folder`; built when missing or made from other files.

    read: gives a recording's sound at 22,050 Hz, float32 [n]; an AudioError counts as a failure.
    """
    keys = tuple(_key(path) for path in paths)
    index_path = folder / "index.json"
    if index_path.is_file():
        index = json.loads(index_path.read_text(encoding="utf-8"))
        if index.get("format") == FORMAT_VERSION and tuple(index["keys"]) == keys:
            return _open(folder, index)
    return _build(folder, keys, paths, read)


def _key(path: Path) -> str:
    """Names a file's state and the front end: either changing makes a new cache."""
    try:
        stat = path.stat()
    except OSError as error:
        raise ModelError(f"{path} cannot be trained on: {error.strerror}") from error
    state = [str(path), stat.st_size, stat.st_mtime_ns, frontend.SAMPLE_RATE, frontend.N_FFT]
    state += [frontend.HOP, frontend.N_MELS, frontend.LOW_HZ, frontend.HIGH_HZ]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:20]


def _build(
    folder: Path, keys: tuple[str, ...], paths: Sequence[Path], read: ReadSound
) -> WindowsCache:
    folder.mkdir(parents=True, exist_ok=True)
    offsets, failures = [0], {}
    partial = folder / "frames.f16.partial"
    with partial.open("wb") as file:
        for key, path in zip(keys, paths, strict=True):
            try:
                logs = _log_frames(read(path))
            except AudioError as error:
                failures[key] = str(error)
                logs = np.empty((0, frontend.N_MELS), np.float16)
            file.write(logs.tobytes())
            offsets.append(offsets[-1] + len(logs))
        file.flush()
        os.fsync(file.fileno())
    if offsets[-1] == 0:
        raise ModelError(f"none of {len(paths)} recordings can be trained on; first: {failures}")
    partial.replace(folder / "frames.f16")
    index = {"format": FORMAT_VERSION, "keys": keys, "offsets": offsets, "failures": failures}
    temporary = folder / "index.json.partial"
    temporary.write_text(json.dumps(index), encoding="utf-8")
    temporary.replace(folder / "index.json")
    return _open(folder, index)


def _log_frames(samples: NDArray[np.float32]) -> NDArray[np.float16]:
    power = frontend.mel_power(samples)
    if len(power) < _MIN_FRAMES:
        raise AudioError(f"only {len(samples) / frontend.SAMPLE_RATE:.2f} s of sound")
    logs: NDArray[np.float16] = np.log10(power + np.float32(LOG_FLOOR)).astype(np.float16)
    return logs


def _open(folder: Path, index: dict[str, object]) -> WindowsCache:
    offsets = np.asarray(index["offsets"], dtype=np.int64)
    shape = (int(offsets[-1]), frontend.N_MELS)
    frames: NDArray[np.float16] = np.memmap(folder / "frames.f16", np.float16, "r", shape=shape)
    keys, failures = index["keys"], index["failures"]
    assert isinstance(keys, list | tuple)
    assert isinstance(failures, dict)
    return WindowsCache(tuple(keys), frames, offsets, failures)
