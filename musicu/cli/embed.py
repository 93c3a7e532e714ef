"""`musicu embed` and `musicu scan`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from musicu.cli.options import CONFIRM_PRUNE, FOLDER, PATH, PRUNE
from musicu.cli.output import note, safe
from musicu.cli.progress import progress_bar
from musicu.cli.working import print_report, time_taken, work_options
from musicu.embeddings.cards import DEFAULT_MODEL
from musicu.embeddings.tracks.refresh import refresh_track_vectors
from musicu.errors import SourceError
from musicu.ingest.sources import split_paths
from musicu.ingest.table import read_table
from musicu.ingest.table_import import import_vectors
from musicu.pipeline.run import EmbedOptions, EmbedReport, run
from musicu.records import counted

_FAILURES_SHOWN = 10


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments and options of both commands."""
    decorators: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        click.argument("source", type=PATH),
        click.option(
            "-o",
            "--out",
            required=True,
            type=PATH,
            help="The catalog folder, made where there is none.",
        ),
        click.option(
            "--root",
            type=FOLDER,
            help="The folder that the paths of a list or table are relative to.",
        ),
        PRUNE,
        CONFIRM_PRUNE,
        click.option(
            "--force", is_flag=True, help="Do also what is done: tags, vectors, all of it."
        ),
        work_options(EmbedOptions().timeout_seconds),
        click.option("-v", "--verbose", is_flag=True, help="Name every failure."),
    ]
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@click.command()
@_common
@click.option(
    "-m", "--model", default=DEFAULT_MODEL, show_default=True, help="A model's name or folder."
)
@click.option(
    "--thorough",
    is_flag=True,
    help="Read whole files, not the model's windows; kept under the model's name + '+thorough'.",
)
@click.option("--describe", is_flag=True, help="Fill the descriptors too, as musicu describe does.")
def embed(source: Path, out: Path, model: str, **rest: Any) -> int:
    """Turn SOURCE into a catalog of vectors.

    SOURCE is a folder (at any depth), a CSV or Parquet table with a column of paths, or "-" for
    paths on standard input, one a line or separated by NUL. Only what is new or changed is read;
    failures are remembered and listed by `musicu failures`.
    """
    return _go(source, out, model, **rest)


@click.command()
@_common
@click.option("--vectors", help="A column of the table that holds vectors, as lists of numbers.")
@click.option("--model-name", help="The name that --vectors get in the catalog.")
def scan(source: Path, out: Path, vectors: str | None, model_name: str | None, **rest: Any) -> int:
    """Read the tags of SOURCE into a catalog, without decoding.

    SOURCE is what it is for `musicu embed`, which goes on from here. A table of ids (track_id)
    without paths is taken as it is: tracks without sound, with all of its columns, and with
    vectors from elsewhere where --vectors names their column.
    """
    if (vectors is None) != (model_name is None):
        raise click.UsageError("--vectors and --model-name go together")
    if vectors is None or model_name is None:
        return _go(source, out, None, **rest)
    if source.suffix.lower() not in (".parquet", ".pq"):
        raise click.UsageError("--vectors needs a Parquet table, which can hold lists")
    table = read_table(source)
    if vectors not in table.column_names:
        raise click.UsageError(f"{source} has no column {vectors!r}")
    rest["root"] = rest["root"] or source.absolute().parent
    code = _go(table.drop_columns([vectors]), out, None, **rest)
    count = import_vectors(out, table, vectors, model_name)
    note(f"{model_name}: {counted(count, 'vector')}")
    if missing := table.num_rows - count:
        note(f"warning: {counted(missing, 'row')} without a vector: empty, of zeros, or not finite")
    refresh_track_vectors(out)
    return code


def _go(
    source: Path | pa.Table,
    out: Path,
    model: str | None,
    *,
    as_json: bool,
    verbose: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Run, report, and choose the exit code."""
    piped = isinstance(source, Path) and str(source) == "-"
    given = split_paths(sys.stdin.buffer.read()) if piped else source
    if piped and not given:
        raise SourceError("standard input named no files: pipe paths into it, one a line")
    with progress_bar(quiet) as show:
        report = run(given, out, model=model, options=EmbedOptions(**options), progress=show)
    _print(report, out, model, as_json, verbose)
    return 1 if report.failed else 0


def _print(report: EmbedReport, out: Path, model: str | None, as_json: bool, verbose: bool) -> None:
    """The report on standard output as JSON, or on standard error for people."""
    for warning in report.warnings:
        note(f"warning: {safe(warning)}")
    if report.left_out:
        note(f"left out, as the system's own: {safe(_left_out(report.left_out))}")
    if as_json:
        print_report(report)
        return
    shown = report.failures if verbose else report.failures[:_FAILURES_SHOWN]
    for failure in shown:
        note(f"failed: {safe(failure['path'])}: {safe(failure['reason'])} ({failure['stage']})")
    if len(report.failures) > len(shown):
        note(f"… and {len(report.failures) - len(shown)} more: musicu failures {out}")
    note(_sentence(report, out, model))


def _left_out(counts: Mapping[str, int]) -> str:
    """Names of the system with how often they were met."""
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items())


def _sentence(report: EmbedReport, out: Path, model: str | None) -> str:
    """The report in a line."""
    verb = "embedded" if model else "scanned"
    done = report.embedded if model else report.tracks - report.known - report.failed
    parts = [counted(report.tracks, "track")]
    if done or report.failed:
        parts.append(f"{done} {verb}")
    told = (
        (report.described, "described"),
        (report.reused if model else 0, "known by their sound"),
        (report.updated if model else 0, "read again, of the same sound"),
        (report.known, "unchanged"),
        (report.incomplete, "read only in part"),
        (report.gone, "gone"),
        (report.pruned, "pruned"),
        (report.unreachable, "out of reach, and kept"),
    )
    parts += [f"{count} {words}" for count, words in told if count]
    parts.append(f"{report.failed} failed")
    if report.remembered:
        parts[-1] += f" ({report.remembered} of them before: --retry-failed tries again)"
    if report.known == report.tracks:
        parts.append("nothing to do")
    speed = report.audio_seconds / report.seconds if report.seconds else 0.0
    pace = f", {speed:.0f} times real time" if speed else ""
    return f"{out}: {', '.join(parts)} in {time_taken(report.seconds)}{pace}"
