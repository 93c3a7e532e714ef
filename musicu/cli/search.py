"""`musicu similar`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.catalog import Catalog
from musicu.cli.options import AS_JSON, CATALOG, MODEL, filters
from musicu.cli.output import note, print_json, print_table
from musicu.retrieval import find_track, label


@click.command()
@filters
@CATALOG
@click.argument("tracks", nargs=-1, required=True, metavar="TRACK...")
@click.option(
    "-k",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Number of tracks to list for each TRACK.",
)
@MODEL
@AS_JSON
def similar(
    catalog: Path, tracks: tuple[str, ...], k: int, model: str | None, where: Any, as_json: bool
) -> None:
    """List the tracks of CATALOG that are most similar to each TRACK.

    \b
    Example: musicu similar catalog "Artist - Title" -k 10 --genre jazz

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
