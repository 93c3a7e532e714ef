"""A catalog as one file for other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors.numpy import save_file

from musicu.catalog.catalog import Catalog
from musicu.catalog.files import write_atomically
from musicu.catalog.rows import vector_column
from musicu.errors import QueryError

FORMATS = ("parquet", "csv", "npz", "safetensors")


def export(catalog: Catalog, path: str | Path, *, model: str | None = None) -> int:
    """Write tracks with their vectors to one file; returns how many tracks it holds.

    The format goes by the ending: `.parquet` has every column and a list column `vector`; `.csv`
    has every column (lists joined by ";") and `vector_0` …; `.npz` and `.safetensors` have
    `vectors` float32 [tracks, dim] and the ids, as array `ids` or as JSON in the metadata.
    Records within a CSV cell are JSON, and bytes are left out. Tracks without a vector are left
    out; a catalog without any vectors gives its columns alone, as `.parquet` or `.csv`. Raises
    QueryError for another ending, and where a column has the name of the vectors'.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise QueryError(
            f"cannot export to {path.name!r}: name a file that ends in "
            + ", ".join("." + name for name in FORMATS)
        )
    if model is None and not catalog.models() and kind in ("parquet", "csv"):
        return _export_tracks(catalog, path, kind)
    name, _ = catalog.model_entry(model)
    ids, values = catalog.vectors(name)
    if kind == "npz":
        write_atomically(path, lambda p: _write_npz(p, ids.astype(np.str_), values))
    elif kind == "safetensors":
        about = {"ids": json.dumps(list(ids)), "model": name}
        data = {"vectors": np.ascontiguousarray(values)}
        write_atomically(path, lambda p: save_file(data, p, metadata=about))
    else:
        table = _rows(catalog, ids)
        taken = {"vector"} if kind == "parquet" else {f"vector_{i}" for i in range(values.shape[1])}
        if clash := sorted(taken & set(table.column_names)):
            raise QueryError(
                f"the tracks have a column {clash[0]!r} of their own, where the vectors would "
                "stand: rename it in the table that you scan, or export to .npz"
            )
        if kind == "parquet":
            table = table.append_column("vector", vector_column(values))
            write_atomically(path, lambda p: pq.write_table(table, p, compression="zstd"))
        else:
            flat = _flat(table, values)
            write_atomically(path, lambda p: pyarrow.csv.write_csv(flat, p))
    return len(ids)


def _write_npz(path: Path, ids: NDArray[np.str_], values: NDArray[np.float32]) -> None:
    """Write an uncompressed .npz under exactly this name."""
    with path.open("wb") as file:
        np.savez(file, ids=ids, vectors=values)


def _rows(catalog: Catalog, ids: NDArray[np.object_]) -> pa.Table:
    """The tracks' rows in the order of the ids."""
    tracks = catalog.tracks()
    rows = pc.index_in(pa.array(ids, pa.string()), value_set=tracks["track_id"].combine_chunks())
    return tracks.take(rows)


def _flat(table: pa.Table, values: NDArray[np.float32]) -> pa.Table:
    """A table without lists, records or bytes, and a column for each dimension."""
    columns = {
        name: _plain(table[name])
        for name in table.column_names
        if not _is_bytes(table.schema.field(name).type)
    }
    for i in range(values.shape[1]):
        columns[f"vector_{i}"] = pa.array(values[:, i])
    return pa.table(columns)


def _export_tracks(catalog: Catalog, path: Path, kind: str) -> int:
    """Write the tracks of a catalog that has no vectors yet."""
    tracks = catalog.tracks()
    if kind == "parquet":
        write_atomically(path, lambda p: pq.write_table(tracks, p, compression="zstd"))
    else:
        kept = [n for n in tracks.column_names if not _is_bytes(tracks.schema.field(n).type)]
        flat = pa.table({name: _plain(tracks[name]) for name in kept})
        write_atomically(path, lambda p: pyarrow.csv.write_csv(flat, p))
    return int(tracks.num_rows)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """A column as CSV can hold it: lists joined by ";", records as JSON."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    if not pa.types.is_nested(kind):
        return column
    simple = getattr(kind, "value_type", None)
    joined = simple is not None and not pa.types.is_nested(simple) and not pa.types.is_map(kind)
    said = _joined if joined else _as_json
    cells = column.to_pylist()
    return pa.array([None if cell is None else said(cell) for cell in cells], pa.string())


def _joined(cell: list[Any]) -> str:
    return ";".join("" if value is None else str(value) for value in cell)


def _as_json(cell: Any) -> str:
    return json.dumps(cell, ensure_ascii=False, default=str)


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests)
