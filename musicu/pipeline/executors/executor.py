"""The role that does the work of a run, and the registry of those who fill it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from musicu.pipeline.executors.requests import Answer, WorkerConfig, WorkRequest
from musicu.registry import Registry

DEFAULT_EXECUTOR = "workers"


class Executor(ABC):
    """Takes requests and hands back their answers as they come, in any order.

    An implementation is a class that is made as this one is, registered as an entry point of the
    group `musicu.executors`. Requests, answers and the config are picklable, and
    `RequestHandler(config).answer(request)` answers a request wherever it is called. All methods
    are called from one thread. Whoever submits keeps at most `capacity` requests without answer.

    isolated: whether a request that crashes or takes longer than `timeout_seconds` (for each of
    its audios, where it has several) costs only its own answer, which then says why it "died".
    """

    isolated: bool

    def __init__(self, config: WorkerConfig, *, jobs: int, timeout_seconds: float) -> None:
        self.config, self.jobs, self.timeout_seconds = config, jobs, timeout_seconds

    @property
    @abstractmethod
    def capacity(self) -> int:
        """How many requests without answer keep it busy."""

    def expect(self, tasks: int) -> None:  # noqa: B027 - most have nothing to get ready
        """Get ready for so many tasks, or more than the last time; called before any request."""

    @abstractmethod
    def submit(self, request: WorkRequest, *, first: bool = False) -> None:
        """Take a request and return at once. first: better done before those that wait."""

    @abstractmethod
    def next_answer(self) -> tuple[WorkRequest, Answer]:
        """Wait for the next answer to any request; only called while there is one without.

        Raises what ends the run, as a ModelError where the model cannot be used.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop at once, also in the middle of a request; may be called twice."""


EXECUTORS: Registry[type[Executor]] = Registry(
    "executor",
    "musicu.executors",
    {
        "local": "musicu.pipeline.executors.local_process:LocalProcess",
        "workers": "musicu.pipeline.executors.worker_pool:WorkerPool",
        "ray": "musicu.pipeline.executors.ray_executor:RayExecutor",
    },
)
