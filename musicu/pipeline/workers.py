"""The parent's side of the worker processes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from musicu.embeddings.cards import ModelCard
from musicu.errors import ModelError, MusicuError
from musicu.threads import ONE_EACH

#: The child sees the parent's modules and not what happens to lie in the current folder.
_START = (
    "import sys; sys.path[:] = {path!r}; import musicu.pipeline.worker as w; "
    "w.main(w.Duty(**{duty!r}))"
)

_IDLE_SECONDS = 60.0
_START_SECONDS = 300.0  # on a computer that is busy with other things
_BELOW_NORMAL = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)  # Windows has it


class WorkerDiedError(MusicuError):
    """The worker process ended, or was ended, in the middle of a task."""


class Worker:
    """One worker process, started when first needed and again after it died.

    model, thorough: what it embeds with, and whether it hears whole files; None for no embedding.
    timeout_seconds: a task that takes longer is given up and its process ended.
    nice: let every other program of the computer go first.
    """

    def __init__(
        self,
        model: ModelCard | None,
        timeout_seconds: float,
        *,
        thorough: bool = False,
        nice: bool = False,
    ) -> None:
        duty = {"nice": nice, "thorough": thorough}
        told = (
            {"folder": os.fspath(model.folder), "fingerprint": model.fingerprint} if model else {}
        )
        self._command = [sys.executable, "-c", _START.format(path=sys.path, duty=duty | told)]
        self._flags = _BELOW_NORMAL if nice else 0
        self._timeout_seconds = timeout_seconds
        self._process: subprocess.Popen[str] | None = None
        self._ready = self._closed = False
        self._lock = threading.Lock()
        self._watch = _Watch()

    def start(self) -> None:
        """Start the process, so that it is ready when the first task comes."""
        self._running()

    def ask(self, task: str, file: Path, ahead: Sequence[Path] = ()) -> dict[str, Any]:
        """Send one task and wait for its answer; raises WorkerDiedError with the cause.

        ahead: files that are wanted soon, which the system may fetch meanwhile.
        Raises ModelError where the worker could not take up the model, and WorkerStartError
        where no process of that kind comes to life.
        """
        process = self._running()
        asked = {"task": task, "file": os.fspath(file), "ahead": [os.fspath(f) for f in ahead]}
        if not self._ready:
            with self._watch.limit(process, _START_SECONDS):
                self._greet(process)
        with self._watch.limit(process, self._timeout_seconds) as timed_out:
            answer = self._exchange(process, asked)
        if answer is not None:
            return answer
        code = process.wait()
        self._process = None
        raise WorkerDiedError(
            f"no answer within {self._timeout_seconds:g} s"
            if timed_out()
            else f"the process that read it ended ({_cause(code)})"
        )

    def _greet(self, process: subprocess.Popen[str]) -> None:
        """Wait until a new process says that it can work, or why it cannot."""
        line = _pipe(process.stdout).readline()
        if self._closed:
            raise WorkerDiedError("the run was stopped")
        if not line.endswith("\n"):
            raise WorkerStartError(
                f"a worker process ended before it could begin ({_cause(process.wait())}): run "
                "again, with fewer --jobs where memory is short; finished work is kept"
            )
        greeting: dict[str, str] = json.loads(line)
        if "unusable" in greeting:
            raise ModelError(greeting["unusable"])
        self._ready = True

    @staticmethod
    def _exchange(process: subprocess.Popen[str], asked: dict[str, Any]) -> dict[str, Any] | None:
        """Write a task, read its answer; None where the process has ended."""
        try:
            _pipe(process.stdin).write(json.dumps(asked) + "\n")
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
                self._process, self._ready = self._begun(), False
            return self._process

    def _begun(self) -> subprocess.Popen[str]:
        """A new process."""
        try:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # decoders chatter there about every odd frame
                text=True,
                encoding="utf-8",
                creationflags=self._flags,
                env={**os.environ, **ONE_EACH, "PYTHONUTF8": "1"},
            )
        except OSError as error:
            raise WorkerStartError(
                f"no worker process can be started ({error.strerror}): run again, with fewer "
                "--jobs where memory or processes are short; finished work is kept"
            ) from error

    def close(self) -> None:
        """End the process, also in the middle of a task."""
        with self._lock:
            self._closed = True
            self._watch.end()
            if self._process is not None:
                self._process.kill()
                self._process.wait()


class WorkerStartError(MusicuError):
    """A worker process ended before it could take a task, so that no other would do better."""


class _Watch:
    """Ends a process that takes longer than it may; one thread for all tasks of a worker."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._deadline = math.inf
        self._late = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def limit(self, process: subprocess.Popen[str], seconds: float) -> Iterator[Callable[[], bool]]:
        """Kill the process unless the block ends in time; gives a function that says if it was."""
        with self._changed:
            self._process, self._late = process, False
            deadline = time.monotonic() + seconds
            sooner = deadline < self._deadline
            self._deadline = deadline
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()
            elif sooner:
                self._changed.notify()
        try:
            yield lambda: self._late
        finally:
            with self._changed:
                self._process = None

    def end(self) -> None:
        """Stop watching."""
        with self._changed:
            self._deadline = -math.inf
            self._changed.notify()

    def _look(self) -> None:
        """Sleep until the deadline that is known, which may have moved on by then."""
        with self._changed:
            while self._deadline > -math.inf:
                left = self._deadline - time.monotonic()
                if left > 0:
                    self._changed.wait(min(left, threading.TIMEOUT_MAX))
                elif self._process is None:
                    self._deadline = math.inf
                    self._changed.wait(_IDLE_SECONDS)
                else:
                    self._late = True
                    self._process.kill()
                    self._process, self._deadline = None, math.inf


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
