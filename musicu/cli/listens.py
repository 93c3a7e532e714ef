"""`musicu listens`."""

from __future__ import annotations

from pathlib import Path

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.options import PATH, QUIET
from musicu.cli.output import note, warn


@click.command()
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@click.option("--catalog", required=True, type=PATH, help="The catalog to match listens to.")
@click.option(
    "-o", "--out", required=True, type=PATH, metavar="FILE", help="The Parquet file to write."
)
@click.option(
    "--user", help="The listener's name, for an export that does not contain one. Default: me."
)
@click.option(
    "--unmatched",
    type=PATH,
    metavar="FILE",
    help="Write listens that match no track to this CSV file.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=COLUMN",
    help="Name a column of your table, such as title=Song; repeat for several. Common names "
    "are recognised.",
)
@click.option(
    "--dates",
    type=click.Choice(["day-first", "month-first"]),
    help="How to read dates such as 05/06/2024 if their column is ambiguous.",
)
@click.option(
    "--key",
    type=PATH,
    metavar="FILE",
    help="File with the key of the listeners' pseudonyms. Default: listener.key in the "
    "catalog. The environment variable MUSICU_LISTENER_KEY overrides that file.",
)
@QUIET
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
    """Read listening histories and playlists, match them to a catalog, and write one table.

    \b
    Example: musicu listens history.zip --catalog catalog -o listens.parquet

    FILE: a CSV, TSV or Parquet table; an export of ListenBrainz, Spotify, Apple Music, YouTube
    Music, Deezer, Tidal, Exportify, Rockbox or a Last.fm tool, as a file, ZIP or folder; or an
    M3U, XSPF or JSPF playlist. Listeners get pseudonyms: names are not stored, and `--user NAME`
    of other commands finds a listener as long as the key exists.
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
    warn(done.notes.warnings())
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
