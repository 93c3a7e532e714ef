"""The one loop of all runs: a source through the workers into the tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from musicu.embeddings.cards import ModelCard
from musicu.ingest.sources import SourceFile
from musicu.pipeline.commit_interval import CommitPace
from musicu.pipeline.plan import Planner, Survey
from musicu.pipeline.run_state import Ledger
from musicu.pipeline.tasks import Result
from musicu.pipeline.worker_pool import Crew, Feed
from musicu.pipeline.workers import Worker
from musicu.records import Failure

#: Files that the system is asked to fetch before they are read, for each worker.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """How a run goes about it; none of these changes a number.

    jobs: worker processes; None for one a processor core.
    force: do also what is done.
    retry_failed: try again what failed before and has not changed since.
    timeout_seconds: how long one file may take before it counts as failed.
    nice: let other programs go first, and read nothing ahead of them.
    """

    jobs: int | None = None
    force: bool = False
    retry_failed: bool = False
    timeout_seconds: float = 300.0
    nice: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: tracks done of those to do, failures and seconds of music so far."""

    done: int
    todo: int
    failed: int
    audio_seconds: float


@dataclass(frozen=True, slots=True)
class Hearing:
    """What the workers embed with, and whether they hear whole files; None for no embedding."""

    model: ModelCard | None = None
    thorough: bool = False


def go_through(
    source: Iterable[SourceFile | Failure],
    ledger: Ledger,
    hearing: Hearing,
    options: WorkOptions,
    *,
    begin: Callable[[Survey], None],
    count: Callable[[Result], None],
    progress: Callable[[Progress], None] | None,
) -> None:
    """Do what the ledger lacks of a source, committing from time to time and at the end.

    begin: hears what there is to do, before it is done. count: hears every result. Whatever ends
    the run, what is finished is saved.
    """
    jobs = options.jobs or os.cpu_count() or 1
    ahead = 0 if options.nice else _AHEAD * jobs
    planner = Planner(source, ledger, options.force, options.retry_failed)
    crew = Crew(lambda: _worker(hearing, options), jobs)
    try:
        survey = planner.survey(crew.expect)
        begin(survey)
        with closing(crew.results(Feed(planner.tasks(), ahead), ledger)) as results:
            _take_in(results, ledger, survey, count, progress)
    finally:
        crew.close()


def _take_in(
    results: Iterator[Result],
    ledger: Ledger,
    survey: Survey,
    count: Callable[[Result], None],
    progress: Callable[[Progress], None] | None,
) -> None:
    """Put results into the ledger as they come, and commit from time to time and at the end."""
    done, failed, seconds, pace = 0, survey.failed, 0.0, CommitPace()
    try:
        for result in results:
            ledger.add(result)
            count(result)
            done += 1
            failed += bool(result.failures)
            seconds += result.audio_seconds
            if progress:
                progress(Progress(done, max(done, survey.todo), failed, seconds))
            if pace.due() or ledger.is_full:
                ledger.commit()
    finally:
        ledger.commit()
    if progress and not done:
        progress(Progress(0, 0, failed, 0.0))


def _worker(hearing: Hearing, options: WorkOptions) -> Worker:
    return Worker(
        hearing.model,
        options.timeout_seconds,
        thorough=hearing.thorough,
        nice=options.nice,
    )
