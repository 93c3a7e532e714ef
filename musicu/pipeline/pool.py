"""Several workers side by side, one thread of ours to each."""

from __future__ import annotations

import base64
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar, cast

import numpy as np

from musicu.embeddings.cards import ModelCard
from musicu.pipeline.tasks import Result, Task
from musicu.pipeline.workers import Worker, WorkerDiedError
from musicu.records import Failure

A = TypeVar("A")
B = TypeVar("B")


class Known(Protocol):
    """What the workers' threads ask of the catalog."""

    def has_vector(self, content_hash: str) -> bool:
        """Whether sound of that hash needs no embedding."""


def work_through(
    tasks: Sequence[Task], known: Known, model: ModelCard | None, jobs: int, timeout_seconds: float
) -> Iterator[Result]:
    """The results of all tasks, in the order in which they are done.

    model: None to read tags and hashes only. Leaving the iteration ends the workers at once.
    """
    workers = [Worker(model, timeout_seconds) for _ in range(min(jobs, len(tasks)))]
    return share_out(tasks, workers, lambda task, worker: _do(task, worker, known, model))


def share_out(
    tasks: Sequence[A], workers: Sequence[Worker], do: Callable[[A, Worker], B]
) -> Iterator[B]:
    """What `do` makes of each task with a free worker, in the order in which they are done.

    An error in `do` is raised here. Leaving the iteration ends the workers at once.
    """
    waiting: queue.SimpleQueue[A] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    results: queue.SimpleQueue[tuple[B | None, BaseException | None]] = queue.SimpleQueue()
    stopped = threading.Event()

    def serve(worker: Worker) -> None:
        try:
            while not stopped.is_set():
                results.put((do(waiting.get_nowait(), worker), None))
        except queue.Empty:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            results.put((None, error))
        finally:
            worker.close()

    threads = [threading.Thread(target=serve, args=(w,), daemon=True) for w in workers]
    try:
        for thread in threads:
            thread.start()
        for _ in tasks:
            result, error = results.get()
            if error is not None:
                raise error
            yield cast(B, result)
    finally:
        stopped.set()
        for worker in workers:
            worker.close()


def _do(task: Task, worker: Worker, known: Known, model: ModelCard | None) -> Result:
    """Inspect a file where it is new or changed, then embed it where its sound is unknown."""
    found, tags, content_hash = task.found, None, task.known_hash
    try:
        if content_hash is None:
            answer = worker.ask("inspect", found.file)
            tags, content_hash = answer["tags"], answer.get("content_hash")
            if content_hash is None:
                failure = _failure(task, answer["stage"], answer["reason"], None)
                return Result(found, task.new, tags, failure=failure)
        if model is None:
            return Result(found, task.new, tags, content_hash)
        if known.has_vector(content_hash) and not task.force:
            return Result(found, task.new, tags, content_hash, reused=True)
        answer = worker.ask("embed", found.file)
    except WorkerDiedError as error:
        stage = "decode" if content_hash else "tags"
        failure = _failure(task, stage, str(error), content_hash)
        return Result(found, task.new, tags, content_hash, failure=failure)
    if "vector" not in answer:
        failure = _failure(task, answer["stage"], answer["reason"], content_hash)
        return Result(found, task.new, tags, content_hash, failure=failure)
    vector = np.frombuffer(base64.b64decode(answer["vector"]), dtype="<f4")
    return Result(found, task.new, tags, content_hash, vector, answer["complete"])


def _failure(task: Task, stage: str, reason: str, content_hash: str | None) -> Failure:
    return Failure(task.found.track_id, task.found.path, stage, reason, content_hash)
