"""The parent's side of a worker process."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from musicu.errors import ModelError, MusicuError
from musicu.pipeline.executors.requests import Answer, WorkerConfig, WorkRequest, receive, send
from musicu.threads import ONE_EACH

#: The child sees the parent's modules and not what happens to lie in the current folder.
_START = (
    "import sys; sys.path[:] = {path!r}; import musicu.pipeline.executors.worker_main as w; "
    "w.main(embeds={embeds!r})"
)

_LOOK_SECONDS = 0.1
_START_SECONDS = 300.0  # on a computer that is busy with other things
_BELOW_NORMAL = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)  # Windows has it


class WorkerDiedError(MusicuError):
    """The worker process ended, or was ended, in the middle of a request."""


class Worker:
    """One worker process, started when first needed and again after it died.

    embeds: whether it loads the config's model. timeout_seconds: a request that takes longer, for
    each of its audios, is given up and its process ended.
    """

    def __init__(
        self, config: WorkerConfig, timeout_seconds: float, *, embeds: bool = True
    ) -> None:
        start = _START.format(path=sys.path, embeds=embeds)
        self._command = [sys.executable, "-c", start]
        self._config = config
        self._timeout_seconds = timeout_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = self._late = False
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._deadline = math.inf
        self._watch = threading.Thread(target=self._end_late, daemon=True)

    def start(self) -> None:
        """Start the process, so that it is ready when the first request comes."""
        self._running()

    def ask(self, request: WorkRequest) -> Answer:
        """Send a request and wait for its answer; raises WorkerDiedError with the cause.

        Raises ModelError where the worker could not load the model, and WorkerStartError where no
        process of that kind comes to life.
        """
        process = self._running()
        if not self._ready:
            with self._limit(_START_SECONDS):
                self._greet(process)
        seconds = self._timeout_seconds * max(1, len(request.audios))
        with self._limit(seconds):
            answer = self._exchange(process, request)
        if answer is not None:
            return answer
        code = process.wait()
        self._process = None
        raise WorkerDiedError(
            f"no answer within {seconds:g} s"
            if self._late
            else f"the process that read it ended ({_cause(code)})"
        )

    def _greet(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until a new process says that it can work, or why it cannot."""
        greeting = receive(_pipe(process.stdout))
        if self._closed.is_set():
            raise WorkerDiedError("the run was stopped")
        if greeting is None:
            raise WorkerStartError(
                f"a worker process ended before it could begin ({_cause(process.wait())}): run "
                "again, with fewer --jobs where memory is short; finished work is kept"
            )
        if "unusable" in greeting:
            raise ModelError(greeting["unusable"])
        self._ready = True

    @staticmethod
    def _exchange(process: subprocess.Popen[bytes], request: WorkRequest) -> Answer | None:
        """Write a request, read its answer; None where the process has ended."""
        try:
            send(_pipe(process.stdin), request)
            answer: Answer | None = receive(_pipe(process.stdout))
            return answer
        except OSError:
            return None

    @contextmanager
    def _limit(self, seconds: float) -> Iterator[None]:
        """Have the process ended unless the block ends in time; `_late` says if it was."""
        self._late, self._deadline = False, time.monotonic() + seconds
        try:
            yield
        finally:
            with self._lock:  # so that what comes next is not ended in its place
                self._deadline = math.inf

    def _end_late(self) -> None:
        """End the process where it is late; a timer for each request would cost a millisecond."""
        while not self._closed.wait(_LOOK_SECONDS):
            with self._lock:
                if self._process is not None and time.monotonic() > self._deadline:
                    self._late, self._deadline = True, math.inf
                    self._process.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        """The process, started if need be."""
        with self._lock:
            if self._closed.is_set():
                raise WorkerDiedError("the run was stopped")
            if self._process is None or self._process.poll() is not None:
                self._process, self._ready = self._begun(), False
                if not self._watch.is_alive():
                    self._watch.start()
            return self._process

    def _begun(self) -> subprocess.Popen[bytes]:
        """A new process, which knows its config."""
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # decoders chatter there about every odd frame
                creationflags=_BELOW_NORMAL if self._config.nice else 0,
                env={**os.environ, **ONE_EACH, "PYTHONUTF8": "1"},
            )
        except OSError as error:
            raise WorkerStartError(
                f"no worker process can be started ({error.strerror}): run again, with fewer "
                "--jobs where memory or processes are short; finished work is kept"
            ) from error
        with suppress(OSError):  # it has ended already, as its greeting will say
            send(_pipe(process.stdin), self._config)
        return process

    def close(self) -> None:
        """End the process, also in the middle of a request."""
        with self._lock:
            self._closed.set()
            if self._process is not None:
                self._process.kill()
                self._process.wait()


class WorkerStartError(MusicuError):
    """A worker process ended before it could take a request, so that no other would do better."""


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
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
