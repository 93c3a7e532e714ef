"""Catalogs in memory and sound on disk, for the tests of shelves."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.schema import FAILURES, TRACKS
from musicu.catalog.stored_vectors import VectorBatch
from musicu.items.item_table import ItemTable
from musicu.records import Vectors

Row = dict[str, Any]


def table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist([{"gone": False, **row} for row in rows], schema=TRACKS)


def unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    found = np.asarray(values / np.maximum(lengths, 1e-9), dtype=np.float32)
    found[lengths[:, 0] == 0, 0] = 1  # zeros have no direction: they get one
    return found


def vectors(ids: Sequence[str], values: NDArray[np.float32]) -> Vectors:
    return Vectors(np.array(list(ids), dtype=object), unit(np.asarray(values, np.float32)))


def items_of(rows: Sequence[Row], values: NDArray[np.float32] | None = None) -> ItemTable:
    """An item table of some rows, t0 …, whose vectors are all unlike unless they are given."""
    named = [{"track_id": f"t{n}", **row} for n, row in enumerate(rows)]
    values = np.eye(len(rows), dtype=np.float32) if values is None else values
    tracks = table(named)
    for name in ("recording_id", "work_id"):
        column = pa.array([row.get(name) for row in named], pa.string())
        tracks = tracks.append_column(name, column)
    return ItemTable(tracks, Vectors(np.array([row["track_id"] for row in named], object), values))


class MemoryCatalog:
    """What recipes ask of a catalog, without a folder."""

    def __init__(self, rows: Sequence[Row], values: NDArray[np.float32]) -> None:
        self._tracks = table(rows)
        self._vectors = vectors([row["track_id"] for row in rows], values)

    def tracks(self) -> pa.Table:
        return self._tracks

    def columns(self, names: Sequence[str]) -> pa.Table:
        return self._tracks.select([n for n in names if n in self._tracks.column_names])

    def vectors(self, model: str | None = None) -> Vectors:
        return self._vectors

    def vector_rows(self, model: str | None = None) -> NDArray[np.int64]:
        return np.array(pc.index_in(pa.array(self.vectors().ids), self.tracks()["track_id"]))

    def vector_batches(self, model: str | None = None) -> Iterator[VectorBatch]:
        rows, values = self.vector_rows(), self.vectors().values
        for start in range(0, len(rows), 1000):
            yield VectorBatch(rows[start : start + 1000], values[start : start + 1000])

    def failures(self) -> pa.Table:
        return FAILURES.empty_table()


def write_tone(path: Path, hertz: float, seconds: float = 1.0) -> Path:
    """A WAV file with a sine in it."""
    rate = 8000
    samples = 0.2 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((samples * 32767).astype("<i2").tobytes())
    return path
