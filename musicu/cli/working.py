"""What the commands that work through files have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import click

from musicu.cli.options import AS_JSON, JOBS, QUIET
from musicu.cli.output import duration, print_json
from musicu.pipeline.executors.executor import DEFAULT_EXECUTOR
from musicu.pipeline.fill_table import FillReport
from musicu.pipeline.run import EmbedReport

Command = Callable[..., Any]


def work_options(timeout_seconds: float) -> Callable[[Command], Command]:
    """The options of every command that sends files through workers."""
    decorators = [
        JOBS,
        click.option(
            "--executor",
            metavar="NAME",
            default=DEFAULT_EXECUTOR,
            show_default=True,
            help="Who does the work: workers (processes), local (this process), or another's.",
        ),
        click.option(
            "--nice", is_flag=True, help="Let every other program of this computer go first."
        ),
        click.option("--retry-failed", is_flag=True, help="Try again what failed before."),
        click.option(
            "--timeout",
            "timeout_seconds",
            type=click.FloatRange(min=0, min_open=True),
            default=timeout_seconds,
            show_default=True,
            help="Seconds one file may take.",
        ),
        AS_JSON,
        QUIET,
    ]

    def decorate(command: Command) -> Command:
        for option in reversed(decorators):
            command = option(command)
        return command

    return decorate


def print_report(report: EmbedReport | FillReport) -> None:
    """A report as JSON lines: every new failure, then the totals."""
    for failure in report.failures:
        print_json({"event": "failure", **failure})
    totals = {f.name: getattr(report, f.name) for f in dataclasses.fields(report)}
    print_json({"event": "report", **totals, "failures": len(report.failures)})


def time_taken(seconds: float) -> str:
    """A time for people: 4.2 s, or 3:05."""
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)
