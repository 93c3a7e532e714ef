"""Several workers side by side, one thread of ours to each."""

from __future__ import annotations

import base64
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from musicu.pipeline.tasks import Pass, Result, Task
from musicu.pipeline.workers import Worker, WorkerDiedError

_Results: TypeAlias = "queue.SimpleQueue[Result | BaseException | None]"
#: Results that may wait for the caller, for each worker, before it takes up another task.
_WAITING = 16


class Known(Protocol):
    """What the workers' threads ask of the catalog."""

    def has(self, made: Pass, content_hash: str) -> bool:
        """Whether a recording has a row of a pass."""


class Feed:
    """Tasks handed out one at a time, and the files that come soon after them.

    tasks are drawn when they are needed, so that a source of any size takes no memory.
    """

    def __init__(self, tasks: Iterable[Task], ahead: int) -> None:
        self._tasks, self._ahead = iter(tasks), ahead
        self._soon: deque[Task] = deque()
        self._lock = threading.Lock()  # drawing a task may look at files

    def take(self) -> tuple[Task, list[Path]] | None:
        """The next task, and which files to read ahead; None at the end."""
        with self._lock:
            added = []
            while len(self._soon) <= self._ahead and (task := next(self._tasks, None)):
                self._soon.append(task)
                added.append(task)
            if not self._soon:
                return None
            task = self._soon.popleft()
            return task, [other.found.file for other in added if other is not task]


class Crew:
    """Workers that are started as work comes to be known, and end together.

    make: gives a new worker. jobs: how many there are at most.
    """

    def __init__(self, make: Callable[[], Worker], jobs: int) -> None:
        self._make, self._jobs = make, jobs
        self._workers: list[Worker] = []

    def expect(self, tasks: int) -> None:
        """Start as many workers as so many tasks keep busy; they get ready meanwhile."""
        while len(self._workers) < min(self._jobs, tasks):
            self._workers.append(self._make())
            self._workers[-1].start()

    def results(self, feed: Feed, known: Known) -> Generator[Result, None, None]:
        """The results of all tasks, in the order in which they are done.

        An error that is not of one file alone is raised here. Leaving the iteration ends the
        workers at once.
        """
        results: _Results = queue.SimpleQueue()
        room = threading.Semaphore(_WAITING * len(self._workers))
        stopped = threading.Event()

        def serve(worker: Worker) -> None:
            try:
                while room.acquire() and not stopped.is_set() and (taken := feed.take()):
                    results.put(_do(*taken, worker, known))
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                results.put(error)
            finally:
                worker.close()
                results.put(None)

        threads = [threading.Thread(target=serve, args=(w,), daemon=True) for w in self._workers]
        try:
            for thread in threads:
                thread.start()
            yield from _collect(results, room, len(threads))
        finally:
            stopped.set()
            room.release(_WAITING * len(threads) + 1)
            self.close()

    def close(self) -> None:
        """End all workers, also in the middle of a task."""
        for worker in self._workers:
            worker.close()


def _collect(
    results: _Results,
    room: threading.Semaphore,
    running: int,
) -> Iterator[Result]:
    while running:
        result = results.get()
        if result is None:
            running -= 1
        elif isinstance(result, BaseException):
            raise result
        else:
            yield result
            room.release()


def _do(task: Task, ahead: list[Path], worker: Worker, known: Known) -> Result:
    """Inspect a file where it is new or changed, then make of it what its sound has not yet."""
    result = Result(task.found, task.new, content_hash=task.known_hash)
    if task.known_hash is None:
        _inspect(task, ahead, worker, result)
        ahead = []
    elif task.read_tags:
        _read_tags(task, worker, result)
    if result.content_hash is None:
        return result
    for made in task.passes:
        if known.has(made, result.content_hash) and not task.force:
            continue
        result.tried.add(made.name)
        _make(task, made, ahead, worker, result)
        ahead = []
    return result


def _inspect(task: Task, ahead: list[Path], worker: Worker, result: Result) -> None:
    """Take the tags and the hash of a file."""
    try:
        answer = worker.ask("inspect", task.found.file, ahead)
    except WorkerDiedError as error:
        result.fail(None, "tags", str(error))
        return
    result.tags, result.content_hash = answer["tags"], answer.get("content_hash")
    if result.content_hash is None:
        result.fail(None, answer["stage"], answer["reason"])


def _read_tags(task: Task, worker: Worker, result: Result) -> None:
    """Take the tags of a file whose sound is known."""
    try:
        answer = worker.ask("tags", task.found.file)
    except WorkerDiedError as error:
        result.fail(None, "tags", str(error))
        return
    if "tags" in answer:
        result.tags = answer["tags"]
    else:
        result.fail(None, answer["stage"], answer["reason"])


def _make(task: Task, made: Pass, ahead: list[Path], worker: Worker, result: Result) -> None:
    """Have one pass made of a file."""
    try:
        answer = worker.ask(made.stage, task.found.file, ahead)
    except WorkerDiedError as error:
        result.fail(made.name, "decode" if made.stage == "embed" else made.stage, str(error))
        return
    if "row" in answer:
        result.rows[made.name] = _decoded(answer["row"])
    else:
        result.fail(made.name, answer["stage"], answer["reason"])


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    """A worker's row, its vector as float32 [dim]."""
    if "vector" in row:
        row["vector"] = np.frombuffer(base64.b64decode(row["vector"]), dtype="<f4")
    return row
