"""An executor of worker processes on this computer, one thread of ours to each."""

from __future__ import annotations

import math
import queue
import threading
from itertools import count
from typing import TypeAlias

from musicu.pipeline.executors.executor import Executor
from musicu.pipeline.executors.requests import Answer, WorkerConfig, WorkRequest
from musicu.pipeline.executors.worker_process import Worker, WorkerDiedError

#: Requests that may wait, for each worker: what keeps it busy while its answers are saved.
_WAITING = 16

_Answers: TypeAlias = "queue.SimpleQueue[tuple[WorkRequest, Answer] | BaseException]"


class RequestQueue:
    """Requests that wait for a worker."""

    def __init__(self) -> None:
        self._waiting: queue.PriorityQueue[tuple[float, WorkRequest | None]]
        self._waiting, self._numbers = queue.PriorityQueue(), count(1)

    def put(self, request: WorkRequest, *, first: bool) -> None:
        """Add a request, behind the others unless it is better done first."""
        number = next(self._numbers)
        self._waiting.put((-number if first else number, request))

    def take(self) -> WorkRequest | None:
        """Wait for the next request; None once the queue is closed."""
        return self._waiting.get()[1]

    def close(self, takers: int) -> None:
        """Hand out no more. takers: how many may be waiting."""
        for _ in range(takers):
            self._waiting.put((-math.inf, None))


class WorkerPool(Executor):
    """Workers that are started as work comes to be known, and end together.

    A worker that dies or takes too long costs its request; another takes its place. Where the
    model is shared, one worker more does nothing but embed, and the others decode for it.
    """

    isolated = True

    def __init__(self, config: WorkerConfig, *, jobs: int, timeout_seconds: float) -> None:
        super().__init__(config, jobs=jobs, timeout_seconds=timeout_seconds)
        self._workers: list[Worker] = []
        self._answers: _Answers = queue.SimpleQueue()
        self._requests = RequestQueue()
        self._batches = RequestQueue() if config.shared_model else self._requests

    @property
    def capacity(self) -> int:
        """How many requests keep the workers busy."""
        return _WAITING * max(1, len(self._workers))

    def expect(self, tasks: int) -> None:
        """Start as many workers as so many tasks keep busy; they get ready meanwhile."""
        shared = self.config.shared_model
        if shared and not self._workers:
            self._start(self._batches, embeds=True)
        while len(self._workers) < min(self.jobs, max(1, tasks)) + shared:
            self._start(self._requests, embeds=not shared)

    def _start(self, requests: RequestQueue, *, embeds: bool) -> None:
        worker = Worker(self.config, self.timeout_seconds, embeds=embeds)
        self._workers.append(worker)
        worker.start()
        threading.Thread(target=self._serve, args=(worker, requests), daemon=True).start()

    def _serve(self, worker: Worker, requests: RequestQueue) -> None:
        """Have a worker do one request after the other; runs in a thread of its own."""
        try:
            while (request := requests.take()) is not None:
                self._answers.put((request, _ask(worker, request)))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._answers.put(error)
        finally:
            worker.close()

    def submit(self, request: WorkRequest, *, first: bool = False) -> None:
        """Queue a request."""
        if not self._workers:
            self.expect(1)
        requests = self._batches if request.task == "embed_batch" else self._requests
        requests.put(request, first=first)

    def next_answer(self) -> tuple[WorkRequest, Answer]:
        """Wait for the next answer; raises what no other worker would do better."""
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        """End all workers, also in the middle of a request."""
        for requests in (self._requests, self._batches):
            requests.close(len(self._workers))
        for worker in self._workers:
            worker.close()


def _ask(worker: Worker, request: WorkRequest) -> Answer:
    """A worker's answer, or why it died."""
    try:
        return worker.ask(request)
    except WorkerDiedError as error:
        return {"died": str(error)}
