"""Playlists in any usual form are one table; text tables are read as programs write them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from musicu.cli.app import app
from musicu.errors import SourceError
from musicu.ingest.playlist_tables import listeners_of, playlist_rows
from musicu.ingest.table import read_table

ROWS = [{"playlist_id": "1", "track_id": "7"}, {"playlist_id": "1", "track_id": "8"}]
ROWS += [{"playlist_id": "2", "track_id": "9"}]


@pytest.mark.parametrize(
    "table",
    [
        {"playlist_id": [1, 1, 2], "track_id": [7, 8, 9]},
        {"playlist_id": ["1.0", " 1", "2.0"], "track_id": [7.0, 8.0, 9.0]},
        {"pid": [1, 1, 2], "track": [7, 8, 9]},
        {"playlist": [1, 2, 3, 4], "tracks": [[7, 8], [9, None], None, []]},
        {"Playlist ID": [1, 2], "Track IDs": [[7, 8], [9]]},
    ],
)
def test_every_form_of_playlists_is_the_same_rows(table: dict[str, list[object]]) -> None:
    assert playlist_rows(pa.table(table)).to_pylist() == ROWS


def test_text_lists_are_parted_and_ids_are_not() -> None:
    cells = ["7;8", '["9", "a-1"]', "", None]
    found = playlist_rows(pa.table({"pid": list("abcd"), "track_ids": cells}))
    pairs = [tuple(row.values()) for row in found.to_pylist()]
    assert pairs == [("a", "7"), ("a", "8"), ("b", "9"), ("b", "a-1")]
    one = pa.table({"playlist_id": ["a"], "track_id": ["Artist; Title"]})
    assert playlist_rows(one) == one


def test_other_columns_stay_and_other_tables_are_left_alone() -> None:
    table = pa.table({"pid": [1, 2], "name": ["x", "y"], "tracks": [[7, 8], [9]]})
    assert playlist_rows(table)["name"].to_pylist() == ["x", "x", "y"]
    other = pa.table({"mix": [1], "song": [7]})
    assert playlist_rows(other) is other


def test_playlists_count_as_listeners_who_need_not_have_played() -> None:
    found = listeners_of(pa.table({"pid": [1, 2], "tracks": [[7], [9]]})).to_pylist()
    assert found[1] == {"user_id": "2", "track_id": "9", "context": "playlist:2"}
    listens = pa.table({"user_id": [1], "playlist_id": [5], "track_id": [7]})
    assert listeners_of(listens) is listens
    nested = pa.table({"playlist_id": [[1]], "track_id": [7]})
    assert listeners_of(nested).column_names == ["user_id", "track_id"]  # refused as listens are


def csv_in(folder: Path, form: str) -> Path:
    text = "playlist_id;track_id\n007;01\n007;02\n"
    path = folder / ("p.csv.gz" if form == "gzip" else "p.csv")
    if form == "gzip":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding=form)
    return path


@pytest.mark.parametrize("form", ["utf-8", "utf-8-sig", "utf-16", "gzip"])
def test_a_text_table_in_any_encoding_keeps_its_ids(tmp_path: Path, form: str) -> None:
    found = read_table(csv_in(tmp_path, form)).to_pylist()
    assert found == [{"playlist_id": "007", "track_id": t} for t in ("01", "02")]


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("{}\n")
    with pytest.raises(SourceError, match=r"p\.jsonl is none that we know: give CSV"):
        read_table(path)
    (tmp_path / "p.csv.gz").write_bytes(b"\x1f\x8b\x08\x00broken")
    with pytest.raises(SourceError, match=r"p\.csv\.gz cannot be read"):
        read_table(tmp_path / "p.csv.gz")


def test_playlists_as_lists_get_the_candidates_of_playlists_as_rows(tmp_path: Path) -> None:
    ids = [f"{n:03d}" for n in range(12)]
    vectors = [[1.0, n / 12] for n in range(12)]
    tracks = {"track_id": ids, "artists": [f"a{n}" for n in range(12)], "vector": vectors}
    pq.write_table(pa.table(tracks), tmp_path / "tracks.parquet")
    lists = pa.table({"pid": [1, 2], "tracks": [ids[:3], ids[5:8]]})
    pq.write_table(lists, tmp_path / "lists.parquet")
    pq.write_table(playlist_rows(lists), tmp_path / "rows.parquet")
    lines = [f"{row['playlist_id']};{row['track_id']}" for row in playlist_rows(lists).to_pylist()]
    text = "\n".join(["playlist_id;track_id", *lines]) + "\n"
    (tmp_path / "rows.csv").write_text(text, encoding="utf-16")
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(text.encode()))
    catalog = str(tmp_path / "catalog")
    given = ["--vectors", "vector", "--model-name", "mine"]
    scan = ["scan", str(tmp_path / "tracks.parquet"), "-o", catalog, *given]
    assert CliRunner().invoke(app, scan).exit_code == 0
    found = []
    for name in ("lists.parquet", "rows.parquet", "rows.csv", "rows.csv.gz"):
        listens = str(tmp_path / name)
        ask = ["candidates", catalog, "--listens", listens, "--source", "random", "--json"]
        done = CliRunner().invoke(app, [*ask, "--now", "2026-11-21"])
        assert done.exit_code == 0, done.output
        found.append(done.stdout)
    assert found == found[:1] * 4
    assert '"user_id": "2"' in found[0]
