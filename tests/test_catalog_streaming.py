"""What goes through a catalog some rows at a time gives what reading it whole would."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from musicu.catalog import stored_vectors as reading
from musicu.catalog.catalog import Catalog
from musicu.catalog.export import export
from musicu.catalog.manifest import ModelEntry, read_manifest
from musicu.catalog.rows import vectors_table
from musicu.catalog.schema import TRACKS
from musicu.catalog.store import Change, Store
from musicu.errors import SourceError
from musicu.ingest import table_import, vector_import
from musicu.ingest.vector_import import import_vectors
from musicu.pipeline.run import run, scan
from musicu.shelves.map import draw_map

COUNT = 500


def tracks(count: int = COUNT, **columns: Any) -> pa.Table:
    """Tracks in no order of their ids, with vectors."""
    order = np.random.default_rng(0).permutation(count)
    values = np.random.default_rng(1).standard_normal((count, 5)).astype(np.float32)
    given = {
        "track_id": [f"t{i:04}" for i in order],
        "title": [f"Title {i}" for i in order],
        "genres": [[f"g{i % 4}"] for i in order],
        "v": list(values),
    }
    return pa.table({**given, **columns})


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_import, "ROWS_PER_FILE", 64)
    monkeypatch.setattr(vector_import, "_ROWS_AT_ONCE", 16)
    monkeypatch.setattr(vector_import, "_PIECE_BYTES", 64 * 20)
    monkeypatch.setattr(reading, "_BATCH_ROWS", 30)
    monkeypatch.setattr("musicu.catalog.compaction.MIN_ROWS", 100)
    monkeypatch.setattr("musicu.catalog.compaction.MAX_ROWS", 200)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    scan(tracks().drop_columns(["v"]), tmp_path / "c")
    import_vectors(tmp_path / "c", tracks(), "v", "m")
    return tmp_path / "c"


def together(catalog: Catalog) -> tuple[list[str], np.ndarray[Any, Any]]:
    batches = list(catalog.vector_batches())
    rows = np.concatenate([batch.rows for batch in batches])
    assert rows.tolist() == catalog.vector_rows().tolist()
    ids = catalog.tracks()["track_id"].take(pa.array(rows)).to_pylist()
    return ids, np.concatenate([batch.values for batch in batches])


def test_vectors_in_batches_are_those_of_the_whole(catalog: Path) -> None:
    opened = Catalog.open(catalog)
    ids, values = together(opened)
    assert ids == opened.vectors().ids.tolist()
    assert values.tobytes() == opened.vectors().values.tobytes()
    given = {row["track_id"]: row["v"] for row in tracks().to_pylist()}
    wanted = np.array([given[track_id] for track_id in ids])
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(values, wanted, atol=1e-6)


def test_a_recording_of_two_tracks_is_in_the_batches_twice(tmp_path: Path) -> None:
    scan(pa.table({"track_id": ["a", "b", "c"]}), tmp_path / "c")
    store = Store.open(tmp_path / "c")
    table = store.read("tracks")
    assert table is not None
    place = table.column_names.index("content_hash")
    table = table.set_column(place, "content_hash", pa.array(["2", "1", "2"]))
    for hashes in (["2", "1"], ["1", "3"]):  # pieces of runs that were stopped: the last counts
        rows = vectors_table(hashes, [np.eye(4, dtype="f4")[int(h)] for h in hashes], [True] * 2)
        changes = [Change("tracks", table, replace=True), Change("vectors/m", rows)]
        store.commit(changes, {"m": ModelEntry("f", 4)})
    opened = Catalog.open(tmp_path / "c")
    ids, values = together(opened)
    whole = opened.vectors()
    assert sorted(zip(ids, values.tolist(), strict=True)) == sorted(
        zip(whole.ids.tolist(), whole.values.tolist(), strict=True)
    )
    assert ids.count("a") == ids.count("c") == 1


def test_a_table_file_is_taken_as_the_table_in_memory(catalog: Path, tmp_path: Path) -> None:
    pq.write_table(tracks(), tmp_path / "t.parquet")
    scan(tracks().drop_columns(["v"]), tmp_path / "d")
    assert import_vectors(tmp_path / "d", tmp_path / "t.parquet", "v", "m") == COUNT
    for table in ("tracks", "vectors/m"):
        assert Store.open(tmp_path / "d").read(table) == Store.open(catalog).read(table)


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.int16())])
def test_lists_of_any_numbers_are_vectors(tmp_path: Path, kind: pa.DataType) -> None:
    scan(pa.table({"track_id": ["a", "b", "c"]}), tmp_path / "c")
    table = pa.table({"id": ["b", "a", "c"], "v": pa.array([None, [3, 4], [0, -2]], kind)})
    assert import_vectors(tmp_path / "c", table, "v", "m") == 2
    ids, values = Catalog.open(tmp_path / "c").vectors()
    assert dict(zip(ids, values.tolist(), strict=True)) == {
        "a": pytest.approx([0.6, 0.8]),
        "c": [0.0, -1.0],
    }


def test_vectors_given_again_write_nothing_and_a_new_one_alone_is_written(
    catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (catalog / "manifest.json").read_bytes()
    assert import_vectors(catalog, tracks(), "v", "m") == COUNT
    assert (catalog / "manifest.json").read_bytes() == before
    written: list[int] = []
    commit = Store.commit

    def counting(store: Store, changes: list[Change], *rest: Any, **more: Any) -> None:
        written.extend(change.rows.num_rows for change in changes)
        commit(store, changes, *rest, **more)

    monkeypatch.setattr(Store, "commit", counting)
    run(pa.table({"track_id": ["new"]}), catalog, model=None)
    written.clear()
    more = pa.table({"track_id": ["new"], "v": [[1.0, 0.0, 0.0, 0.0, 0.0]]})
    given = pa.concat_tables(
        [tracks().select(["track_id", "v"]), more], promote_options="permissive"
    )
    import_vectors(catalog, given, "v", "m")
    assert written == [1]
    assert Catalog.open(catalog).vectors().of(["new"])[0].tolist() == [1, 0, 0, 0, 0]


class Stopped(Exception):  # noqa: N818 - a stand-in for Ctrl-C
    pass


def stop_after(monkeypatch: pytest.MonkeyPatch, commits: int) -> Any:
    """Let some commits through, then stop the process's work."""
    commit, left = Store.commit, [commits]

    def stopping(store: Store, *rest: Any, **more: Any) -> None:
        if not left[0]:
            raise Stopped
        left[0] -= 1
        commit(store, *rest, **more)

    monkeypatch.setattr(Store, "commit", stopping)


