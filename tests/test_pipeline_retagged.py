"""Tags that were written with a file's size and time kept are noticed, and nothing is hashed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from music import write

from musicu.catalog.catalog import Catalog
from musicu.cli.embed import scan as command
from musicu.ingest.track_source import open_source
from musicu.pipeline.executors.requests import Answer, WorkRequest
from musicu.pipeline.executors.worker_process import Worker, WorkerDiedError
from musicu.pipeline.run import EmbedOptions, EmbedReport, run, scan

MODEL = "musicu-stats-v1"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no time of the inode")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write(tmp_path / "music/other.flac", 2, 1.0, title="Other")
    return write(tmp_path / "music/a.flac", 1, 1.0, title="Wrong")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the workers were asked to do."""
    tasks: list[str] = []
    ask = Worker.ask

    def noted(self: Worker, request: WorkRequest) -> Answer:
        tasks.append(request.task)
        return ask(self, request)

    monkeypatch.setattr(Worker, "ask", noted)
    return tasks


def go(music: Path, out: Path, model: str | None = MODEL, **options: Any) -> EmbedReport:
    return run(music, out, model=model, options=EmbedOptions(**{"jobs": 1, **options}))


def retag(file: Path, old: str = "Wrong", new: str = "Right") -> None:
    """Write another title of the same length, as a tagger that keeps the time does."""
    status = file.stat()
    data = file.read_bytes()
    assert data.count(old.encode()) == 1
    file.write_bytes(data.replace(old.encode(), new.encode()))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)


def titles(out: Path) -> list[str]:
    return sorted(Catalog.open(out).tracks()["title"].to_pylist())


@posix
@pytest.mark.parametrize("model", [MODEL, None])
def test_a_title_written_with_size_and_time_kept_is_read(
    file: Path, tmp_path: Path, asked: list[str], model: str | None
) -> None:
    out = tmp_path / "catalog"
    go(file.parent, out)
    retag(file)
    asked.clear()
    report = go(file.parent, out, model)
    assert titles(out) == ["Other", "Right"]
    assert (report.embedded, report.updated, report.known) == (0, 1, 1)
    assert asked == ["tags"]  # nothing is hashed or decoded
    assert Catalog.open(out).tracks()["complete"].to_pylist() == [True, True]
    asked.clear()
    assert go(file.parent, out).known == 2
    assert asked == []


@posix
def test_a_worker_that_dies_over_tags_costs_nothing_that_was_known(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "catalog"
    go(file.parent, out)
    retag(file)

    def dies(self: Worker, request: WorkRequest) -> Answer:
        raise WorkerDiedError(f"it died over {request.task}")

    with monkeypatch.context() as patched:
        patched.setattr(Worker, "ask", dies)
        report = go(file.parent, out)
    assert [(f["stage"], f["reason"]) for f in report.failures] == [("tags", "it died over tags")]
    assert titles(out) == ["Other", "Wrong"]
    assert len(Catalog.open(out).vectors().ids) == 2
    assert go(file.parent, out).updated == 1  # it is tried again without being told to
    assert titles(out) == ["Other", "Right"]
    assert Catalog.open(out).failures().num_rows == 0


def test_force_reads_tags_again_where_no_time_tells(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "catalog"
    go(file.parent, out)
    retag(file)
    from musicu.pipeline.known import Tracks

    monkeypatch.setattr(Tracks, "may_be_retagged", lambda *_: False)
    go(file.parent, out)
    assert titles(out) == ["Other", "Wrong"]
    assert go(file.parent, out, force=True).embedded == 2
    assert titles(out) == ["Other", "Right"]


def test_the_command_that_scans_can_be_forced_too(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "catalog"
    words = [str(file.parent), "-o", str(out), "-j", "1", "-q"]
    CliRunner().invoke(command, words)
    retag(file)
    CliRunner().invoke(command, [*words, "--force"])
    assert titles(out) == ["Other", "Right"]


@posix
def test_columns_from_tables_outlive_a_retagged_file(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "catalog"
    rows = pa.table({"path": ["a.flac", "other.flac"], "mood": ["calm", "wild"]})
    scan(rows.append_column("popularity", [[0.5, 0.7]]), out, jobs=1, root=file.parent)
    retag(file)
    scan(file.parent, out, jobs=1, root=file.parent)
    told = {row["title"]: row for row in Catalog.open(out).tracks().to_pylist()}
    assert (told["Right"]["mood"], told["Right"]["popularity"]) == ("calm", 0.5)
    assert (told["Other"]["mood"], told["Other"]["popularity"]) == ("wild", 0.7)


@posix
def test_a_catalog_without_such_times_loads_and_learns_them_once(
    file: Path, tmp_path: Path, asked: list[str]
) -> None:
    out = tmp_path / "catalog"
    go(file.parent, out)
    for part in (out / "tracks").iterdir():
        pq.write_table(pq.read_table(part).drop_columns(["changed_ns"]), part)
    assert titles(out) == ["Other", "Wrong"]
    assert "changed_ns" not in Catalog.open(out).tracks().column_names
    asked.clear()
    assert go(file.parent, out).embedded == 0
    assert asked == ["tags", "tags"]
    assert go(file.parent, out).known == 2
    known = dict.fromkeys(Catalog.open(out).tracks()["changed_ns"].to_pylist())
    assert known.keys() == {
        getattr(found, "changed_ns", None) for found in open_source(file.parent)
    }
