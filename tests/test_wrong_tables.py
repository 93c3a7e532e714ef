"""Tables with faults, given to every command that takes one: an error or a counted warning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from musicu.candidates import check_listens
from musicu.cli.app import app
from musicu.embeddings.tracks.groups import from_pairs, from_playlists
from musicu.errors import QueryError
from musicu.evaluation.candidates.offered import told_of

IDS = [f"t{n}" for n in range(24)]
NOW = "2026-11-21"


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def listens(**faulty: str) -> str:
    """A log of three listeners as CSV, with one more row that has faults."""
    heads = ("user_id", "track_id", "timestamp", "weight")
    rows = [f"u{n % 3},{t},2026-05-{1 + n:02d}T10:00:00,1" for n, t in enumerate(IDS)]
    row = {"user_id": "u0", "track_id": "t0", "timestamp": "2026-06-01T10:00:00", "weight": "1"}
    rows.append(",".join((row | faulty)[name] for name in heads))
    return "\n".join([",".join(heads), *rows]) + "\n"


def tracks() -> pa.Table:
    values = np.random.default_rng(0).normal(size=(len(IDS), 8)).astype("f4")
    return pa.table(
        {
            "track_id": IDS,
            "title": [f"song {t}" for t in IDS],
            "artists": [f"artist {n % 6}" for n in range(len(IDS))],
            "vector": list(values),
        }
    )


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wrong")
    pq.write_table(tracks(), folder / "tracks.parquet")
    given = ["--vectors", "vector", "--model-name", "mine"]
    done = invoke("scan", folder / "tracks.parquet", "-o", folder / "catalog", *given)
    assert done.exit_code == 0, done.output
    return folder / "catalog"


def test_scan_counts_dates_that_cannot_be_read(tmp_path: Path) -> None:
    table = tmp_path / "tracks.csv"
    table.write_text("track_id,released\na,2020-01-02\nb,sometime\nc,sometime\nd,\n", "utf-8")
    done = invoke("scan", table, "-o", tmp_path / "catalog")
    assert done.exit_code == 0
    assert "2 cells of the column 'released' cannot be read" in done.stderr
    assert "the first in row 2: 'sometime'" in done.stderr


def test_scan_counts_rows_without_a_vector(tmp_path: Path) -> None:
    rows = tracks().to_pylist()
    rows[3]["vector"][2] = float("nan")
    rows[4]["vector"] = None
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    given = ["--vectors", "vector", "--model-name", "mine"]
    done = invoke("scan", tmp_path / "t.parquet", "-o", tmp_path / "catalog", *given)
    assert "mine: 22 vectors" in done.stderr
    assert "2 rows have no vector" in done.stderr


WARNED = [
    ({"timestamp": "2199-01-01T10:00:00"}, "1 listens lie in the future"),
    ({"track_id": "nowhere"}, "1 listens are of tracks that are not in the catalog"),
    ({"timestamp": "2026-05-01T10:00:00"}, "1 listens repeat another exactly"),
]
REFUSED = [
    ({"timestamp": "yesterday"}, "'timestamp' cannot be read: Failed to parse string: 'yesterday'"),
    ({"weight": "lots"}, "'weight' cannot be read: Failed to parse string: 'lots'"),
    ({"weight": "nan"}, "row 25 of the listens has no weight"),
    ({"user_id": ""}, "row 25 of the listens has no user_id"),
]


@pytest.mark.parametrize("command", ["taste", "candidates"])
def test_commands_for_listeners(catalog: Path, tmp_path: Path, command: str) -> None:
    table = tmp_path / "listens.csv"
    given = [command, catalog, "--listens", table, "--model", "mine", "--now", NOW]
    given += ["--source", "random"] if command == "candidates" else []
    for faulty, words in WARNED:
        table.write_text(listens(**faulty), "utf-8")
        done = invoke(*given)
        assert done.exit_code == 0, done.output
        assert f"warning: {words}" in done.stderr
    for faulty, words in REFUSED:
        table.write_text(listens(**faulty), "utf-8")
        done = invoke(*given)
        assert done.exit_code == 1
        assert words in str(done.exception)
    table.write_text("user,track_id\nu0,t0\n", "utf-8")
    assert "have no column 'user_id', only user, track_id" in str(invoke(*given).exception)


def test_taste_of_nothing_says_so(catalog: Path, tmp_path: Path) -> None:
    table = tmp_path / "listens.csv"
    for text in ("user_id,track_id\n", "user_id,track_id\nu0,nowhere\n"):
        table.write_text(text, "utf-8")
        done = invoke("taste", catalog, "--listens", table, "--model", "mine")
        assert done.exit_code == 1
        assert "holds no listen of anybody that can be used" in str(done.exception)


def test_training_says_what_it_leaves_out(catalog: Path, tmp_path: Path) -> None:
    table = tmp_path / "listens.csv"
    train = ["train", "tracks", catalog, "--name", "w", "--steps", 1, "--dim", 8]
    table.write_text(listens(timestamp="2199-01-01T10:00:00"), "utf-8")
    done = invoke(*train, "--listens", table)
    assert done.exit_code == 0, done.output
    assert "warning: 1 listens lie in the future" in done.stderr
    for faulty, words in REFUSED:
        table.write_text(listens(**faulty), "utf-8")
        assert words in str(invoke(*train, "--listens", table).exception)


def test_groups_count_rows_that_tell_nothing() -> None:
    ids = pa.array(["a", "b", "c"])
    pairs = pa.table({"track_a": ["a", "b", "x"], "track_b": ["b", "b", "a"]})
    found = from_pairs(pairs, ids)
    assert (len(found), found.unknown, found.idle) == (1, 1, 1)
    names = {"playlist_id": ["p", "p", "p", "", "p"], "track_id": ["a", "b", "a", "c", "x"]}
    found = from_playlists(pa.table(names), ids)
    assert (len(found), found.unknown, found.idle) == (1, 1, 2)
    for weight in ("lots", None):
        wrong = pairs.append_column("weight", pa.array(["1", weight, "1"]))
        with pytest.raises(QueryError, match=r"weights? of the pairs|row 2 of the pairs"):
            from_pairs(wrong, ids)


def test_lists_to_be_measured_count_strangers_and_repetitions() -> None:
    lists = pa.table({"user_id": ["u"] * 3, "track_id": ["t0", "t0", "x"], "score": [1.0, 2, 3]})
    unknown, repeated = told_of("theirs", lists, pa.chunked_array([IDS]))
    assert unknown == "1 candidates of theirs are of tracks that are not in the catalog"
    assert repeated == "1 candidates of theirs repeat a track: its highest score counts"


def test_moments_in_milliseconds_are_no_future() -> None:
    table = pa.table({"user_id": ["u"], "track_id": ["t"], "timestamp": [1767225600000]})
    (row,) = check_listens(table).listens.to_pylist()
    assert row["timestamp"].isoformat() == "2026-01-01T00:00:00+00:00"
