"""Log-mel frames of many recordings in one memory-mapped file, computed once for training.

What a row is, a subclass of the cache may say otherwise (`sound_cache`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings import frontend
from musicu.errors import AudioError, ModelError

FORMAT_VERSION = 1
LOG_FLOOR = 1e-10  # of mel power, far below what one step of 16-bit sound makes
_MIN_FRAMES = 22  # about a second: less teaches nothing

ReadSound = Callable[[Path], NDArray[np.float32]]
RowsOf = Callable[[NDArray[np.float32]], NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class WindowsCache:
    """log10 mel power of recordings laid end to end.

    rows: float16 [all frames, bands], memory-mapped.
    offsets: int64 [recordings + 1], where each recording begins in `rows`; a recording that
        could not be read has no rows, and its reason stands in `failures` by its key.
    """

    FILE: ClassVar[str] = "frames.f16"
    TYPE: ClassVar[str] = "float16"
    WIDTH: ClassVar[int] = frontend.N_MELS

    keys: tuple[str, ...]
    rows: NDArray[Any]
    offsets: NDArray[np.int64]
    failures: dict[str, str]

    def lengths(self) -> NDArray[np.int64]:
        """Frames of each recording, int64 [recordings]; 0 where it could not be read."""
        return np.diff(self.offsets)

    def power(self, recording: int) -> NDArray[np.float32]:
        """Mel power of one recording, float32 [frames, bands]."""
        part = self.rows[self.offsets[recording] : self.offsets[recording + 1]]
        power: NDArray[np.float32] = np.power(10.0, part.astype(np.float32))
        return power

    def cut(self, starts: NDArray[np.int64], frames: int) -> NDArray[np.float32]:
        """log10 mel power of `frames` frames from rows `starts` on, float32 [n, frames, bands]."""
        return np.stack([self.rows[s : s + frames] for s in starts]).astype(np.float32)


def open_or_build(
    folder: Path,
    paths: Sequence[Path],
    read: ReadSound,
    kind: type[WindowsCache] = WindowsCache,
    rows_of: RowsOf | None = None,
) -> WindowsCache:
    """The cache of these recordings in `folder`; built when missing or made from other files.

    read: gives a recording's sound at 22,050 Hz, float32 [n]; an AudioError counts as a failure.
    rows_of: makes the rows of a cache of this `kind` of it; log-mel frames where it is not given.
    """
    keys = tuple(_key(path) for path in paths)
    index_path = folder / "index.json"
    if index_path.is_file():
        index = json.loads(index_path.read_text(encoding="utf-8"))
        if index.get("format") == FORMAT_VERSION and tuple(index["keys"]) == keys:
            return _open(folder, index, kind)
    _build(folder, keys, paths, read, kind, rows_of or _log_frames)
    return _open(folder, json.loads(index_path.read_text(encoding="utf-8")), kind)


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
    folder: Path,
    keys: tuple[str, ...],
    paths: Sequence[Path],
    read: ReadSound,
    kind: type[WindowsCache],
    rows_of: RowsOf,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    offsets, failures = [0], {}
    partial = folder / f"{kind.FILE}.partial"
    with partial.open("wb") as file:
        for key, path in zip(keys, paths, strict=True):
            try:
                rows = rows_of(read(path))
            except AudioError as error:
                failures[key] = str(error)
                offsets.append(offsets[-1])
                continue
            file.write(rows.tobytes())
            offsets.append(offsets[-1] + len(rows))
        file.flush()
        os.fsync(file.fileno())
    if offsets[-1] == 0:
        raise ModelError(f"none of {len(paths)} recordings can be trained on; first: {failures}")
    partial.replace(folder / kind.FILE)
    index = {"format": FORMAT_VERSION, "keys": keys, "offsets": offsets, "failures": failures}
    temporary = folder / "index.json.partial"
    temporary.write_text(json.dumps(index), encoding="utf-8")
    temporary.replace(folder / "index.json")


def _log_frames(samples: NDArray[np.float32]) -> NDArray[np.float16]:
    power = frontend.mel_power(samples)
    if len(power) < _MIN_FRAMES:
        raise AudioError(f"only {len(samples) / frontend.SAMPLE_RATE:.2f} s of sound")
    logs: NDArray[np.float16] = np.log10(power + np.float32(LOG_FLOOR)).astype(np.float16)
    return logs


def _open(folder: Path, index: dict[str, Any], kind: type[WindowsCache]) -> WindowsCache:
    offsets = np.asarray(index["offsets"], dtype=np.int64)
    shape = (int(offsets[-1]), kind.WIDTH)
    rows = np.memmap(folder / kind.FILE, np.dtype(kind.TYPE), "r", shape=shape)
    return kind(tuple(index["keys"]), rows, offsets, index["failures"])
