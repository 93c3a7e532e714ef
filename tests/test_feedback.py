"""What was acknowledged is in the feedback tables, once, whatever happens in between."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from musicu.cli.app import app
from musicu.errors import CatalogError
from musicu.listening.feedback import EXPOSURES, OUTCOME_KINDS, OUTCOMES, FeedbackLog, feedback_log
from musicu.listening.feedback.feedback_log import read
from musicu.listening.feedback.feedback_schemas import checked
from musicu.listening.pseudonyms import KEY_FILE, listener_ids

NOON = datetime(2026, 5, 21, 12, tzinfo=timezone.utc)


def outcomes(first: int, count: int, user: str = "u1") -> list[dict[str, Any]]:
    records = [
        {
            "event_id": f"e{number}",
            "user_id": user,
            "track_id": f"t{number % 7}",
            "kind": "played",
            "milliseconds": number,
            "at": NOON + timedelta(seconds=number),
        }
        for number in range(first, first + count)
    ]
    kept, faults = checked(records, OUTCOMES)
    assert not faults
    return kept


def ids(catalog: Path) -> list[str]:
    return read(catalog, "outcomes")["event_id"].to_pylist()


def test_rows_come_back_as_they_were_and_any_engine_reads_them(tmp_path: Path) -> None:
    with FeedbackLog(tmp_path) as log:
        assert log.outcomes.append(outcomes(0, 3)) == 3
        assert ids(tmp_path) == ["e0", "e1", "e2"]
    table = read(tmp_path, "outcomes")
    assert table.schema.equals(OUTCOMES, check_metadata=True)
    (user,) = {"u1"} - set(table["user_id"].to_pylist())  # a name never lies on the disk
    known = listener_ids([user], tmp_path / KEY_FILE)
    stored = {"exposure_id": None, "user_id": next(each for each in known if each != user)}
    assert table.to_pylist()[2] == outcomes(2, 1)[0] | stored
    found = duckdb.sql(f"select count(*) from '{tmp_path}/feedback/outcomes/*.parquet'").fetchall()
    assert found == [(3,)]
    assert read(tmp_path, "exposures").num_rows == 0


def test_a_repeated_event_counts_once_even_after_a_restart(tmp_path: Path) -> None:
    with FeedbackLog(tmp_path) as log:
        assert log.outcomes.append(outcomes(0, 5)) == 5
        assert log.outcomes.append(outcomes(3, 5)) == 3
    with FeedbackLog(tmp_path) as log:
        assert log.outcomes.append(outcomes(0, 9)) == 1
        assert log.outcomes.append(outcomes(20, 1) * 3) == 1
    assert ids(tmp_path) == [*(f"e{i}" for i in range(9)), "e20"]


def test_a_journal_cut_at_any_byte_keeps_every_whole_batch(tmp_path: Path) -> None:
    log = FeedbackLog(tmp_path)
    with log:
        for first in (0, 2, 4):
            log.outcomes.append(outcomes(first, 2))
        (journal,) = (tmp_path / "feedback/outcomes").glob("*.journal")
        whole = journal.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    for cut in range(0, len(whole) + 1, 7):
        crashed = tmp_path / "crashed"
        shutil.rmtree(crashed, ignore_errors=True)
        folder = crashed / "feedback/outcomes"
        folder.mkdir(parents=True)
        (folder / journal.name).write_bytes(whole[:cut])
        expected = [f"e{i}" for i in range(2 * sum(end <= cut for end in ends))]
        assert ids(crashed) == expected
        with FeedbackLog(crashed) as again:
            again.outcomes.append(outcomes(90, 1))
        assert ids(crashed) == [*expected, "e90"]


def test_a_crash_before_what_is_covered_is_removed_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_log.FeedbackTable, "_remove_covered", lambda self: None)
    with FeedbackLog(tmp_path) as log:
        for first in range(0, 30, 10):
            log.outcomes.append(outcomes(first, 10))
            log.outcomes.settle()
        log.outcomes.compact()
    files = list((tmp_path / "feedback/outcomes").iterdir())
    assert len(files) > 4
    assert ids(tmp_path) == [f"e{i}" for i in range(30)]
    monkeypatch.undo()
    with FeedbackLog(tmp_path):
        pass
    assert len(list((tmp_path / "feedback/outcomes").iterdir())) == 1
    assert ids(tmp_path) == [f"e{i}" for i in range(30)]


def test_a_full_disk_is_said_and_acknowledges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with FeedbackLog(tmp_path) as log:
        log.outcomes.append(outcomes(0, 2))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(CatalogError, match="the disk is full"):
                log.outcomes.append(outcomes(2, 2))
        assert ids(tmp_path) == ["e0", "e1"]
        assert log.outcomes.append(outcomes(2, 2)) == 2
    assert ids(tmp_path) == ["e0", "e1", "e2", "e3"]


def test_journals_become_segments_and_segments_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_log, "JOURNAL_ROWS", 10)
    with FeedbackLog(tmp_path) as log:
        for first in range(0, 400, 5):
            log.outcomes.append(outcomes(first, 5))
    assert len(list((tmp_path / "feedback/outcomes").glob("*.parquet"))) < 17
    assert ids(tmp_path) == [f"e{i}" for i in range(400)]


def test_a_full_journal_holds_up_no_writer_and_loses_nothing_where_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_log, "JOURNAL_ROWS", 10)
    refused = threading.Event()

    def full(*_: object) -> None:
        refused.set()
        raise CatalogError("the disk is full")

    with FeedbackLog(tmp_path) as log:
        with monkeypatch.context() as patch:
            patch.setattr(feedback_log, "write_segment", full)
            assert log.outcomes.append(outcomes(0, 10)) == 10
            assert refused.wait(60)
            assert log.outcomes.append(outcomes(10, 5)) == 5
            assert ids(tmp_path) == [f"e{i}" for i in range(15)]
        log.outcomes.settle()
        assert ids(tmp_path) == [f"e{i}" for i in range(15)]
        assert not list((tmp_path / "feedback/outcomes").glob("*.journal"))


def test_a_forgotten_listener_leaves_no_byte(tmp_path: Path) -> None:
    with FeedbackLog(tmp_path) as log:
        log.outcomes.append(outcomes(0, 5, "somebody-else"))
        log.outcomes.append(outcomes(5, 5, "the-forgotten-one"))
        log.outcomes.settle()
        log.outcomes.append(outcomes(10, 2, "the-forgotten-one"))
        assert log.forget("the-forgotten-one") == 7
    assert ids(tmp_path) == [f"e{i}" for i in range(5)]
    for file in (tmp_path / "feedback").rglob("*"):
        if file.is_file():
            assert b"the-forgotten-one" not in file.read_bytes()


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    with FeedbackLog(tmp_path) as log:
        log.outcomes.append(outcomes(0, 100))
        assert log.expire(1, NOON + timedelta(days=1, seconds=60)) == 60
    assert ids(tmp_path) == [f"e{i}" for i in range(60, 100)]


def test_there_is_one_writer(tmp_path: Path) -> None:
    with FeedbackLog(tmp_path), pytest.raises(CatalogError, match="another process is writing"):
        FeedbackLog(tmp_path).__enter__()


def test_tables_of_a_newer_version_are_refused_by_name(tmp_path: Path) -> None:
    with FeedbackLog(tmp_path) as log:
        log.outcomes.append(outcomes(0, 1))
    (segment,) = (tmp_path / "feedback/outcomes").glob("*.parquet")
    table = pq.read_table(segment).replace_schema_metadata({"musicu.feedback": "9"})
    pq.write_table(table, segment)
    with pytest.raises(CatalogError, match="version 9"):
        read(tmp_path, "outcomes")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "liked"}, "kind"),
        ({"kind": None}, "kind"),
        ({"milliseconds": -1}, "milliseconds"),
        ({"milliseconds": "5"}, "milliseconds"),
        ({"milliseconds": float("nan")}, "milliseconds"),
        ({"milliseconds": True}, "milliseconds"),
        ({"at": "yesterday"}, "at"),
        ({"at": 1e40}, "at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x" * 2000}, "user_id"),
        ({"user_id": "\ud800"}, "user_id"),
        ({"track": "t"}, "track"),
    ],
)
def test_a_wrong_record_names_its_field_and_loses_none_of_the_others(
    change: dict[str, Any], field: str
) -> None:
    good = outcomes(0, 2)
    kept, faults = checked([good[0], good[0] | change, "text", good[1]], OUTCOMES)
    assert [record["event_id"] for record in kept] == ["e0", "e1"]
    assert [(fault.place, fault.field) for fault in faults] == [(1, field), (2, "")]


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(OUTCOMES.names), _ANY) | _ANY, max_size=4))
def test_whatever_json_comes_is_kept_whole_or_named(records: list[Any]) -> None:
    for schema in (OUTCOMES, EXPOSURES):
        kept, faults = checked(records, schema)
        assert len(kept) + len(faults) == len(records)
        pa.Table.from_pylist(kept, schema)


def test_every_kind_is_explained() -> None:
    assert all(OUTCOME_KINDS.values())


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    import musicu

    tracks = pa.table({"track_id": ["t0", "t1", "t2"], "title": ["a", "b", "c"]})
    pq.write_table(tracks, tmp_path / "tracks.parquet")
    musicu.scan(tmp_path / "tracks.parquet", out=tmp_path / "catalog")
    return tmp_path / "catalog"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in ("feedback", *words)])


def test_an_impression_log_becomes_exposures_and_outcomes_once(catalog: Path) -> None:
    log = catalog.parent / "log.csv"
    log.write_text(
        "user,track_id,timestamp,position,propensity_score,clicked\n"
        "ann,t0,2026-05-21T12:00:00Z,1,0.5,1\n"
        "ann,t1,2026-05-21T12:00:00Z,2,0.25,0\n"
        "bob,t9,2026-05-21T12:01:00Z,1,0.5,0\n"
        "bob,t2,2026-05-21T12:01:00Z,2,7,0\n",
        "utf-8",
    )
    done = run("import", catalog, log)
    assert done.exit_code == 0, done.output
    assert "added: 2 exposures, 1 outcomes" in done.output
    assert "such as 't9'" in done.output
    assert "propensity" in done.output
    assert "added: 0 exposures, 0 outcomes" in run("import", catalog, log).output
    shown, (outcome,) = read(catalog, "exposures"), read(catalog, "outcomes").to_pylist()
    assert shown["propensity"].to_pylist() == [0.5, 0.25]
    assert outcome["exposure_id"] == shown["exposure_id"][0].as_py()
    assert "ann" not in str(shown.to_pylist())


def test_what_is_exported_is_imported_as_it_was(catalog: Path, tmp_path: Path) -> None:
    with FeedbackLog(catalog) as log:
        log.outcomes.append(outcomes(0, 2, "a" * 32))
    assert run("export", catalog, "-o", tmp_path / "out").exit_code == 0
    before = read(catalog, "outcomes")
    shutil.rmtree(catalog / "feedback")
    assert run("import", catalog, *(tmp_path / "out").glob("*.parquet")).exit_code == 0
    assert read(catalog, "outcomes").equals(before)


def test_listens_become_plays_and_skips(catalog: Path, tmp_path: Path) -> None:
    listens = tmp_path / "listens.csv"
    listens.write_text(
        "user_id,track_id,timestamp,weight\nann,t0,2026-05-21T12:00:00Z,1\n"
        "ann,t1,2026-05-21T12:05:00Z,-0.5\n",
        "utf-8",
    )
    assert run("import", catalog, listens).exit_code == 0
    assert read(catalog, "outcomes")["kind"].to_pylist() == ["played", "skipped"]


def test_a_table_that_is_no_feedback_says_what_it_needs(catalog: Path) -> None:
    other = catalog.parent / "tracks.parquet"
    done = run("import", catalog, other)
    assert done.exit_code == 1
    assert "holds no feedback" in str(done.exception)
