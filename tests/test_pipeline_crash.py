"""Full disks, disks that cannot be written, and kills at any moment cost nothing that was done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import stand_in
from music import RATE, write

from musicu.catalog.catalog import Catalog
from musicu.catalog.store import Store
from musicu.errors import CatalogError
from musicu.pipeline.executors import worker_pool, worker_process
from musicu.pipeline.run import EmbedOptions, run

HERE = Path(__file__).parent
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: fork, tmpfs, limits")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    (tmp_path / "music").mkdir()
    for i in range(60):
        (tmp_path / f"music/{i:02d}.wav").write_text(f"good {i}")
    return tmp_path / "music"


@pytest.fixture
def stood_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "Worker", stand_in.StandIn)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("needs Linux and the right to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def contents(out: Path) -> dict[str, bytes]:
    """Every file of the tables, by its place among them."""
    tables = json.loads((out / "manifest.json").read_text())["tables"]
    return {
        f"{table} {i}": (out / name).read_bytes()
        for table, names in tables.items()
        for i, name in enumerate(names)
    }


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def go(music: Path, out: Path, **options: Any) -> Any:
    return run(music, out, model=stand_in.MODEL, options=EmbedOptions(jobs=1, **options))


@pytest.mark.usefixtures("stood_in")
def test_a_full_disk_says_so_and_costs_only_what_was_not_saved(
    music: Path, small_disk: Path, tmp_path: Path
) -> None:
    out, ballast = small_disk / "catalog", small_disk / "ballast"
    for path in sorted(music.iterdir())[30:]:
        path.rename(tmp_path / path.name)
    go(music, out)
    before = contents(out)
    for path in tmp_path.glob("*.wav"):
        path.rename(music / path.name)
    fill(ballast)
    with pytest.raises(CatalogError, match="the disk is full: free some space and run again"):
        go(music, out)
    assert contents(out) == before
    assert not list(out.rglob("*.tmp"))
    assert len(Catalog.open(out).vectors().ids) == 30
    ballast.unlink()
    assert (go(music, out).embedded, go(music, out).known) == (30, 60)
    go(music, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.usefixtures("stood_in")
def test_a_disk_that_is_read_only_says_so_and_can_be_read(music: Path, small_disk: Path) -> None:
    out = small_disk / "catalog"
    go(music, out)
    (music / "new.wav").write_text("good news")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(CatalogError, match=r"the disk is read-only: choose another folder"):
        go(music, out)
    assert len(Catalog.open(out).vectors().ids) == 60


@pytest.mark.usefixtures("stood_in")
def test_a_worker_that_dies_costs_its_file_and_is_named(music: Path, tmp_path: Path) -> None:
    (music / "dies.wav").write_text("dies 1")
    report = go(music, tmp_path / "catalog")
    assert (report.embedded, report.failed) == (60, 1)
    (failure,) = Catalog.open(tmp_path / "catalog").failures().to_pylist()
    assert (failure["path"], failure["stage"]) == ("dies.wav", "decode")
    assert go(music, tmp_path / "catalog").remembered == 1


@linux
def test_a_worker_without_memory_fails_that_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = "import stand_in; stand_in.limit_memory(w); w.main"
    start = worker_process._START.replace("w.main", limited)
    monkeypatch.setattr(worker_process, "_START", start)
    write(tmp_path / "music/short.flac", 2)
    noise = np.random.default_rng(0).integers(-9999, 9999, 200 * RATE, np.int16)
    sf.write(tmp_path / "music/long.flac", noise, RATE)
    report = go(tmp_path / "music", tmp_path / "catalog", thorough=True)
    assert (report.embedded, report.failed) == (1, 1)
    assert report.failures[0]["path"] == "long.flac"
    assert "memory" in report.failures[0]["reason"]


@linux
def test_ctrl_c_ends_a_run_whose_worker_is_busy(music: Path, tmp_path: Path) -> None:
    """Where nothing but this runs it takes a tenth of a second; here a busy computer may."""
    code = (
        "import os, sys, time; from pathlib import Path; import stand_in\n"
        "from musicu.pipeline.executors import worker_pool\n"
        # one write a line, so that two workers' may not mix
        "def ask(*_):\n    os.write(1, b'busy\\n'); time.sleep(600)\n"
        "stand_in.StandIn.ask = ask; worker_pool.Worker = stand_in.StandIn\n"
        "stand_in.work(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", code, str(music), str(tmp_path / "catalog")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"busy\n"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        _, told = process.communicate(timeout=120)
    finally:
        process.kill()
    assert time.monotonic() - began < 10.0
    assert b"KeyboardInterrupt" in told
    assert Store.open(tmp_path / "catalog").manifest.tables == {}


@linux
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_fifty_kills_lose_nothing_and_make_nothing_twice(tmp_path: Path, seed: int) -> None:
    """Kills of a run with workers that need no time, so that they hit what is written."""
    (tmp_path / "music").mkdir()
    command = [sys.executable, str(HERE / "stand_in.py"), str(tmp_path), "50", str(seed)]
    path = {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **path}
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
    finish = (
        "import sys, stand_in; from pathlib import Path\n"
        "from musicu.pipeline.executors import worker_pool\n"
        "worker_pool.Worker = stand_in.StandIn; stand_in.small_tables()\n"
        "for name in ('killed', 'whole'):\n"
        "    stand_in.work(Path(sys.argv[1]) / 'music', Path(sys.argv[1]) / name)\n"
    )
    subprocess.run(
        [sys.executable, "-c", finish, str(tmp_path)], check=True, env={**os.environ, **path}
    )
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    catalog = Catalog.open(tmp_path / "killed")
    sounds = stand_in.sounds(tmp_path / "music")
    good = {name for name, data in sounds.items() if data.startswith(b"good")}
    assert sorted(catalog.tracks()["path"].to_pylist()) == sorted(sounds)
    assert {catalog.track(i)["path"] for i in catalog.vectors().ids} == good
    assert set(catalog.failures()["path"].to_pylist()) == sounds.keys() - good
