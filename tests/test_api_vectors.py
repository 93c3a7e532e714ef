"""Vectors: one order, that of the tracks; ids align or are refused; nobody writes to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicu.catalog.catalog import Catalog
from musicu.errors import QueryError
from musicu.ingest.vector_import import import_vectors
from musicu.pipeline.run import scan
from musicu.records import Vectors, id_list


def test_vectors_come_in_the_order_of_the_tracks(demo_catalog: Path) -> None:
    catalog = Catalog.open(demo_catalog)
    assert catalog.vectors().ids.tolist() == catalog.tracks()["track_id"].to_pylist()


def test_vectors_of_tracks_are_in_their_order_however_they_came(tmp_path: Path) -> None:
    ids = [f"t{n:02d}" for n in range(40)]
    scan(pa.table({"track_id": ids}), tmp_path / "c")
    rows = np.random.default_rng(1).permutation(40)[:30]
    values = np.eye(40, dtype=np.float32)
    table = pa.table({"track_id": [ids[n] for n in rows], "v": list(values[rows])})
    import_vectors(tmp_path / "c", table, "v", "mine")
    found = Catalog.open(tmp_path / "c").vectors()
    kept = sorted(rows.tolist())
    assert found.ids.tolist() == [ids[n] for n in kept]
    assert np.array_equal(found.values, values[kept])


def test_nobody_writes_to_what_a_catalog_hands_out(demo_catalog: Path) -> None:
    ids, values = Catalog.open(demo_catalog).vectors()
    for array in (ids, values):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = array[::-1]


@given(st.permutations(range(8)))
def test_vectors_are_found_by_their_ids_in_any_order(rows: list[int]) -> None:
    values = np.eye(8, dtype=np.float32)
    vectors = Vectors([f"t{n}" for n in rows], values[rows])
    assert np.array_equal(vectors.of([f"t{n}" for n in range(8)]), values)


@pytest.mark.parametrize(
    "ids",
    [
        pa.array(["1", "2"]),
        pa.chunked_array([["1"], ["2"]]),
        pa.array([1, 2]),
        np.array([1.0, 2.0]),
        np.array(["1", "2"]),
        pd.Series([1, 2]),
        pl.Series(["1", "2"]),
        pl.Series([1, 2]),
        ("1", 2),
        [pa.scalar("1"), np.int64(2)],
    ],
    ids=str,
)
def test_a_column_of_ids_is_ids(ids: object) -> None:
    assert id_list(ids) == ["1", "2"]


@pytest.mark.parametrize("ids", ["t1", b"t1", 7, None, {"t1": 1}, [None], [float("nan")], [["a"]]])
def test_what_is_no_collection_of_ids_is_refused(ids: object) -> None:
    with pytest.raises(QueryError, match="ids"):
        id_list(ids)


def test_vectors_need_one_id_each() -> None:
    with pytest.raises(QueryError, match=r"3 ids and vectors of the shape \(2, 4\)"):
        Vectors(["a", "b", "c"], np.zeros((2, 4), np.float32))
    with pytest.raises(QueryError, match="no vector for 1 track, the first 'z'"):
        Vectors(["a", "b"], np.zeros((2, 4), np.float32)).of(["a", "z"])
