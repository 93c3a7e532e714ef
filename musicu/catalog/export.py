"""A catalog as one file for other tools, written a few thousand tracks at a time."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from musicu.catalog.catalog import Catalog
from musicu.catalog.files import write_atomically
from musicu.catalog.rows import TableRows, vector_column
from musicu.catalog.stored_vectors import VectorBatch
from musicu.errors import CatalogError, QueryError
from musicu.progress import tracked

_BATCH_ROWS = 4096
FORMATS = ("parquet", "csv", "npz", "safetensors")


def export(catalog: Catalog, path: str | Path, *, model: str | None = None) -> int:
    """Write tracks with their vectors to one file; returns how many tracks it holds.

    The format goes by the ending: `.parquet` has every column and a list column `vector`; `.csv`
    has every column (lists joined by ";") and `vector_0` …; `.npz` and `.safetensors` have
    `vectors` float32 [tracks, dim] and the ids, as array `ids` or as JSON in the metadata.
    Records within a CSV cell are JSON, and bytes are left out. Tracks without a vector are left
    out; a catalog without any vectors gives its columns alone, as `.parquet` or `.csv`. model:
    Default: the catalog's default model.

    Raises QueryError for another ending, and where a column has the name of the vectors'.
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
    name, entry = catalog.model_entry(model)
    if kind == "parquet":
        _check_free(catalog, {"vector"})
        write_atomically(path, lambda to: _write_parquet(to, catalog, name))
    elif kind == "csv":
        _check_free(catalog, {f"vector_{i}" for i in range(entry.dim)})
        write_atomically(path, lambda to: _write_csv(to, catalog, name))
    else:
        write = _write_npz if kind == "npz" else _write_safetensors
        write_atomically(path, lambda to: write(to, catalog, name))
    return catalog.vector_count(name)


def _check_free(catalog: Catalog, taken: set[str]) -> None:
    if clash := sorted(taken & set(catalog.tracks().column_names)):
        raise QueryError(
            f"the tracks have a column {clash[0]!r} of their own, where the vectors would "
            "stand: rename it in the table that you scan, or export to .npz"
        )


def _tables(catalog: Catalog, model: str, path: Path) -> Iterator[pa.Table]:
    """Rows of tracks with a column `vector`; one without rows comes first, for its columns."""
    tracks, dim = catalog.tracks(), catalog.model_entry(model)[1].dim
    held = TableRows(tracks)
    yield tracks.slice(0, 0).append_column("vector", vector_column(np.zeros((0, dim), np.float32)))
    for rows, values in _batches(catalog, model, path):
        part = held.take(rows)
        yield part.append_column("vector", vector_column(values))


def _batches(catalog: Catalog, model: str, path: Path) -> Iterator[VectorBatch]:
    """The vectors in the order of the tracks, by way of a file without a name beside `path`."""
    rows, dim = catalog.vector_rows(model), catalog.model_entry(model)[1].dim
    width = 4 * dim
    places = np.argsort(np.argsort(rows))
    rows = np.sort(rows)
    with tempfile.TemporaryFile(dir=path.parent, buffering=0) as file:
        done = 0
        stored = catalog.vector_batches(model)
        for _, values in tracked(stored, "sorting", len(rows), "tracks", lambda b: len(b.rows)):
            if done + len(values) > len(rows):
                break
            for place, value in zip(places[done : done + len(values)], values, strict=True):
                file.seek(width * int(place))
                file.write(np.ascontiguousarray(value, "<f4").data)
            done += len(values)
        if done != len(rows):
            raise CatalogError(f"{catalog.path} was written to while it was read: run again")
        file.seek(0)
        starts = range(0, len(rows), _BATCH_ROWS)
        for start in tracked(starts, "writing", len(rows), "tracks", lambda _: _BATCH_ROWS):
            part = rows[start : start + _BATCH_ROWS]
            values = np.frombuffer(file.read(width * len(part)), "<f4").reshape(-1, dim)
            yield VectorBatch(part, values)


def _write_parquet(path: Path, catalog: Catalog, model: str) -> None:
    tables = _tables(catalog, model, path)
    with pq.ParquetWriter(path, next(tables).schema, compression="zstd") as file:
        for table in tables:
            file.write_table(table)


def _write_csv(path: Path, catalog: Catalog, model: str) -> None:
    tables = map(_flat, _tables(catalog, model, path))
    with pyarrow.csv.CSVWriter(path, next(tables).schema) as file:
        for table in tables:
            file.write_table(table)


def _write_npz(path: Path, catalog: Catalog, model: str) -> None:
    """Write an uncompressed .npz under exactly this name."""
    ids = np.array(_ids(catalog, model), np.str_)
    dim = catalog.model_entry(model)[1].dim
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(ids), dim)}
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        with archive.open("ids.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array(file, ids)
        with archive.open("vectors.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_2_0(file, header)
            _write_values(file, catalog, model, path)


def _write_safetensors(path: Path, catalog: Catalog, model: str) -> None:
    """Write the format of safetensors: the length of a JSON header, the header, the numbers."""
    ids, dim = _ids(catalog, model), catalog.model_entry(model)[1].dim
    place = {"dtype": "F32", "shape": [len(ids), dim], "data_offsets": [0, 4 * len(ids) * dim]}
    about = {"ids": json.dumps(ids), "model": model}
    header = json.dumps({"__metadata__": about, "vectors": place}).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        _write_values(file, catalog, model, path)


def _ids(catalog: Catalog, model: str) -> list[str]:
    """The ids of the tracks that have a vector, in the order of the tracks."""
    rows = pa.array(np.sort(catalog.vector_rows(model)))
    found: list[str] = catalog.identities()["track_id"].take(rows).to_pylist()
    return found


def _write_values(file: Any, catalog: Catalog, model: str, path: Path) -> None:
    """The vectors as they lie in memory, little-endian."""
    for _, values in _batches(catalog, model, path):
        file.write(values.data)


def _export_tracks(catalog: Catalog, path: Path, kind: str) -> int:
    """Write the tracks of a catalog that has no vectors yet."""
    tracks = catalog.tracks()
    if kind == "parquet":
        write_atomically(path, lambda to: pq.write_table(tracks, to, compression="zstd"))
    else:
        write_atomically(path, lambda to: pyarrow.csv.write_csv(pa.table(_cells(tracks)), to))
    return int(tracks.num_rows)


def _flat(table: pa.Table) -> pa.Table:
    """A table as CSV can hold it, with a column for each number of the vectors."""
    vectors = table["vector"].combine_chunks()
    dim = vectors.type.list_size
    values = vectors.flatten().to_numpy().reshape(-1, dim)
    numbers = {f"vector_{i}": pa.array(values[:, i]) for i in range(dim)}
    return pa.table({**_cells(table.drop_columns(["vector"])), **numbers})


def _cells(table: pa.Table) -> dict[str, pa.ChunkedArray | pa.Array]:
    """Columns without lists, records or bytes."""
    kept = [name for name in table.column_names if not _is_bytes(table.schema.field(name).type)]
    return {name: _plain(table[name]) for name in kept}


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
