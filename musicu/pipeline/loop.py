"""The one loop of all runs: a source through the workers into the tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from musicu.ingest.track_source import SourceFile
from musicu.pipeline.commit_interval import CommitInterval
from musicu.pipeline.executors.executor import DEFAULT_EXECUTOR, EXECUTORS, Executor
from musicu.pipeline.executors.requests import WorkerConfig
from musicu.pipeline.plan import Planner, Survey
from musicu.pipeline.run_state import RunState
from musicu.pipeline.schedule import Schedule, TaskQueue
from musicu.pipeline.tasks import Result
from musicu.pipeline.thorough import EmbedSpec
from musicu.progress import tell
from musicu.records import Failure

#: Files that the system is asked to fetch before they are read, for each worker.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """How a run goes about it; none of these changes a number.

    executor: the name of who does the work, "workers" or "local" or another package's.
    jobs: how much it does at a time, as worker processes; None for one a processor core.
    force: do also what is done.
    retry_failed: try again what failed before and has not changed since.
    timeout_seconds: how long one file may take before it counts as failed.
    nice: let other programs go first, and read nothing ahead of them.
    """

    executor: str = DEFAULT_EXECUTOR
    jobs: int | None = None
    force: bool = False
    retry_failed: bool = False
    timeout_seconds: float = 300.0
    nice: bool = False


def go_through(
    source: Iterable[SourceFile | Failure],
    state: RunState,
    spec: EmbedSpec | None,
    options: WorkOptions,
    *,
    begin: Callable[[Survey], None],
    count: Callable[[Result], None],
) -> None:
    """Do what the catalog lacks of a source, committing from time to time and at the end.

    spec: what to embed with; None for no embedding. begin: is told what there is to do, before it
    is done. count: is told every result. Whatever ends the run, what is finished is saved.
    """
    jobs = options.jobs or os.cpu_count() or 1
    ahead = 0 if options.nice else _AHEAD * jobs
    planner = Planner(source, state, options.force, options.retry_failed)
    batch_size = spec.batch_size if spec else 1
    config = _worker_config(spec, batch_size, options.nice)
    executor: Executor = EXECUTORS.make(
        options.executor, config, jobs=jobs, timeout_seconds=options.timeout_seconds
    )
    with closing(executor):
        survey = planner.survey(executor.expect)
        begin(survey)
        queue = TaskQueue(planner.tasks(), ahead)
        results = Schedule(queue, executor, state, batch_size).results()
        _take_in(results, state, survey, count)


def _worker_config(spec: EmbedSpec | None, batch_size: int, nice: bool) -> WorkerConfig:
    if spec is None:
        return WorkerConfig(nice=nice)
    shared = batch_size > 1 and spec.model.batch.device != "cpu"
    return WorkerConfig(spec.model, spec.thorough, shared, nice)


def _take_in(
    results: Iterator[Result],
    state: RunState,
    survey: Survey,
    count: Callable[[Result], None],
) -> None:
    """Put results into the state as they come, and commit from time to time and at the end."""
    done, failed, interval = 0, survey.failed, CommitInterval()
    tell("reading files", 0, survey.todo, "tracks", failed)
    try:
        for result in results:
            state.add(result)
            count(result)
            done += 1
            failed += bool(result.failures)
            tell("reading files", done, max(done, survey.todo), "tracks", failed)
            if interval.due() or state.is_full:
                state.commit()
    finally:
        state.commit()
