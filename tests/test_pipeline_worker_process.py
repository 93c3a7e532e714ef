"""A worker that dies or hangs costs one file."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

import pytest

from musicu.embeddings.cards import find_model
from musicu.errors import ModelError
from musicu.pipeline.executors.requests import WorkerConfig, WorkRequest
from musicu.pipeline.executors.worker_process import Worker, WorkerDiedError, WorkerStartError

READY = """
import os, pickle, sys, time
from musicu.pipeline.executors.requests import receive, send
told, out = sys.stdin.buffer, sys.stdout.buffer
config = receive(told)
send(out, {"ready": True})
request = receive(told)
"""
ECHO = (
    READY
    + """
while request is not None:
    send(out, {name: getattr(request, name) for name in request.__slots__})
    request = receive(told)
"""
)
DIES = READY + "os.kill(os.getpid(), {signal})"
LEAVES = READY + "out.write(pickle.dumps('half an answer')[:12])\nout.flush()\nsys.exit(3)"
HANGS = READY + "time.sleep(60)"


def worker(program: str, timeout_seconds: float = 30.0) -> Worker:
    made = Worker(WorkerConfig(), timeout_seconds)
    made._command = [sys.executable, "-c", program]
    return made


def test_an_answer_comes_back() -> None:
    echo = worker(ECHO)
    name = Path("a\nb\udce9.flac")
    assert echo.ask(WorkRequest("inspect", name, ahead=(Path("z"),))) == {
        "task": "inspect",
        "file": name,
        "descriptor_set": None,
        "audios": (),
        "ahead": (Path("z"),),
    }
    echo.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")
@pytest.mark.parametrize(("signal", "words"), [(9, "want of memory"), (11, "signal 11, a crash")])
def test_a_crash_is_told_with_its_cause(signal: int, words: str) -> None:
    with pytest.raises(WorkerDiedError, match=words):
        worker(DIES.replace("{signal}", str(signal))).ask(WorkRequest("embed", Path("x")))


@pytest.mark.parametrize("program", ["", "import sys\nsys.exit('no such module')"])
def test_a_worker_that_cannot_begin_ends_the_run_and_not_file_after_file(program: str) -> None:
    with pytest.raises(WorkerStartError, match=r"before it could begin \(exit code [01]\)"):
        worker(program).ask(WorkRequest("embed", Path("x")))


def test_a_limit_that_is_over_ends_no_later_task() -> None:
    made = worker(ECHO, 2.0)
    assert made.ask(WorkRequest("inspect", Path("x")))["file"] == Path("x")
    time.sleep(2.2)  # the limit of the first task would be over now
    assert made.ask(WorkRequest("inspect", Path("y")))["file"] == Path("y")
    made.close()


def test_half_an_answer_is_none() -> None:
    with pytest.raises(WorkerDiedError, match="exit code 3"):
        worker(LEAVES).ask(WorkRequest("embed", Path("x")))


def test_a_task_that_hangs_is_given_up() -> None:
    with pytest.raises(WorkerDiedError, match=r"no answer within 0\.5 s"):
        worker(HANGS, 0.5).ask(WorkRequest("embed", Path("x")))


def test_after_a_crash_the_next_task_gets_a_new_process() -> None:
    made = worker(LEAVES)
    with pytest.raises(WorkerDiedError):
        made.ask(WorkRequest("embed", Path("x")))
    made._command = [sys.executable, "-c", ECHO]
    assert made.ask(WorkRequest("embed", Path("y")))["file"] == Path("y")
    made.close()


def test_a_closed_worker_starts_no_process() -> None:
    made = worker(ECHO)
    made.close()
    with pytest.raises(WorkerDiedError, match="the run was stopped"):
        made.ask(WorkRequest("embed", Path("x")))


def test_a_model_that_changed_since_the_run_began_is_not_used(tmp_path: Path) -> None:
    card = dataclasses.replace(find_model("musicu-stats-v1"), fingerprint="0" * 16)
    config = WorkerConfig(card)
    with pytest.raises(ModelError, match="changed during the run"):
        Worker(config, 60.0).ask(WorkRequest("embed", tmp_path / "x.flac"))
