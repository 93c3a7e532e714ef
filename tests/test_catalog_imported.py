"""Tracks and vectors from tables without files."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from musicu.catalog.catalog import Catalog
from musicu.cli.app import app
from musicu.errors import CatalogError, SourceError
from musicu.ingest.vector_import import import_vectors
from musicu.pipeline.run import run, scan


def releases(**columns: list[object]) -> pa.Table:
    return pa.table({"track_id": ["a", "b"], "artist": ["X", "Y; Z"], **columns})


def test_a_table_of_ids_is_a_catalog_with_all_its_columns(tmp_path: Path) -> None:
    table = releases(release_date=["2024-05", "1999"], energy=[0.5, float("nan")], mood=["a", None])
    tracks = scan(table, tmp_path / "c").catalog.tracks()
    assert tracks["track_id"].to_pylist() == ["a", "b"]
    assert tracks["artists"].to_pylist() == [["X"], ["Y", "Z"]]
    assert tracks["released"].to_pylist() == [date(2024, 5, 1), date(1999, 1, 1)]
    assert tracks["energy"].to_pylist() == [0.5, None]
    assert tracks["path"].null_count == 2


def test_columns_of_an_album_under_their_long_names_are_understood(tmp_path: Path) -> None:
    table = releases(track_album_release_date=["2020", "2021"], track_album_name=["U", "V"])
    tracks = scan(table, tmp_path / "c").catalog.tracks()
    assert tracks["date"].to_pylist() == ["2020", "2021"]
    assert tracks["album"].to_pylist() == ["U", "V"]


def test_the_same_table_again_changes_nothing(tmp_path: Path) -> None:
    scan(releases(energy=[0.5, 1.0]), tmp_path / "c")
    before = (tmp_path / "c" / "manifest.json").read_bytes()
    report = run(releases(energy=[0.5, 1.0]), tmp_path / "c", model=None)
    assert (report.tracks, report.known, report.updated) == (2, 2, 0)
    assert (tmp_path / "c" / "manifest.json").read_bytes() == before


def test_another_table_adds_rows_and_columns_and_removes_nothing(tmp_path: Path) -> None:
    scan(releases(energy=[0.5, 1.0]), tmp_path / "c")
    more = pa.table({"track_id": ["b", "c"], "tempo": [120.0, 90.0]})
    report = run(more, tmp_path / "c", model=None)
    assert (report.tracks, report.known, report.updated) == (2, 0, 1)
    tracks = Catalog.open(tmp_path / "c").tracks().select(["track_id", "energy", "tempo"])
    assert tracks.to_pylist() == [
        {"track_id": "a", "energy": 0.5, "tempo": None},
        {"track_id": "b", "energy": 1.0, "tempo": 120.0},
        {"track_id": "c", "energy": None, "tempo": 90.0},
    ]


def test_addresses_in_the_network_are_no_files(tmp_path: Path) -> None:
    table = releases(url=["https://example.org/1", "https://example.org/2"])
    assert len(scan(table, tmp_path / "c").catalog) == 2


def test_a_table_without_files_cannot_be_heard(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no column of paths, so there is nothing to read"):
        run(releases(), tmp_path / "c", model="musicu-stats-v1")


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    scan(releases(energy=[0.5, 1.0]), tmp_path / "c")
    with pytest.raises(CatalogError, match="does not fit the catalog"):
        scan(releases(energy=["low", "high"]), tmp_path / "c")


def vectors(*rows: object) -> pa.Table:
    return pa.table({"track_id": ["a", "b"][: len(rows)], "v": pa.array(list(rows))})


def test_vectors_come_to_unit_length_and_bad_ones_are_left_out(tmp_path: Path) -> None:
    scan(releases(), tmp_path / "c")
    assert import_vectors(tmp_path / "c", vectors([3.0, 4.0], [0.0, 0.0]), "v", "mine") == 1
    found = Catalog.open(tmp_path / "c").vectors("mine")
    assert list(found.ids) == ["a"]
    assert found.values == pytest.approx(np.array([[0.6, 0.8]]))


def test_vectors_of_two_trainings_are_never_mixed(tmp_path: Path) -> None:
    scan(releases(), tmp_path / "c")
    import_vectors(tmp_path / "c", vectors([1.0, 0.0]), "v", "mine")
    import_vectors(tmp_path / "c", vectors([1.0, 0.0], [0.0, 1.0]), "v", "mine")
    with pytest.raises(CatalogError, match="another vector of 'a' under the name 'mine'"):
        import_vectors(tmp_path / "c", vectors([0.0, -1.0]), "v", "mine")
    with pytest.raises(CatalogError, match="of another version"):
        import_vectors(tmp_path / "c", vectors([0.0, -1.0]), "v", "mine", version="2")
    assert Catalog.open(tmp_path / "c").vectors("mine").values.tolist() == [[1, 0], [0, 1]]
    import_vectors(tmp_path / "c", vectors([0.0, -1.0]), "v", "mine", version="2", replace=True)
    assert Catalog.open(tmp_path / "c").vectors("mine").values.tolist() == [[0, -1]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"name": ["a"], "v": [[1.0]]}), "no column of ids"),
        (pa.table({"track_id": ["a"], "w": [[1.0]]}), "no column 'v'"),
        (pa.table({"track_id": ["a", "b"], "v": [[1.0], [1.0, 2.0]]}), "lists of one length"),
        (pa.table({"track_id": ["a"], "v": ["x"]}), "lists of one length"),
        (pa.table({"track_id": ["a"], "v": [["x"]]}), "lists of numbers"),
        (pa.table({"track_id": ["q"], "v": [[1.0]]}), "the first to 'q': scan the table first"),
        (pa.table({"track_id": ["a", "a"], "v": [[1.0], [1.0]]}), "'a': give each track one"),
    ],
)
def test_a_wrong_column_of_vectors_says_what_is_wrong(
    tmp_path: Path, table: pa.Table, message: str
) -> None:
    scan(releases(), tmp_path / "c")
    with pytest.raises(SourceError, match=message):
        import_vectors(tmp_path / "c", table, "v", "mine")


def test_vectors_of_another_length_under_a_name_are_refused(tmp_path: Path) -> None:
    scan(releases(), tmp_path / "c")
    import_vectors(tmp_path / "c", vectors([1.0, 0.0]), "v", "mine")
    with pytest.raises(CatalogError, match="has other vectors under the name 'mine' \\(2 numbers"):
        import_vectors(tmp_path / "c", vectors([1.0, 0.0, 0.0]), "v", "mine")


def test_a_manifest_from_before_keys_opens(tmp_path: Path) -> None:
    scan(releases(), tmp_path / "c")
    path = tmp_path / "c" / "manifest.json"
    document = json.loads(path.read_text())
    document["models"] = {"old": {"fingerprint": "f", "dim": 3}}
    path.write_text(json.dumps(document))
    assert Catalog.open(tmp_path / "c").model_entry("old")[1].key == "content_hash"
    document["models"]["old"]["key"] = "title"
    path.write_text(json.dumps(document))
    with pytest.raises(CatalogError, match=r"is damaged .*key 'title'"):
        Catalog.open(tmp_path / "c")


def test_the_command_takes_a_table_with_vectors(tmp_path: Path) -> None:
    table = releases().append_column("v", pa.array([[1.0, 0.0], [0.0, 1.0]]))
    pq.write_table(table, tmp_path / "t.parquet")
    command = ["scan", str(tmp_path / "t.parquet"), "-o", str(tmp_path / "c"), "--vectors", "v"]
    wrong = CliRunner().invoke(app, command)
    assert wrong.exit_code == 2
    assert "--vectors and --model-name go together" in wrong.output
    done = CliRunner().invoke(app, [*command, "--model-name", "mine"])
    assert done.exit_code == 0, done.output
    catalog = Catalog.open(tmp_path / "c")
    assert catalog.vectors("mine").values.tolist() == [[1, 0], [0, 1]]
    assert "v" not in catalog.tracks().column_names
