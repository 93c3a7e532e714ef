"""`musicu join`."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from musicu.cli.options import AS_JSON, CATALOG, EXISTING, PATH, QUIET, Command
from musicu.cli.output import note, warn

_FORMATS = {
    "musicbrainz": "MusicBrainz: canonical_musicbrainz_data.csv, canonical_recording_redirect.csv, "
    "or JSON dumps of recordings and releases.",
    "listenbrainz": "ListenBrainz: a dump of listens, statistics or popularity.",
    "discogs": "Discogs: discogs_DATE_releases.xml.gz.",
    "jamendo": "Jamendo: tables of the MTG-Jamendo dataset.",
    "fma": "Free Music Archive: raw_tracks.csv or a part of it.",
}


def _of_formats(command: Command) -> Command:
    for name, text in reversed(_FORMATS.items()):
        command = click.option(
            f"--{name}", multiple=True, type=EXISTING, metavar="FILE", help=text
        )(command)
    return command


@click.command()
@CATALOG
@_of_formats
@click.option(
    "--table",
    multiple=True,
    type=EXISTING,
    metavar="FILE",
    help="Any other table: CSV, TSV, JSON lines or Parquet.",
)
@click.option(
    "--columns",
    metavar="NAME=COLUMN,...",
    default="",
    help="What the columns of --table mean: id, mbid, isrc, title, artist, album, duration, date, "
    "popularity, genres, label, or a name of your own. Default: columns with common names.",
)
@click.option(
    "--name", default="table", help="The source's name for --table; its columns begin with it."
)
@click.option(
    "--date",
    "day",
    metavar="DATE",
    help="Date of the --table files. Default: that in their names, else of the files themselves.",
)
@click.option(
    "--other",
    multiple=True,
    nargs=2,
    type=(str, EXISTING),
    metavar="FORMAT FILE",
    help="A file of a format that an installed package adds.",
)
@click.option("--ids-only", is_flag=True, help="Match by ids and ISRCs only, not by names.")
@click.option(
    "--damaged",
    type=PATH,
    metavar="FILE",
    help="Write every row that could not be used to this CSV file.",
)
@AS_JSON
@QUIET
def join(
    catalog: Path,
    table: tuple[Path, ...],
    columns: str,
    name: str,
    day: str | None,
    other: tuple[tuple[str, Path], ...],
    ids_only: bool,
    damaged: Path | None,
    as_json: bool,
    **formats: tuple[Path, ...],
) -> None:
    """Match dumps and tables of others to a catalog: popularity, dates, labels, genres, ids.

    \b
    Example: musicu join catalog --table charts.csv --columns isrc=ISRC,popularity=Plays

    Nothing is downloaded: you give the files, packed as they come (.gz, .bz2, .xz, .zst, .tar).
    Recordings are found by id, then ISRC, then names and length. Damaged rows are counted and left
    out. Release dates and popularity then serve candidates and shelves where tags have none.
    """
    from musicu.joining.join_run import JoinInput
    from musicu.joining.join_run import join as run

    inputs = [JoinInput(source, source, files) for source, files in formats.items() if files]
    for source in dict.fromkeys(format_name for format_name, _ in other):
        inputs.append(
            JoinInput(source.replace("-", "_"), source, [f for n, f in other if n == source])
        )
    if table:
        inputs.append(JoinInput(name, "table", table, _mapping(columns), _day(day)))
    elif columns or day:
        raise click.UsageError("--columns and --date are about --table: name its file")
    for report in run(catalog, inputs, by_names=not ids_only, damaged=damaged):
        warn(report.notes.warnings())
        if as_json:
            told = {"source": report.source, "rows": report.rows, "tracks": report.tracks}
            told |= {
                "matched": report.matched,
                "values": report.values,
                "distrusted_isrcs": report.distrusted,
            }
            click.echo(json.dumps({**told, "damaged": dict(report.notes.damaged)}))
        else:
            click.echo(report.summary())
            known = ", ".join(f"{column} {count:,}" for column, count in report.values.items())
            click.echo(f"  known now: {known}" if known else "  nothing is known of any track")
    if damaged is not None:
        note(f"damaged rows: {damaged}")


def _mapping(text: str) -> dict[str, str]:
    found = {}
    for pair in filter(None, text.split(",")):
        ours, mark, theirs = pair.partition("=")
        if not mark or not ours.strip() or not theirs.strip():
            raise click.BadParameter(f"{pair!r} is not like title=Song", param_hint="--columns")
        found[ours.strip()] = theirs.strip()
    return found


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not like 2026-05-31", param_hint="--date") from None
