"""Candidates in a stream: shards, resuming, and the command line."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
import pytest
from candidates_samples import NOW
from click.testing import CliRunner

from musicu.candidates import (
    CANDIDATES,
    LISTENS,
    CandidateOptions,
    Constraints,
    ItemTable,
    NewReleases,
    Popular,
    Random,
    find_candidates,
    tastes,
    write_candidates,
)
from musicu.candidates import candidate_run as run_module
from musicu.candidates.generator import CandidateGenerator
from musicu.catalog.catalog import Catalog
from musicu.cli.app import app
from musicu.errors import QueryError
from musicu.listening import sharding

SETTINGS = CandidateOptions([NewReleases(10_000), Random()], k=3, now=NOW)


@pytest.fixture(scope="module")
def catalog(demo_catalog: Path) -> Catalog:
    return Catalog.open(demo_catalog)


@pytest.fixture
def listens(catalog: Catalog, tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    ids = catalog.tracks()["track_id"].to_pylist()
    rows = [
        {"user_id": f"user{n % 7}", "track_id": str(rng.choice(ids)), "timestamp": NOW, "weight": 1}
        for n in range(14)
    ]
    rows.append({"user_id": "user9", "track_id": "unknown", "timestamp": NOW, "weight": 1})
    path = tmp_path / "listens.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=LISTENS), path)
    return path


def test_a_stream_gives_what_the_library_gives(
    catalog: Catalog, listens: Path, tmp_path: Path
) -> None:
    out = tmp_path / "candidates.parquet"
    report = write_candidates(catalog, listens, out, SETTINGS)
    written = pq.read_table(out)
    table = pq.read_table(listens)
    known = table.filter(pc.not_equal(table["user_id"], "user9"))
    made = dict(tastes(known, catalog.vectors(), now=NOW))
    items = ItemTable.of(catalog)
    items.plays = np.array([table["track_id"].to_pylist().count(i) for i in items.ids])
    expected = find_candidates(items, made, SETTINGS.sources, k=3, now=NOW)
    rest = written.filter(pc.not_equal(written["user_id"], "user9"))
    assert written.schema == CANDIDATES
    assert rest.equals(expected)
    assert report.listeners == 8
    assert report.candidates == written.num_rows
    assert (report.unknown, report.tasteless) == (1, 1)
    assert not out.with_name("candidates.parquet.work").exists()


def test_shards_change_nothing_but_the_number_of_files(
    catalog: Catalog, listens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_candidates(catalog, listens, tmp_path / "one.parquet", SETTINGS)
    monkeypatch.setattr(sharding, "LISTENERS_PER_SHARD", 2)
    write_candidates(catalog, listens, tmp_path / "many.parquet", SETTINGS)
    one, many = (pq.read_table(tmp_path / f"{n}.parquet") for n in ("one", "many"))
    assert one.equals(many)


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(
    catalog: Catalog, listens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharding, "LISTENERS_PER_SHARD", 2)
    write_candidates(catalog, listens, tmp_path / "whole.parquet", SETTINGS)
    found: list[int] = []
    find = CandidateGenerator.find

    def stopping(self: CandidateGenerator, listeners: Any) -> Any:
        found.append(1)
        if len(found) == 3:
            raise KeyboardInterrupt
        return find(self, listeners)

    out = tmp_path / "stopped.parquet"
    monkeypatch.setattr(CandidateGenerator, "find", stopping)
    with pytest.raises(KeyboardInterrupt):
        write_candidates(catalog, listens, out, SETTINGS)
    assert not out.exists()
    report = write_candidates(catalog, listens, out, replace(SETTINGS, now=None))
    assert len(found) == 5  # of four shards, two were there already
    assert report.listeners == 8
    assert out.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_other_settings_begin_anew(
    catalog: Catalog, listens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.parquet"
    monkeypatch.setattr(run_module, "_join", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_candidates(catalog, listens, out, SETTINGS)
    monkeypatch.undo()
    write_candidates(catalog, listens, out, replace(SETTINGS, k=1))
    assert pq.read_table(out).num_rows == 8


def test_only_the_users_asked_for(catalog: Catalog, listens: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    write_candidates(catalog, listens, out, replace(SETTINGS, users=["user3", "user5"]))
    assert set(pq.read_table(out)["user_id"].to_pylist()) == {"user3", "user5"}


def test_who_is_asked_about_changes_nothing_for_them(
    catalog: Catalog, listens: Path, tmp_path: Path
) -> None:
    popular = CandidateOptions([Popular()], k=5, constraints=Constraints(explore=0.4), now=NOW)
    some, every = tmp_path / "some.parquet", tmp_path / "every.parquet"
    write_candidates(catalog, listens, some, replace(popular, users=["user3", "user5"]))
    write_candidates(catalog, listens, every, popular)
    found, whole = pq.read_table(some), pq.read_table(every)
    asked = pc.is_in(whole["user_id"], value_set=pa.array(["user3", "user5"]))
    assert found.equals(whole.filter(asked))


def test_csv_and_folders_are_read_too(catalog: Catalog, listens: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    table = pq.read_table(listens)
    pq.write_table(table, tmp_path / "folder" / "a.parquet")
    pc_csv.write_csv(table.drop_columns("context"), tmp_path / "listens.csv")
    tables = []
    for source in (listens, tmp_path / "folder", tmp_path / "listens.csv"):
        write_candidates(catalog, source, tmp_path / "out.parquet", SETTINGS)
        tables.append(pq.read_table(tmp_path / "out.parquet"))
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


@pytest.mark.parametrize("waiting", [0, 5, 1 << 20])
def test_plays_and_listeners_are_counted_over_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    monkeypatch.setattr(sharding, "_NAMES_WAITING", waiting)
    monkeypatch.setattr(sharding, "LISTENERS_PER_SHARD", 3)
    rng = np.random.default_rng(4)
    users, tracks = rng.integers(0, 8, 60), rng.integers(0, 9, 60)
    weights = rng.choice([-1, 1], 60)
    for part in range(4):
        own = slice(15 * part, 15 * part + 15)
        made = [[f"u{n}" for n in users[own]], [f"t{n}" for n in tracks[own]], weights[own]]
        table = pa.table(dict(zip(("user_id", "track_id", "weight"), made, strict=True)))
        pq.write_table(table, tmp_path / f"{part}.parquet")
    census = sharding.count(sharding.open_listens(tmp_path), [f"u{n}" for n in range(7)])
    assert census.users == 7
    assert census.firsts == ("u0", "u3", "u6")
    played = Counter(f"t{n}" for n in tracks[weights > 0])
    assert {row["name"]: row["count"] for row in census.plays.to_pylist()} == played


def test_wrong_listens_are_refused_before_anything_is_written(
    catalog: Catalog, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.parquet"
    pq.write_table(pa.table({"user": ["a"], "track_id": ["x"]}), wrong)
    empty = tmp_path / "empty.parquet"
    pq.write_table(LISTENS.empty_table(), empty)
    out = tmp_path / "out.parquet"
    for path, message in (
        (wrong, "no column 'user_id'"),
        (empty, "holds no listens"),
        (tmp_path / "missing.parquet", "is not there"),
        (Path(__file__), "neither Parquet nor CSV"),
    ):
        with pytest.raises(QueryError, match=message):
            write_candidates(catalog, path, out, SETTINGS)
    assert {p.name for p in tmp_path.iterdir()} == {"wrong.parquet", "empty.parquet"}


def test_command_line_says_what_was_left_out(
    demo_catalog: Path, listens: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    given = ["candidates", str(demo_catalog), "--listens", str(listens), "-o", str(out), "-k", "2"]
    given += ["--source", "new-releases=0.5", "--source", "random=0.5", "--window", "50y"]
    done = CliRunner().invoke(app, [*given, "--now", "2026-06-01"])
    assert done.exit_code == 0
    assert "warning: 1 listen of tracks that are not in the catalog" in done.output
    assert pq.read_table(out)["source"].to_pylist().count("new-releases") > 0


def test_command_line_for_somebody_new(demo_catalog: Path) -> None:
    title = Catalog.open(demo_catalog).tracks()["track_id"][0].as_py()
    given = ["candidates", str(demo_catalog), "--like", title, "--source", "random", "--json"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0
    assert '"user_id": "you"' in done.output
    told = CliRunner().invoke(app, ["taste", str(demo_catalog), "--like", title])
    assert "1. 100 %: near" in told.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "either --listens FILE or --like TRACK"),
        (["--like", "x", "--source", "nope"], "'nope' is none of new-releases"),
        (["--like", "x", "--source", "random=much"], "'much' is not a share"),
        (["--like", "x", "--window", "soon"], "'soon' is not a length of time"),
        (["--like", "x", "--now", "then"], "'then' is not a moment"),
    ],
)
def test_wrong_usage_is_said_so(demo_catalog: Path, given: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["candidates", str(demo_catalog), *given])
    assert done.exit_code == 2
    assert message in done.output.replace("\n", " ")


def test_limits_reach_a_run(catalog: Catalog, listens: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    constraints = Constraints(where="title = nothing")
    report = write_candidates(catalog, listens, out, replace(SETTINGS, constraints=constraints))
    assert (report.candidates, report.unserved) == (0, 8)
    assert "8 listeners got no candidate: no track passes for them" in report.warnings()


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt
