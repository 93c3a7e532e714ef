"""`musicu similar`, and the options that say which tracks may be found."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.catalog import Catalog
from musicu.cli.output import note, print_json, print_table
from musicu.retrieval import find_track, label, where_options

_WHERE_OPTIONS = [
    click.option("--released-after", metavar="DATE", help="Released on that day or later."),
    click.option("--released-before", metavar="DATE", help="Released before that day."),
    click.option("--genre", multiple=True, help="Of this genre; repeat for alternatives."),
    click.option("--artist", multiple=True, help="By this artist; repeat for alternatives."),
    click.option("--album", multiple=True, help="On this album."),
    click.option("--label", multiple=True, help="On this label."),
    click.option("--language", multiple=True, help="Sung in this language."),
    click.option("--market", multiple=True, help="To be had in this market."),
    click.option("--min-popularity", type=float, help="At least this popular."),
    click.option("--max-popularity", type=float, help="At most this popular."),
    click.option("--min-duration", type=float, metavar="SECONDS", help="At least this long."),
    click.option("--max-duration", type=float, metavar="SECONDS", help="At most this long."),
    click.option(
        "--where",
        metavar="TEXT",
        help='A condition on any column: "bpm_tag between 120 and 128 and genres = jazz".',
    ),
]


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which tracks may be found; they arrive as one: `where`."""
    names: list[str] = []

    @functools.wraps(command)
    def collected(**options: Any) -> Any:
        where = where_options(**{name: options.pop(name) for name in names})
        return command(where=where, **options)

    decorated: Callable[..., Any] = collected
    for decorate in reversed(_WHERE_OPTIONS):
        decorated = decorate(decorated)
        names.append(decorated.__click_params__[-1].name)  # type: ignore[attr-defined]
    return decorated


_CATALOG = click.argument("catalog", type=click.Path(path_type=Path))
MODEL = click.option("-m", "--model", help="Whose vectors; those last added unless told otherwise.")


@click.command()
@filters
@_CATALOG
@click.argument("tracks", nargs=-1, required=True, metavar="TRACK...")
@click.option("-k", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@MODEL
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def similar(
    catalog: Path, tracks: tuple[str, ...], k: int, model: str | None, where: Any, as_json: bool
) -> None:
    """List the tracks of CATALOG that sound nearest to each TRACK.

    A TRACK is an id, a path, or words such as "Artist - Title".
    """
    opened = Catalog.open(catalog)
    everything = opened.tracks()
    seeds = [find_track(everything, words) for words in tracks]
    found = opened.similar(seeds, k=k, where=where, model=model)
    if as_json:
        for row in found.to_pylist():
            print_json(row)
        return
    for seed in seeds:
        note(f"nearest to {label(opened.track(seed))}:")
        _print_hits(found.filter(pc.equal(found["query_id"], seed)))


def _print_hits(found: pa.Table) -> None:
    """What was found for one track, for people."""
    columns = ["", "title", "artist", "album", "score", "id"]
    rows = [
        [row["rank"], _title(row), row["artists"], row["album"], row["score"], row["track_id"]]
        for row in found.to_pylist()
    ]
    if rows:
        print_table(columns, rows)
    else:
        note("no track meets the conditions")


def _title(row: dict[str, Any]) -> str:
    """A track's title, else its path."""
    return row["title"] or row["path"] or ""
