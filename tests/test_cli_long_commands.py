"""Long commands say how far they are, and end within two seconds of Ctrl-C."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musicu.cli.candidates import kept_in
from musicu.cli.interrupt import NOTHING_KEPT
from musicu.cli.progress_display import ProgressDisplay, progress_line
from musicu.ingest.vector_import import import_vectors
from musicu.pipeline.run import scan
from musicu.progress import Progress, reporting, tell, tracked

TRACKS, LISTENERS, EACH = 6000, 1500, 60
LATE = 60.0  # seconds in which the busiest computer ends what takes 2 on an idle one

posix = pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to others on Windows")


def test_whoever_listens_is_told_of_each_item() -> None:
    seen: list[Progress] = []
    with reporting(seen.append):
        assert list(tracked("ab", "reading", 2, "files")) == ["a", "b"]
    tell("reading", 3)  # to nobody
    assert seen == [Progress("reading", done, 2, "files") for done in (0, 1, 2)]


def test_a_line_has_stage_count_rate_and_remaining_time() -> None:
    now = Progress("reading listens", 1500, 6000, "listens", 2)
    line = "reading listens, 1,500 of 6,000 listens, 50/s, 1:30 left, 2 failed"
    assert progress_line(now, 1000, 20.0) == line
    assert progress_line(Progress("laying out"), 0, 12.0) == "laying out, for 0:12"
    assert progress_line(Progress("looking", 0), 0, 0.1) == "looking"


@pytest.mark.parametrize("silent", ["as_json", "quiet", None])
def test_json_and_quiet_show_nothing(
    silent: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("musicu.cli.progress_display._FIRST_SECONDS", 0.0)
    context = click.Context(click.Command("map"))
    context.params["as_json"] = silent == "as_json"
    context.meta["musicu.quiet"] = silent == "quiet"
    display = ProgressDisplay()
    with context:
        display(Progress("drawing", 1, 2))
        written = ""
        until = time.monotonic() + (0.0 if silent else LATE)
        while not written and time.monotonic() <= until:
            threading.Event().wait(0.01)
            written = capsys.readouterr().err
    display.clear()
    assert written[:15] == ("" if silent else "drawing, 1 of 2")


def command(*words: object) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "musicu", *map(str, words)]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@posix
def test_a_call_that_python_cannot_interrupt_is_ended() -> None:
    code = (
        "import sys, hashlib, click\n"
        "from musicu.cli import inspect, main\n"
        "def busy():\n"
        "    while True:\n"  # what swallows the interruption is ended too
        "        try: print('busy', flush=True), hashlib.pbkdf2_hmac('md5', b'', b'', 10**9)\n"
        "        except KeyboardInterrupt: pass\n"
        "inspect.info = click.Command('info', callback=busy)\n"
        "sys.argv = ['musicu', 'info']; main()"
    )
    line = [sys.executable, "-c", code]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"busy\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=LATE)
    assert process.returncode == 130
    assert told.startswith(b"stopped: a file is written whole or not at all")


def test_what_is_kept_is_looked_up_when_a_command_is_interrupted() -> None:
    code = (
        "from musicu.cli import interrupt\n"
        "kept = []\n"
        "interrupt.if_interrupted(lambda: f'{len(kept)} files are kept')\n"
        "kept.append('a'), interrupt.end_interrupted()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert ended.returncode == 130
    assert ended.stderr.split(b"stopped: ")[-1].strip() == b"1 files are kept"


def test_candidates_name_their_folder_only_where_listeners_are_done(tmp_path: Path) -> None:
    assert kept_in(tmp_path / "out.parquet.work") == NOTHING_KEPT
    (tmp_path / "state.json").touch()
    assert kept_in(tmp_path) == NOTHING_KEPT
    (tmp_path / "candidates-00000.parquet").touch()
    assert str(tmp_path) in kept_in(tmp_path)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A middling catalog with vectors, and listens."""
    folder, rng = tmp_path_factory.mktemp("library"), np.random.default_rng(0)
    ids = [f"t{n:05d}" for n in range(TRACKS)]
    values = rng.standard_normal((TRACKS, 64), np.float32)
    table = {
        "track_id": ids,
        "title": [f"Song {n}" for n in range(TRACKS)],
        "artists": [[f"Artist {n // 12}"] for n in range(TRACKS)],
        "album": [f"Album {n // 6}" for n in range(TRACKS)],
        "genres": [[f"Genre {n // 600}"] for n in range(TRACKS)],
        "date": [f"{1960 + n % 65}-01-01" for n in range(TRACKS)],
        "v": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 64),
    }
    pq.write_table(pa.table(table), folder / "tracks.parquet")
    scan(pa.table(table).drop_columns(["v"]), folder / "catalog")
    import_vectors(folder / "catalog", folder / "tracks.parquet", "v", "made")
    listens = {
        "user_id": np.repeat([f"u{n:04d}" for n in range(LISTENERS)], EACH),
        "track_id": np.array(ids)[rng.integers(TRACKS, size=LISTENERS * EACH)],
        "timestamp": [datetime(2026, 1, 1 + n % 28, tzinfo=timezone.utc) for n in range(EACH)]
        * LISTENERS,
    }
    pq.write_table(pa.table(listens), folder / "listens.parquet")
    return folder


COMMANDS = {
    "scan": "scan tracks.parquet -o scanned --vectors v --model-name made",
    "candidates": "candidates catalog --listens listens.parquet --source for-you -o out.parquet",
    "train tracks": "train tracks catalog --listens listens.parquet --steps 90",
    "map": "map catalog --projection pca --html map",
    "listens": "listens listens.parquet --catalog catalog -o matched.parquet",
    "shelves": "shelves catalog -o page",
    "shelf": "shelf catalog --like t00001",
    "similar": "similar catalog t00001",
    "taste": "taste catalog --listens listens.parquet",
    "evaluate": "evaluate catalog",
    "evaluate candidates": "evaluate candidates catalog --listens listens.parquet",
    "audit": "audit catalog",
    "info": "info catalog",
    "export": "export catalog -o out.csv",
}
QUICK = ("candidates", "train tracks")


@posix
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in COMMANDS]
)
def test_ctrl_c_at_any_moment_ends_a_command(
    library: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in library.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    process = command(*COMMANDS[name].split())
    began = time.monotonic()
    process.communicate()
    whole = time.monotonic() - began
    rng = random.Random(name)
    for _ in range(1 if name in QUICK else 4):
        process = command(*COMMANDS[name].split())
        try:
            _, told = process.communicate(timeout=max(0.5, whole * rng.uniform(0.1, 0.9)))
        except subprocess.TimeoutExpired:
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=LATE)
            assert process.returncode in (130, 0, 1)  # it may just have ended
            assert process.returncode != 130 or b"stopped: " in told
        assert b"Traceback" not in told
