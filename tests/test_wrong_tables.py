"""Tables with faults, given to every command that takes one: an error or a counted warning."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from musicu.candidates import check_listens
from musicu.cli.app import app
from musicu.embeddings.tracks.track_groups import from_pairs, from_playlists
from musicu.errors import QueryError
from musicu.evaluation.recommendation.external_lists import notes_on

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
    assert "2 rows without a vector" in done.stderr


WARNED = [
    ({"timestamp": "2199-01-01T10:00:00"}, "1 listen in the future"),
    ({"track_id": "nowhere"}, "1 listen of tracks that are not in the catalog"),
    ({"timestamp": "2026-05-01T10:00:00"}, "1 listen repeating another exactly"),
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
    assert "warning: 1 listen in the future" in done.stderr
    for faulty, words in REFUSED:
        table.write_text(listens(**faulty), "utf-8")
        assert words in str(invoke(*train, "--listens", table).exception)


LIKED = ["evaluate", "candidates", "--split", "new-tracks", "-m", "mine", "-k", 3]
LIKED += ["--bootstrap", 10, "--baseline", "random"]


def test_evaluation_of_candidates_tells_of_faulty_listens(catalog: Path, tmp_path: Path) -> None:
    table = tmp_path / "listens.csv"
    given = [*LIKED, catalog, "--listens", table]
    for faulty, words in WARNED:
        table.write_text(listens(**faulty), "utf-8")
        done = invoke(*given)
        assert done.exit_code == 0, done.output
        assert f"note: {words}" in done.stderr
    for faulty, words in REFUSED:
        table.write_text(listens(**faulty), "utf-8")
        done = invoke(*given)
        assert isinstance(done.exception, QueryError)
        assert words in str(done.exception)
    for text in ("user_id,track_id\n", "user_id,track_id\nu0,nowhere\n"):
        table.write_text(text, "utf-8")
        assert "is of a track of the catalog" in str(invoke(*given).exception)
    table.write_text("user_id,track_id\nu0,t0\n", "utf-8")
    assert "nobody can be asked" in str(invoke(*given).exception)


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("score", ["1", "lots"], "'score' of the candidates of c cannot be read: Failed to parse"),
        ("score", [1.0, float("nan")], "c has 1 candidate with a score that is not a finite"),
        ("track_id", [["t0"], ["t1"]], "'track_id' of the candidates of c cannot be read"),
        ("user_id", ["x", "y"], "no row of the candidates of c is of a listener in the log"),
    ],
)
def test_evaluation_refuses_lists_that_cannot_be_read(
    catalog: Path, tmp_path: Path, column: str, values: list[object], words: str
) -> None:
    (tmp_path / "listens.csv").write_text(listens(), "utf-8")
    lists = {"user_id": ["u0", "u1"], "track_id": ["t0", "t1"], "score": [1.0, 2.0]} | {
        column: values
    }
    pq.write_table(pa.table(lists), tmp_path / "c.parquet")
    given = ["--listens", tmp_path / "listens.csv", "--candidates", tmp_path / "c.parquet"]
    done = invoke(*LIKED, catalog, *given)
    assert isinstance(done.exception, QueryError)
    assert words in str(done.exception)


def odd_catalog(folder: Path, **columns: object) -> Path:
    """A catalog of three tracks, the second without a vector, and with more columns."""
    vectors = [[1.0, 0.0], None, [0.0, 1.0]]
    table = pa.table({"track_id": ["a", "b", "c"], "own": vectors, **columns})
    pq.write_table(table, folder / "odd.parquet")
    given = ["--vectors", "own", "--model-name", "mine"]
    done = invoke("scan", folder / "odd.parquet", "-o", folder / "odd", *given)
    assert done.exit_code == 0, done.output
    return folder / "odd"


def test_export_counts_tracks_without_vectors(tmp_path: Path) -> None:
    done = invoke("export", odd_catalog(tmp_path), "-o", tmp_path / "out.parquet")
    assert done.exit_code == 0
    assert "warning: 1 track without a vector: left out" in done.stderr


def test_export_writes_any_column_as_csv(tmp_path: Path) -> None:
    columns = {
        "moods": pa.array([[0.1, None], None, []]),
        "rights": pa.array([{"of": "é"}, None, {"of": None}]),
        "codes": pa.array([["x"], ["y"], None], pa.large_list(pa.large_string())),
        "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
        "cover": pa.array([b"1", b"2", b"3"]),
    }
    done = invoke("export", odd_catalog(tmp_path, **columns), "-o", tmp_path / "out.csv")
    assert done.exit_code == 0, done.output
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        first, last = csv.DictReader(file)
    told = ("moods", "rights", "codes", "kind", "vector_1")
    assert [first[name] for name in told] == ["0.1;", '{"of": "é"}', "x", "a", "0"]
    assert [last[name] for name in told] == ["", '{"of": null}', "", "a", "1"]
    assert "cover" not in first


@pytest.mark.parametrize(("ending", "name"), [("parquet", "vector"), ("csv", "vector_1")])
def test_export_refuses_a_column_in_the_place_of_the_vectors(
    tmp_path: Path, ending: str, name: str
) -> None:
    catalog = odd_catalog(tmp_path, **{name: [1.0, 2.0, 3.0]})
    done = invoke("export", catalog, "-o", tmp_path / f"out.{ending}")
    assert isinstance(done.exception, QueryError)
    assert f"have a column '{name}' of their own" in str(done.exception)
    assert invoke("export", catalog, "-o", tmp_path / "out.npz").exit_code == 0


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
    users, tracks = ["u", "u", "u", "nobody"], ["t0", "t0", "x", "t1"]
    lists = pa.table({"user_id": users, "track_id": tracks, "score": [1.0, 2, 3, 4]})
    log = pa.chunked_array([["u", "v"]])
    unknown, strange, repeated = notes_on("theirs", lists, pa.chunked_array([IDS]), log)
    assert unknown == "1 candidate in theirs of tracks that are not in the catalog"
    assert strange == "1 candidate in theirs of listeners who are not in the log"
    assert repeated == "1 candidate in theirs repeating a track: its highest score counts"


def test_moments_in_milliseconds_are_no_future() -> None:
    table = pa.table({"user_id": ["u"], "track_id": ["t"], "timestamp": [1767225600000]})
    (row,) = check_listens(table).listens.to_pylist()
    assert row["timestamp"].isoformat() == "2026-01-01T00:00:00+00:00"