def test_an_import_that_is_stopped_keeps_what_it_read_and_the_next_goes_on(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, out = tracks().drop_columns(["v"]), tmp_path / "d"
    with monkeypatch.context() as patched:
        stop_after(patched, 3)
        with pytest.raises(Stopped):
            run(table, out, model=None)
    assert len(Catalog.open(out)) == 3 * 64
    report = run(table, out, model=None)
    assert (report.tracks, report.known, report.updated) == (COUNT, 3 * 64, 0)
    with monkeypatch.context() as patched:
        stop_after(patched, 3)
        with pytest.raises(Stopped):
            import_vectors(out, tracks(), "v", "m")
    kept = len(Catalog.open(out).vectors().ids)
    assert 3 * 64 <= kept < COUNT
    assert import_vectors(out, tracks(), "v", "m") == COUNT
    for name in ("tracks", "vectors/m"):  # and the files are those of a run that was left alone
        one, other = (read_manifest(folder).tables[name] for folder in (out, catalog))
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            assert (out / mine).read_bytes() == (catalog / theirs).read_bytes()


def test_a_list_of_another_length_far_into_the_table_is_an_error(catalog: Path) -> None:
    values = tracks()["v"].to_pylist()
    values[400] = [1.0]
    table = pa.table({"track_id": tracks()["track_id"], "v": pa.array(values)})
    with pytest.raises(SourceError, match=r"lists of one length.*\[1, 5\]"):
        import_vectors(catalog, table, "v", "other")


def test_a_column_whose_numbers_become_finer_is_widened_everywhere(tmp_path: Path) -> None:
    scan(tracks(energy=list(range(COUNT))).drop_columns(["v"]), tmp_path / "c")
    more = pa.table({"track_id": ["t0003", "t9999"], "energy": [0.5, 1.5]})
    report = run(more, tmp_path / "c", model=None)
    assert (report.tracks, report.known, report.updated) == (2, 0, 1)
    found = Catalog.open(tmp_path / "c").tracks().select(["track_id", "energy", "genres"])
    rows = {row.pop("track_id"): row for row in found.to_pylist()}
    assert rows["t0003"] == {"energy": 0.5, "genres": ["g3"]}
    assert rows["t9999"] == {"energy": 1.5, "genres": None}
    assert len(rows) == COUNT + 1


def test_every_export_holds_the_same_tracks_and_vectors(catalog: Path, tmp_path: Path) -> None:
    opened = Catalog.open(catalog)
    ids, values = opened.vectors()
    out = {kind: tmp_path / f"e.{kind}" for kind in ("parquet", "csv", "npz", "safetensors")}
    assert {export(opened, path) for path in out.values()} == {COUNT}
    table = pq.read_table(out["parquet"])
    assert table["track_id"].to_pylist() == list(ids)
    assert table.drop_columns(["vector"]).equals(opened.tracks().combine_chunks())
    assert np.array_equal(np.stack(table["vector"].to_numpy()), values)
    with np.load(out["npz"]) as arrays:
        assert arrays["ids"].tolist() == list(ids)
        assert arrays["vectors"].tobytes() == values.tobytes()
    with safe_open(out["safetensors"], "numpy") as file:
        assert json.loads(file.metadata()["ids"]) == list(ids)
        assert np.array_equal(file.get_tensor("vectors"), values)
    with out["csv"].open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["track_id"] for row in rows] == list(ids)
    assert [float(row["vector_4"]) for row in rows] == pytest.approx(values[:, 4].tolist())
    assert rows[0]["genres"] == opened.tracks()["genres"][0].as_py()[0]


