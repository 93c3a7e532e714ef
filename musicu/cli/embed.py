"""`musicu embed` and `musicu scan`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from musicu.catalog.file_names import check_file_name
from musicu.cli.default_model import telling_default
from musicu.cli.interrupt import if_interrupted
from musicu.cli.options import CONFIRM_PRUNE, FOLDER, PATH, PRUNE, together
from musicu.cli.output import note, safe, warn
from musicu.cli.working import print_report, sentence_of, told, work_options
from musicu.embeddings.cards import DEFAULT_MODEL, SHIPPED, find_model
from musicu.embeddings.tracks.refresh import refresh_track_vectors
from musicu.errors import SourceError
from musicu.ingest.table import read_table
from musicu.ingest.track_source import split_paths
from musicu.ingest.vector_import import has_column, import_vectors
from musicu.pipeline.run import EmbedOptions, EmbedReport, run
from musicu.records import counted

_FAILURES_SHOWN = 10


#: The arguments and options of both commands.
_COMMON = together(
    click.option(
        "-o",
        "--out",
        required=True,
        type=PATH,
        help="The catalog folder; it is created if it does not exist.",
    ),
    click.option(
        "--root", type=FOLDER, help="The folder that relative paths in a list or table start from."
    ),
    PRUNE,
    CONFIRM_PRUNE,
    click.option(
        "--force",
        is_flag=True,
        help="Read tags and compute everything again, also what is already done.",
    ),
    work_options(EmbedOptions().timeout_seconds),
    click.option("-v", "--verbose", is_flag=True, help="Print every failure."),
)


@click.command()
@click.argument("source", type=PATH)
@_COMMON
@click.option("-m", "--model", default=DEFAULT_MODEL, help="Name or folder of the model.")
@click.option(
    "--thorough",
    is_flag=True,
    help="Read whole files instead of the model's input windows; the vectors are stored "
    "under the model's name + '+thorough'.",
)
@click.option(
    "--describe", is_flag=True, help="Also compute the descriptors, as `musicu describe` does."
)
def embed(source: Path, out: Path, model: str, **rest: Any) -> int:
    """Compute a vector for every track of SOURCE and store them in a catalog.

    \b
    Example: musicu embed ~/Music -o catalog

    SOURCE is a folder (searched recursively), a CSV or Parquet table with a column of paths, or
    "-" for paths on standard input, one per line or separated by NUL. It may lie on an object
    store, as s3://bucket/music, with the extra "cloud". Only new and changed files are read. Files
    that fail are recorded; `musicu failures` lists them.
    """
    card = find_model(model)
    if not card.folder.is_relative_to(SHIPPED):
        note(f"{card.name}: licence {card.about.get('licence', 'not stated')}")
    return _go(source, out, model, **rest)


@click.command()
@click.argument("source", type=PATH, required=False)
@_COMMON
@click.option(
    "--subsonic",
    metavar="URL",
    help="Read the songs of this Subsonic or OpenSubsonic server instead of a SOURCE. Name and "
    "password come from MUSICU_SUBSONIC_USER and MUSICU_SUBSONIC_PASSWORD, or a key from "
    "MUSICU_SUBSONIC_API_KEY; without them, a prompt asks.",
)
@click.option(
    "--jellyfin",
    metavar="URL",
    help="Read the songs of this Jellyfin server instead of a SOURCE, with the key in "
    "MUSICU_JELLYFIN_API_KEY; http://NAME@host names the user if there are several.",
)
@click.option(
    "--map-root",
    "maps",
    multiple=True,
    metavar="SERVER=LOCAL",
    help="Where a folder of the server lies here, such as /music=/home/me/Music; "
    "repeat for several.",
)
@click.option(
    "--download/--no-download",
    default=True,
    help="Embed songs of the server whose files are not at hand from its downloads.",
)
@click.option("--vectors", help="The table's column of vectors, each a list of numbers.")
@click.option("--model-name", help="The model name to store the --vectors under.")
@click.option(
    "--model-version",
    default="",
    help="The training that the --vectors come from. Two versions are never mixed.",
)
@click.option(
    "--replace", is_flag=True, help="Remove the vectors stored under --model-name before."
)
def scan(
    source: Path | None,
    out: Path,
    subsonic: str | None,
    jellyfin: str | None,
    maps: tuple[str, ...],
    download: bool,
    vectors: str | None,
    model_name: str | None,
    model_version: str,
    replace: bool,
    **rest: Any,
) -> int:
    """Read the tags of SOURCE into a catalog, without decoding audio.

    \b
    Example: musicu scan tracks.csv -o catalog

    SOURCE is as for `musicu embed`, which can continue from the scanned catalog. A table with
    track_id and without paths gives tracks without audio; all of its columns are kept. With
    --vectors, vectors from elsewhere are stored as a model. With --subsonic or --jellyfin, the
    songs of a music server are joined to the catalog, and its plays and stars become listens.
    """
    if sum(given is not None for given in (source, subsonic, jellyfin)) != 1:
        raise click.UsageError("give a SOURCE, --subsonic URL or --jellyfin URL")
    if source is None:
        from musicu.cli.subsonic import client_of, jellyfin_of, scan_music_server

        if vectors or model_name or rest["root"] or rest["prune"]:
            raise click.UsageError(
                "--vectors, --model-name, --root and --prune are for a SOURCE, not for a server"
            )
        server = jellyfin_of(jellyfin) if jellyfin is not None else client_of(subsonic or "")
        return scan_music_server(server, out, maps, download, **rest)
    if maps:
        raise click.UsageError("--map-root is for --subsonic and --jellyfin")
    if (vectors is None) != (model_name is None):
        raise click.UsageError("--vectors and --model-name go together")
    if vectors is None and (model_version or replace):
        raise click.UsageError("--model-version and --replace are for --vectors")
    if vectors is None or model_name is None:
        return _go(source, out, None, **rest)
    if source.suffix.lower() not in (".parquet", ".pq"):
        raise click.UsageError("--vectors needs a Parquet table, which can hold lists")
    check_file_name(model_name, "the model")
    table = read_table(source, without=vectors)
    if not has_column(source, vectors):
        raise click.UsageError(f"{source} has no column {vectors!r}")
    rest["root"] = rest["root"] or source.absolute().parent
    rows = table.num_rows
    code = _go(table, out, None, **rest)
    del table
    with telling_default(out):
        count = import_vectors(
            out, source, vectors, model_name, version=model_version, replace=replace
        )
    note(f"{model_name}: {counted(count, 'vector')}")
    if missing := rows - count:
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
    **options: Any,
) -> int:
    """Run, report, and choose the exit code."""
    piped = isinstance(source, Path) and str(source) == "-"
    given = split_paths(sys.stdin.buffer.read()) if piped else source
    if piped and not given:
        raise SourceError("standard input named no files: pipe paths into it, one a line")
    if_interrupted(f"what is finished is kept in {out}: run the same command again to go on")
    with telling_default(out):
        report = run(given, out, model=model, options=EmbedOptions(**options))
    _print(report, out, model, as_json, verbose)
    return 1 if report.failed > report.remembered else 0


def _print(report: EmbedReport, out: Path, model: str | None, as_json: bool, verbose: bool) -> None:
    """The report on standard output as JSON, or on standard error for people."""
    warn(report.warnings)
    if report.left_out:
        names = ", ".join(f"{name} ({count:,})" for name, count in report.left_out.items())
        note(f"left out, as the system's own: {safe(names)}")
    if as_json:
        print_report(report)
        return
    shown = report.failures if verbose else report.failures[:_FAILURES_SHOWN]
    for failure in shown:
        note(f"failed: {safe(failure['path'])}: {safe(failure['reason'])} ({failure['stage']})")
    if len(report.failures) > len(shown):
        note(f"… and {len(report.failures) - len(shown)} more: musicu failures {out}")
    note(_sentence(report, out, model))


def _sentence(report: EmbedReport, out: Path, model: str | None) -> str:
    """The report in a line."""
    verb = "embedded" if model else "scanned"
    done = report.embedded if model else report.tracks - report.known - report.failed
    parts = [counted(report.tracks, "track")]
    if done or report.failed:
        parts.append(f"{done} {verb}")
    parts += told(
        (report.described, "described"),
        (report.reused if model else 0, "known by their sound"),
        (report.updated if model else 0, "read again, of the same sound"),
        (report.known, "unchanged"),
        (report.incomplete, "read only in part"),
        (report.gone, "gone"),
        (report.pruned, "pruned"),
        (report.unreachable, "out of reach, and kept"),
    )
    end = ["nothing to do"] if report.known == report.tracks else []
    return sentence_of(out, report, parts, end)
