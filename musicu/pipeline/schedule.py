"""From tasks to results: what an executor is asked, in which order, and what it answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from musicu.pipeline.executors.executor import Executor
from musicu.pipeline.executors.requests import Answer, FileTask, WorkRequest
from musicu.pipeline.run_state import RunState
from musicu.pipeline.tasks import Result, StageSpec, Task
from musicu.records import Audio

#: Recordings decoded or embedded at a time, in batches: one at work, one ready, one being read.
_BATCHES = 3


class TaskQueue:
    """Tasks handed out one at a time, and the files that come soon after them.

    tasks are drawn when they are needed, so that a source of any size takes no memory.
    """

    def __init__(self, tasks: Iterable[Task], ahead: int) -> None:
        self._tasks, self._ahead = iter(tasks), ahead
        self._soon: deque[Task] = deque()

    def take(self) -> tuple[Task, tuple[Path, ...]] | None:
        """The next task, and which files to read ahead; None at the end."""
        added = []
        while len(self._soon) <= self._ahead and (task := next(self._tasks, None)):
            self._soon.append(task)
            added.append(task)
        if not self._soon:
            return None
        task = self._soon.popleft()
        return task, tuple(other.found.file for other in added if other is not task)


@dataclass(slots=True, eq=False)
class _OpenTask:
    """A task that is under way: its result so far, the stages that are left, the one at hand."""

    task: Task
    result: Result
    left: deque[StageSpec]
    ahead: tuple[Path, ...]
    stage: StageSpec | None = None
    audio: Audio | None = field(default=None, repr=False)


class Schedule:
    """The tasks of a run on an executor.

    Each file is inspected where it is new or changed (its tags alone are read where only they may
    be), then what its recording has no row of yet is
    made of it. A file that is under way goes before files that wait. One file of a recording is
    under way at a time, so that its copies find its rows. Where `batch_size` is above 1, files are
    decoded, and embedded in batches of up to so many; a batch that dies is tried one by one.
    """

    def __init__(
        self, tasks: TaskQueue, executor: Executor, known: RunState, batch_size: int = 1
    ) -> None:
        self._tasks, self._executor, self._known = tasks, executor, known
        self._batch_size = batch_size
        self._in_flight: dict[WorkRequest, list[_OpenTask]] = {}
        self._open = self._batching = 0  # files under way, and those among them with their audio
        self._copies: dict[str, deque[_OpenTask]] = {}  # that wait for a recording under way
        self._to_decode: deque[_OpenTask] = deque()
        self._decoded: list[_OpenTask] = []
        self._done: deque[_OpenTask] = deque()

    def results(self) -> Iterator[Result]:
        """The results of all tasks as they are done.

        The caller takes a result into `known` before it asks for the next. Raises what the
        executor raises.
        """
        while self._fill() or self._open:
            while self._done:
                work = self._done.popleft()
                self._open -= 1
                yield work.result
                self._release_copies(work)
            if self._in_flight:
                request, answer = self._executor.next_answer()
                self._take_in(request, self._in_flight.pop(request), answer)

    def _fill(self) -> bool:
        """Begin tasks while the executor has room; whether anything was begun."""
        begun = False
        most = max(self._executor.capacity, (_BATCHES + 1) * self._batch_size)
        while self._open < most and (taken := self._tasks.take()):
            task, ahead = taken
            result = Result(task.found, task.new, content_hash=task.known_hash)
            self._open += 1
            self._begin(_OpenTask(task, result, deque(task.stages), ahead))
            begun = True
        if self._decoded and not self._more_to_decode():
            self._embed_batch()
        return begun

    def _more_to_decode(self) -> bool:
        """Whether a batch that is not full may get another recording."""
        others = any(request.task != "embed_batch" for request in self._in_flight)
        return others or bool(self._to_decode)

    def _begin(self, work: _OpenTask) -> None:
        if work.task.known_hash is None:
            self._submit(_request("inspect", work), [work])
        elif work.task.read_tags:
            self._submit(_request("tags", work), [work])
        else:
            self._enter(work)

    def _enter(self, work: _OpenTask) -> None:
        """Go on with a file whose hash is known, unless a copy of it is under way."""
        content_hash = work.result.content_hash
        if content_hash in self._copies:
            self._copies[content_hash].append(work)
            return
        if content_hash is not None:
            self._copies[content_hash] = deque()
        self._go_on(work)

    def _release_copies(self, work: _OpenTask) -> None:
        """Let the next copy of a recording go on."""
        waiting = self._copies.pop(work.result.content_hash or "", None)
        if waiting:
            following = waiting.popleft()
            self._enter(following)
            self._copies[following.result.content_hash or ""].extend(waiting)

    def _go_on(self, work: _OpenTask) -> None:
        """Ask for the next row that the recording lacks; the work is done where there is none."""
        content_hash = work.result.content_hash
        while work.left and content_hash is not None:
            stage = work.stage = work.left.popleft()
            if work.task.force or not self._known.has(stage, content_hash):
                work.result.tried.add(stage.name)
                self._make(work, stage)
                return
        self._done.append(work)

    def _make(self, work: _OpenTask, stage: StageSpec) -> None:
        """Ask for a row."""
        if stage.task == "embed" and self._batch_size > 1:
            self._to_decode.append(work)
            self._decode()
            return
        self._submit(_request(stage.task, work), [work], first=True)

    def _decode(self) -> None:
        """Have files decoded, as many as may be in memory."""
        while self._to_decode and self._batching < _BATCHES * self._batch_size:
            work = self._to_decode.popleft()
            self._batching += 1
            self._submit(_request("decode", work), [work], first=True)

    def _embed_batch(self) -> None:
        """Send the recordings that are decoded."""
        works, self._decoded = self._decoded, []
        self._embed(works)

    def _embed(self, works: list[_OpenTask]) -> None:
        audios = tuple(work.audio for work in works if work.audio is not None)
        self._submit(WorkRequest("embed_batch", audios=audios), works, first=True)

    def _submit(self, request: WorkRequest, works: list[_OpenTask], *, first: bool = False) -> None:
        self._in_flight[request] = works
        self._executor.submit(request, first=first)

    def _take_in(self, request: WorkRequest, works: list[_OpenTask], answer: Answer) -> None:
        """Take an answer."""
        if request.task == "inspect":
            self._inspected(works[0], answer)
        elif request.task == "tags":
            self._retagged(works[0], answer)
        elif request.task == "decode" and "audio" in answer:
            works[0].audio = answer["audio"]
            self._decoded += works
            if len(self._decoded) == self._batch_size:
                self._embed_batch()
        elif request.task == "embed_batch" and "died" in answer and len(works) > 1:
            for work in works:  # whichever of them it was
                self._embed([work])
        else:
            answers = answer.get("answers", [answer])
            for work, own in zip(works, answers, strict=True):
                self._made(work, own, request)
            self._decode()

    def _inspected(self, work: _OpenTask, answer: Answer) -> None:
        """Take the tags and the hash of a file."""
        result = work.result
        result.tags, result.content_hash = answer.get("tags"), answer.get("content_hash")
        if result.content_hash is not None:
            self._enter(work)
            return
        stage, reason = answer.get("stage", "tags"), answer.get("reason") or answer["died"]
        result.fail(None, stage, reason)
        self._done.append(work)

    def _retagged(self, work: _OpenTask, answer: Answer) -> None:
        """Take the tags of a file whose sound is known."""
        if "tags" in answer:
            work.result.tags = answer["tags"]
        else:
            reason = answer.get("reason") or answer["died"]
            work.result.fail(None, answer.get("stage", "tags"), reason)
        self._enter(work)

    def _made(self, work: _OpenTask, answer: Answer, request: WorkRequest) -> None:
        """Take a row, or why there is none, and go on."""
        stage = work.stage
        assert stage is not None
        if request.task in ("decode", "embed_batch"):
            self._batching -= 1
            work.audio = None
        if "row" in answer:
            work.result.rows[stage.name] = answer["row"]
        elif "died" in answer:
            died_in = "embed" if request.task == "embed_batch" else stage.failure_stage
            work.result.fail(stage.name, died_in, answer["died"])
        else:
            work.result.fail(stage.name, answer["stage"], answer["reason"])
        self._go_on(work)


def _request(task: FileTask, work: _OpenTask) -> WorkRequest:
    """A request for a work's file; the first of them says which files come soon."""
    ahead, work.ahead = work.ahead, ()
    described = work.stage.name if task == "describe" and work.stage else None
    return WorkRequest(task, work.task.found.file, described, ahead=ahead)
