from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musicu.catalog.parquet_pages import copy_vectors
from musicu.catalog.rows import vector_column


def written(path: Path, values: Any, **options: Any) -> Any:
    """A file of a name and a vector a row, and its metadata."""
    names = pa.array([f"{n:032x}" for n in range(len(values))])
    vectors = vector_column(values)
    schema = pa.schema(
        [pa.field("name", pa.string()), pa.field("vector", vectors.type, nullable=False)]
    )
    table = pa.Table.from_arrays([names, vectors], schema=schema)
    pq.write_table(table, path, **{"compression": "none", "use_dictionary": False, **options})
    return pq.read_metadata(path)


@pytest.mark.parametrize("dim", [1, 3, 256])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"data_page_size": 1 << 30},  # pages as large as they get
        {"data_page_size": 1000, "write_batch_size": 7},  # many small ones
        {"row_group_size": 100},
        {"write_statistics": False},
        {"write_page_checksum": True},
    ],
)
def test_vectors_are_those_that_the_decoder_gives(
    tmp_path: Path, dim: int, options: dict[str, Any]
) -> None:
    values = np.random.default_rng(dim).standard_normal((1037, dim)).astype(np.float32)
    metadata = written(tmp_path / "a.parquet", values, **options)
    out = np.zeros_like(values)
    assert copy_vectors(tmp_path / "a.parquet", metadata, "vector", out)
    assert out.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    "options",
    [{"compression": "zstd"}, {"use_dictionary": True}, {"data_page_version": "2.0"}],
)
def test_what_does_not_lie_plain_is_left_to_the_decoder(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    values = np.ones((10, 4), np.float32)
    metadata = written(tmp_path / "a.parquet", values, **options)
    assert not copy_vectors(tmp_path / "a.parquet", metadata, "vector", np.empty_like(values))


def test_vectors_of_another_length_are_left_to_the_decoder(tmp_path: Path) -> None:
    metadata = written(tmp_path / "a.parquet", np.ones((10, 4), np.float32))
    for dim in (3, 5):
        out = np.empty((10, dim), np.float32)
        assert not copy_vectors(tmp_path / "a.parquet", metadata, "vector", out)


def test_damaged_page_headers_are_left_to_the_decoder(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    path = tmp_path / "a.parquet"
    metadata = written(path, values)
    whole = path.read_bytes()
    start = metadata.row_group(0).column(1).data_page_offset
    for at in range(start, start + 40):
        for byte in (0, 0x15, 0x1F, 0x80, 0xFF):
            path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            out = np.zeros_like(values)
            copied = copy_vectors(path, metadata, "vector", out)
            assert not copied or out.shape == values.shape  # and nothing is raised
    path.write_bytes(whole[: start + 60])  # ends inside the page
    assert not copy_vectors(path, metadata, "vector", np.zeros_like(values))
