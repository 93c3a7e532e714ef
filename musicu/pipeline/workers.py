"""The parent's side of the worker processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from musicu.embeddings.cards import ModelCard
from musicu.errors import ModelError, MusicuError

#: The child sees the parent's modules and not what happens to lie in the current folder.
_START = "import sys; sys.path[:] = {path!r}; import musicu.pipeline.worker as w; w.main({model!r})"

#: One thread a worker: the jobs are the parallelism.
_SINGLE_THREADED = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


class WorkerDiedError(MusicuError):
    """The worker process ended, or was ended, in the middle of a task."""


class Worker:
    """One worker process, started when first needed and again after it died.

    timeout_seconds: a task that takes longer is given up and its process ended.
    """

    def __init__(self, model: ModelCard | None, timeout_seconds: float) -> None:
        self._command = [sys.executable, "-c", _START.format(path=sys.path, model=_told(model))]
        self._timeout_seconds = timeout_seconds
        self._process: subprocess.Popen[str] | None = None
        self._closed = False
        self._lock = threading.Lock()

    def ask(self, task: str, file: Path) -> dict[str, Any]:
        """Send one task and wait for its answer; raises WorkerDiedError with the cause.

        Raises ModelError where the worker could not take up the model.
        """
        process = self._running()
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(self._timeout_seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            answer = self._exchange(process, {"task": task, "file": os.fspath(file)})
        finally:
            timer.cancel()
        if answer is not None:
            if "unusable" in answer:
                raise ModelError(answer["unusable"])
            return answer
        code = process.wait()
        self._process = None
        raise WorkerDiedError(
            f"no answer within {self._timeout_seconds:g} s"
            if timed_out.is_set()
            else f"the process that read it ended ({_cause(code)})"
        )

    @staticmethod
    def _exchange(process: subprocess.Popen[str], task: dict[str, str]) -> dict[str, Any] | None:
        """Write a task, read its answer; None where the process has ended."""
        try:
            _pipe(process.stdin).write(json.dumps(task) + "\n")
            _pipe(process.stdin).flush()
            line = _pipe(process.stdout).readline()
        except OSError:
            return None
        if not line.endswith("\n"):
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _running(self) -> subprocess.Popen[str]:
        """The process, started if need be."""
        with self._lock:
            if self._closed:
                raise WorkerDiedError("the run was stopped")
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,  # decoders chatter there about every odd frame
                    text=True,
                    encoding="utf-8",
                    env={**os.environ, **_SINGLE_THREADED, "PYTHONUTF8": "1"},
                )
            return self._process

    def close(self) -> None:
        """End the process, also in the middle of a task."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()
                self._process.wait()


def _told(model: ModelCard | None) -> tuple[str, str] | None:
    """What a worker is told of the model: its folder, and what it must find there."""
    return (os.fspath(model.folder), model.fingerprint) if model else None


def _pipe(stream: IO[str] | None) -> IO[str]:
    """A pipe that was asked for and is there."""
    assert stream is not None
    return stream


def _cause(code: int) -> str:
    """Why a process ended, for people."""
    if code == -9:
        return "killed, most likely for want of memory"
    if code < 0:
        return f"signal {-code}, a crash in the decoder"
    return f"exit code {code}"
