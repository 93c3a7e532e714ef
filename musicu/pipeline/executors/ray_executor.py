"""An executor on a Ray cluster: this computer where none is named, or what `RAY_ADDRESS` names.

Each job is an actor with a worker process of its own, so a file that crashes a decoder or takes too
long costs that file, as it does locally. An actor whose node is lost is started again elsewhere,
and what it was asked is asked again: requests change nothing. Files and the model's folder have the
same paths on all nodes.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import Any

from musicu.errors import MissingExtraError
from musicu.pipeline.executors.executor import Executor
from musicu.pipeline.executors.requests import Answer, WorkerConfig, WorkRequest
from musicu.pipeline.executors.worker_process import Worker, WorkerDiedError

_AT_ONCE = 2  # requests that an actor has, so that it need not wait for the next
_WAITING = 8  # requests without answer for each actor


class RayExecutor(Executor):
    """Actors that are started as work comes to be known.

    Where the model is shared, one actor more does nothing but embed, on a GPU where the cluster has
    one, and the others decode for it.
    """

    isolated = True

    def __init__(self, config: WorkerConfig, *, jobs: int, timeout_seconds: float) -> None:
        super().__init__(config, jobs=jobs, timeout_seconds=timeout_seconds)
        self._ray = _ray()
        self._is_ours = not self._ray.is_initialized()
        if self._is_ours:
            local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": jobs}
            self._ray.init(
                include_dashboard=False, log_to_driver=False, logging_level="ERROR", **local
            )
        self._actors: list[Any] = []
        self._embedding: Any = None
        self._waiting: dict[bool, deque[WorkRequest]] = {True: deque(), False: deque()}
        self._asked: dict[Any, tuple[WorkRequest, Any]] = {}

    @property
    def capacity(self) -> int:
        """How many requests keep the actors busy."""
        return _WAITING * max(1, len(self._actors))

    def expect(self, tasks: int) -> None:
        """Start as many actors as so many tasks keep busy; they get ready meanwhile."""
        shared = self.config.shared_model
        if shared and self._embedding is None:
            self._embedding = self._started(embeds=True)
        while len(self._actors) < min(self.jobs, max(1, tasks)):
            self._actors.append(self._started(embeds=not shared))

    def submit(self, request: WorkRequest, *, first: bool = False) -> None:
        """Queue a request."""
        if not self._actors:
            self.expect(1)
        waiting = self._waiting[self._is_for_embedding(request)]
        (waiting.appendleft if first else waiting.append)(request)
        self._hand_out()

    def next_answer(self) -> tuple[WorkRequest, Answer]:
        """Wait for the next answer; raises what no other actor would do better."""
        self._hand_out()
        (ready,), _ = self._ray.wait(list(self._asked), num_returns=1)
        request, _ = self._asked.pop(ready)
        self._hand_out()
        try:
            answer: Answer = self._ray.get(ready)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        return request, answer

    def close(self) -> None:
        """End all actors, also in the middle of a request."""
        actors = [*self._actors, *([self._embedding] if self._embedding is not None else [])]
        with suppress(Exception):  # of a cluster that has gone; there is nothing left to end
            ended = [actor.close.remote() for actor in actors]
            self._ray.wait(ended, num_returns=max(1, len(ended)), timeout=2.0)
        for actor in actors:
            with suppress(Exception):
                self._ray.kill(actor)
        self._actors, self._embedding = [], None
        self._asked.clear()
        if self._is_ours and self._ray.is_initialized():
            self._ray.shutdown()
            self._is_ours = False

    def _is_for_embedding(self, request: WorkRequest) -> bool:
        return self._embedding is not None and request.task == "embed_batch"

    def _hand_out(self) -> None:
        """Give waiting requests to actors that have room."""
        busy = [actor for _, actor in self._asked.values()]
        for embeds, actors in ((True, [self._embedding]), (False, self._actors)):
            waiting = self._waiting[embeds]
            room = {n: _AT_ONCE - sum(a is b for b in busy) for n, a in enumerate(actors)}
            while waiting and max(room.values()) > 0:
                number = max(room, key=lambda n: room[n])
                room[number] -= 1
                request = waiting.popleft()
                asked = actors[number].ask.remote(request)
                self._asked[asked] = (request, actors[number])

    def _started(self, *, embeds: bool) -> Any:
        """An actor that is started again wherever its process or node was lost."""
        has_gpu = embeds and self.config.shared_model and self._ray.cluster_resources().get("GPU")
        made = self._ray.remote(_WorkerActor).options(
            num_cpus=0,  # else an actor of a lost node would wait for a core that is free
            num_gpus=1 if has_gpu else 0,
            scheduling_strategy="SPREAD",
            max_restarts=-1,
            max_task_retries=-1,
            max_concurrency=_AT_ONCE + 1,
        )
        return made.remote(self.config, self.timeout_seconds, embeds, sys.path)


class _WorkerActor:
    """A worker process on some node; answers one request at a time."""

    def __init__(
        self, config: WorkerConfig, timeout_seconds: float, embeds: bool, path: list[str]
    ) -> None:
        sys.path[:] = [*path, *(place for place in sys.path if place not in path)]
        self._worker = Worker(config, timeout_seconds, embeds=embeds)
        self._turn = threading.Lock()
        self._worker.start()

    def ask(self, request: WorkRequest) -> Answer:
        """The answer of the worker process, or why it died."""
        with self._turn:
            try:
                return self._worker.ask(request)
            except WorkerDiedError as error:
                return {"died": str(error)}

    def close(self) -> None:
        """End the worker process."""
        self._worker.close()


def _ray() -> Any:
    """The package; raises MissingExtraError where it is not installed."""
    try:
        import ray
    except ImportError:
        raise MissingExtraError("the executor 'ray'", "ray") from None
    return ray
