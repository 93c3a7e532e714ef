"""A catalog's recordings are described once each, and their descriptors serve as conditions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from music import write

from musicu.catalog.catalog import Catalog
from musicu.catalog.store import Store
from musicu.errors import CatalogError, QueryError
from musicu.features.describing import describe
from musicu.features.descriptors import NAMES, SET_NAME
from musicu.pipeline.describe import FillOptions, FillReport, describe_catalog
from musicu.pipeline.run import scan
from musicu.progress import Progress, reporting
from musicu.retrieval import matching_rows

TRACKS = 3


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for i in range(TRACKS):
        write(tmp_path / f"music/tune {i}.flac", i, seconds=3.0 + i, title=f"Tune {i}")
    return tmp_path / "music"


@pytest.fixture
def out(music: Path, tmp_path: Path) -> Path:
    scan(music, tmp_path / "catalog", jobs=1)
    return tmp_path / "catalog"


def go(out: Path, **options: Any) -> FillReport:
    return describe_catalog(out, options=FillOptions(**{"jobs": 1, **options}))


def test_every_track_gets_the_descriptors_of_its_file(out: Path) -> None:
    seen: list[Progress] = []
    with reporting(seen.append):
        report = describe_catalog(out, options=FillOptions(jobs=2))
    assert (report.recordings, report.done, report.failed) == (TRACKS, TRACKS, 0)
    assert report.audio_seconds == pytest.approx(3.0 + 4.0 + 5.0)
    assert Progress("reading files", TRACKS, TRACKS, "tracks") in seen
    catalog = Catalog.open(out)
    table = catalog.descriptors()
    assert table.column_names == ["track_id", *NAMES]
    for row in table.to_pylist():
        expected = describe(catalog.file(row["track_id"]))
        assert row["loudness_lufs"] == pytest.approx(expected.loudness_lufs)
        assert row["heard_seconds"] == expected.heard_seconds
        assert tuple(row["beats_seconds"]) == pytest.approx(expected.beats_seconds)


def test_a_second_run_finds_nothing_to_do_and_writes_nothing(out: Path) -> None:
    go(out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    report = go(out)
    assert (report.known, report.done) == (TRACKS, 0)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before
    assert go(out, force=True).done == TRACKS
    assert len(Catalog.open(out).descriptors()) == TRACKS


def test_one_recording_in_two_files_is_described_once(music: Path, tmp_path: Path) -> None:
    shutil.copy(music / "tune 0.flac", music / "again.flac")
    scan(music, tmp_path / "catalog", jobs=1)
    assert go(tmp_path / "catalog").done == TRACKS
    assert len(Catalog.open(tmp_path / "catalog").descriptors()) == TRACKS + 1


def test_only_what_is_new_is_described(music: Path, out: Path) -> None:
    go(out)
    write(music / "new.flac", 9, seconds=3.0)
    scan(music, out, jobs=1)
    report = go(out)
    assert (report.known, report.done) == (TRACKS, 1)


def test_failures_are_remembered_until_told_otherwise(music: Path, tmp_path: Path) -> None:
    write(music / "short.flac", 7, seconds=0.1)
    scan(music, tmp_path / "catalog", jobs=1)
    out = tmp_path / "catalog"
    report = go(out)
    assert (report.done, report.failed, report.remembered) == (TRACKS, 1, 0)
    (failure,) = Catalog.open(out).failures().to_pylist()
    assert (failure["model"], failure["stage"]) == (SET_NAME, "describe")
    assert "too short" in failure["reason"]
    report = go(out)
    assert (report.failed, report.remembered, report.known) == (1, 1, TRACKS)
    assert go(out, retry_failed=True).remembered == 0
    assert Catalog.open(out).failures().num_rows == 1


def test_what_is_no_longer_there_is_missing_and_no_failure(music: Path, out: Path) -> None:
    (music / "tune 1.flac").unlink()
    report = go(out)
    assert (report.done, report.missing, report.failed) == (TRACKS - 1, 1, 0)


def test_conditions_reach_the_descriptors(out: Path) -> None:
    with pytest.raises(QueryError, match=r"run `musicu describe"):
        Catalog.open(out).descriptors()
    with pytest.raises(QueryError, match="loudness_lufs"):
        matching_rows(Catalog.open(out).tracks(), "loudness_lufs > -60")
    go(out)
    tracks = Catalog.open(out).tracks()
    assert "beats_seconds" not in tracks.column_names
    median = sorted(tracks["loudness_lufs"].to_pylist())[1]
    rows = matching_rows(tracks, f"loudness_lufs between -60 and {median - 0.001}")
    assert len(rows) == 1
    assert tracks["loudness_lufs"][int(rows[0])].as_py() < median
    assert len(matching_rows(tracks, "tempo_bpm between 30 and 300 or tempo_bpm is missing")) == 3


def test_a_column_of_the_source_is_not_displaced(music: Path, tmp_path: Path) -> None:
    paths = sorted(p.name for p in music.glob("*.flac"))
    table = pa.table({"path": paths, "energy": pa.array([7.0] * TRACKS)})
    out = tmp_path / "catalog"
    scan(table, out, jobs=1, root=music)
    go(out)
    catalog = Catalog.open(out)
    assert catalog.tracks()["energy"].to_pylist() == [7.0] * TRACKS
    assert max(catalog.descriptors()["energy"].to_pylist()) <= 1.0


def test_halves_of_a_killed_run_are_cleaned_up(out: Path) -> None:
    go(out)
    left = out / "descriptors" / SET_NAME / "99999999.parquet"
    left.write_bytes(b"half a file")
    go(out)
    assert not left.exists()


def test_what_is_no_catalog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="is not a catalog"):
        describe_catalog(tmp_path)
    Store.create(tmp_path / "empty")
    assert describe_catalog(tmp_path / "empty").recordings == 0


def musicu(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "musicu", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_a_card_and_json_lines(music: Path) -> None:
    done = musicu("describe", music / "tune 0.flac", music / "missing.flac")
    assert done.returncode == 1
    assert "LUFS" in done.stdout
    assert "mono" in done.stdout
    assert "missing.flac: no such file" in done.stderr
    done = musicu("describe", "--json", *sorted(music.glob("*.flac")))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [set(row) for row in rows] == [{"path", *NAMES}] * TRACKS


def test_the_command_fills_a_catalog(out: Path) -> None:
    done = musicu("describe", out, "-j", 1, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["done"] == TRACKS
    done = musicu("describe", out)
    assert f"{TRACKS} described before" in done.stderr
