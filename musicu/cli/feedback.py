"""`musicu feedback`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from musicu.cli.options import CATALOG, EXISTING, FOLDER
from musicu.cli.output import note, warn
from musicu.records import counted


@click.group()
def feedback() -> None:
    """Keep what listeners were shown, and what they did with it.

    \b
    Example: musicu feedback export catalog -o feedback
    """


@feedback.command("import")
@CATALOG
@click.argument("files", nargs=-1, required=True, type=EXISTING, metavar="FILE...")
@click.option("--key", type=EXISTING, help="File with the key of the listeners' pseudonyms.")
def import_(catalog: Path, files: tuple[Path, ...], key: Path | None) -> None:
    """Add tables of exposures, outcomes, impressions or listens to CATALOG.

    \b
    Example: musicu feedback import catalog listens.parquet

    Rows that are there already are not added again; rows that cannot be read or joined are counted.
    """
    from musicu.catalog.catalog import Catalog
    from musicu.listening.feedback.feedback_import import import_feedback
    from musicu.listening.pseudonyms import KEY_FILE, listener_key

    opened = Catalog.open(catalog)
    secret = listener_key(key or opened.path / KEY_FILE)
    done = import_feedback(files, opened.path, opened.tracks()["track_id"].to_pylist(), secret)
    warn(done.notes())
    note(f"added: {done.exposures:,} exposures, {done.outcomes:,} outcomes")


@feedback.command()
@CATALOG
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="Keep the last so many days.",
)
def expire(catalog: Path, days: float) -> None:
    """Remove exposures and outcomes that are older than some days; their files are written again.

    \b
    Example: musicu feedback expire catalog --days 365
    """
    from musicu.catalog.catalog import Catalog
    from musicu.listening.feedback.feedback_log import FeedbackLog

    with FeedbackLog(Catalog.open(catalog)) as log:
        note(f"removed: {counted(log.expire(days), 'row')}")


@feedback.command()
@CATALOG
@click.option("-o", "--out", type=FOLDER, required=True, help="The folder to write to.")
def export(catalog: Path, out: Path) -> None:
    """Write exposures.parquet and outcomes.parquet.

    \b
    Example: musicu feedback export catalog -o feedback
    """
    import pyarrow.parquet as pq

    from musicu.catalog.catalog import Catalog
    from musicu.catalog.files import write_atomically
    from musicu.listening.feedback.feedback_log import read

    path = Catalog.open(catalog).path
    for name in ("exposures", "outcomes"):
        table = read(path, name)
        write_atomically(out / f"{name}.parquet", partial(pq.write_table, table))
        note(f"{out / name}.parquet: {table.num_rows:,} rows")
