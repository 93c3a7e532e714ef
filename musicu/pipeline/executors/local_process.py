"""An executor in this process: for tests, notebooks and runs of a few files."""

from __future__ import annotations

from collections import deque

from musicu.pipeline.executors.executor import Executor
from musicu.pipeline.executors.request_handler import RequestHandler
from musicu.pipeline.executors.requests import Answer, WorkerConfig, WorkRequest


class LocalProcess(Executor):
    """Answers one request after the other; `jobs`, `nice` and the time limit have no effect.

    A decoder that crashes takes this process with it. Vectors are the same to the last bit as
    those of worker processes; descriptors are where BLAS has one thread (see `musicu.threads`),
    and may differ in the last digit where it has more.
    """

    isolated = False
    capacity = 1

    def __init__(self, config: WorkerConfig, *, jobs: int, timeout_seconds: float) -> None:
        super().__init__(config, jobs=jobs, timeout_seconds=timeout_seconds)
        self._handler: RequestHandler | None = None
        self._waiting: deque[WorkRequest] = deque()

    def submit(self, request: WorkRequest, *, first: bool = False) -> None:
        """Take a request."""
        (self._waiting.appendleft if first else self._waiting.append)(request)

    def next_answer(self) -> tuple[WorkRequest, Answer]:
        """Do the request that is next."""
        if self._handler is None:
            self._handler = RequestHandler(self.config)
        request = self._waiting.popleft()
        return request, self._handler.answer(request)

    def close(self) -> None:
        """Forget what was not done."""
        self._waiting.clear()
