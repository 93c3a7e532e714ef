"""`musicu listens`."""

from __future__ import annotations

from pathlib import Path

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.options import PATH
from musicu.cli.output import note, safe


@click.command()
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@click.option("--catalog", required=True, type=PATH, help="Whose tracks were listened to.")
@click.option("-o", "--out", required=True, type=PATH, metavar="FILE", help="Write Parquet.")
@click.option("--user", help="Whose an export of one person is; me unless told otherwise.")
@click.option("--unmatched", type=PATH, metavar="FILE", help="Write what fits no track, as CSV.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=COLUMN",
    help="Which column of a table means what: title=Song. Usual names are known.",
)
@click.option(
    "--dates",
    type=click.Choice(["day-first", "month-first"]),
    help="What 05/06/2024 means, where the dates of a column do not tell.",
)
@click.option(
    "--key",
    type=PATH,
    metavar="FILE",
    help="The key of the listeners' pseudonyms; listener.key in the catalog unless told otherwise. "
    "The environment's MUSICU_LISTENER_KEY goes before it.",
)
def listens(
    files: tuple[Path, ...],
    catalog: Path,
    out: Path,
    user: str | None,
    unmatched: Path | None,
    columns: tuple[str, ...],
    dates: str | None,
    key: Path | None,
) -> None:
    """Read who listened to what, from each FILE, into one table for `musicu candidates`.

    FILE: CSV, TSV or Parquet; the export of ListenBrainz, Spotify, Apple Music, YouTube Music,
    Deezer, Tidal, Exportify, Rockbox or a Last.fm tool, as it is, as ZIP or folder; a playlist as
    M3U, XSPF or JSPF. Listeners get pseudonyms: their names are not stored, and `--user NAME` of
    other commands finds them as long as the key is there.
    """
    from musicu.listening.importing import import_listens, write_unmatched
    from musicu.listening.pseudonyms import KEY_FILE, listener_key

    mapping = dict(_pair(text) for text in columns)
    opened = Catalog.open(catalog)
    secret = listener_key(key or opened.path / KEY_FILE)
    day_first = None if dates is None else dates == "day-first"
    done = import_listens(
        files, opened.tracks(), out, secret, user=user, columns=mapping, day_first=day_first
    )
    for warning in done.notes.warnings():
        note(f"warning: {safe(warning)}")
    if done.notes.doubts:
        note("those listens are undated: --dates day-first or month-first tells what they mean")
    note(f"{out}: {done.summary()}")
    if unmatched is not None:
        write_unmatched(done, unmatched)
        note(f"unmatched: {unmatched}")


def _pair(text: str) -> tuple[str, str]:
    name, mark, column = text.partition("=")
    if not mark or not column:
        raise click.BadParameter(f"{text!r} is not like title=Song", param_hint="--column")
    return name, column
