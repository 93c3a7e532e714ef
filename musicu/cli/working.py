"""What the commands that work through files have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from musicu.catalog.words import clock
from musicu.cli.options import AS_JSON, JOBS, QUIET, Command, together
from musicu.cli.output import print_json
from musicu.pipeline.describe import FillReport
from musicu.pipeline.executors.executor import DEFAULT_EXECUTOR
from musicu.pipeline.run import EmbedReport

EXECUTOR = click.option(
    "--executor",
    metavar="NAME",
    default=DEFAULT_EXECUTOR,
    help="Where the work runs: workers (worker processes), local (this process), ray (a "
    "Ray cluster), or an executor of an installed package.",
)


def work_options(timeout_seconds: float) -> Callable[[Command], Command]:
    """The options of every command that sends files through workers."""
    return together(
        JOBS,
        EXECUTOR,
        click.option(
            "--nice",
            is_flag=True,
            help="Run at low priority, so that other programs are not slowed down.",
        ),
        click.option("--retry-failed", is_flag=True, help="Retry files that failed before."),
        click.option(
            "--timeout",
            "timeout_seconds",
            type=click.FloatRange(min=0, min_open=True),
            default=timeout_seconds,
            help="Time limit for one file, in seconds.",
        ),
        AS_JSON,
        QUIET,
    )


def print_report(report: EmbedReport | FillReport) -> None:
    """A report as JSON lines: every new failure, then the totals."""
    for failure in report.failures:
        print_json({"event": "failure", **failure})
    print_json({"event": "report", **totals(report)})


def totals(report: EmbedReport | FillReport) -> dict[str, Any]:
    """The numbers of a report by name, with how many failures there were in place of them."""
    found = {f.name: getattr(report, f.name) for f in dataclasses.fields(report)}
    return {**found, "failures": len(report.failures)}


def told(*counts: tuple[int, str]) -> list[str]:
    """Those counts that are not zero, in words."""
    return [f"{count} {words}" for count, words in counts if count]


def sentence_of(
    catalog: Path, report: EmbedReport | FillReport, parts: list[str], end: Iterable[str] = ()
) -> str:
    """A report in a line: what was done, what failed, how long it took."""
    again = f" ({report.remembered} of them before: --retry-failed tries again)"
    failed = f"{report.failed} failed{again if report.remembered else ''}"
    seconds = report.seconds
    time = f"{seconds:.1f} s" if seconds < 60 else clock(seconds)
    speed = report.audio_seconds / seconds if seconds else 0.0
    pace = f", {speed:.0f} times real time" if speed else ""
    return f"{catalog}: {', '.join([*parts, failed, *end])} in {time}{pace}"