def test_a_map_depends_on_no_batches(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = []
    for size in (7, COUNT):
        monkeypatch.setattr(reading, "_BATCH_ROWS", size)
        atlas = draw_map(Catalog.open(catalog), method="pca", where="genres = g1")
        assert atlas.places["track_id"].to_pylist() == [f"t{i:04}" for i in range(1, COUNT, 4)]
        places.append(atlas.places)
    assert places[0]["region"].equals(places[1]["region"])
    for name in ("x", "y"):
        np.testing.assert_allclose(places[0][name], places[1][name], atol=1e-5)


def test_some_columns_are_those_of_all_tracks(catalog: Path) -> None:
    names = ("track_id", "genres", "gone", "title", "no such column")
    read = Catalog.open(catalog).columns(names)
    opened = Catalog.open(catalog)
    assert read.equals(opened.tracks().select(["track_id", "genres", "gone", "title"]))
    assert opened.columns(names).equals(read)


def test_vectors_in_the_order_of_the_tracks_are_theirs_whatever_the_order_of_hashes(
    tmp_path: Path,
) -> None:
    hashes = [f"h{n}" for n in (3, 1, 2)]
    values = np.eye(3, dtype=np.float32)
    known = {"track_id": ["a", "b", "c"], "content_hash": hashes, "gone": [False] * 3}
    rows = pa.table({f.name: pa.array(known.get(f.name, [None] * 3), f.type) for f in TRACKS})
    store = Store.create(tmp_path / "c")
    vectors = vectors_table(hashes, list(values), [True] * 3)
    changes = [Change("tracks", rows), Change("vectors/m", vectors)]
    store.commit(changes, {"m": ModelEntry("0" * 16, 3)})
    opened = Catalog.open(tmp_path / "c")
    assert opened.vectors().values.tolist() == values.tolist()
    [batch] = opened.vector_batches()
    assert batch.values.tolist() == values[batch.rows].tolist()
