"""`musicu similar`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.catalog import Catalog
from musicu.cli.options import AS_JSON, CATALOG, COUNT, MODEL, filters
from musicu.cli.output import note, print_lines, print_table
from musicu.retrieval import find_track, label


@click.command()
@filters
@CATALOG
@click.argument("tracks", nargs=-1, required=True, metavar="TRACK...")
@click.option("-k", type=COUNT, default=20, help="Number of tracks to list for each TRACK.")
@click.option(
    "--no-versions",
    is_flag=True,
    help="Leave out copies and versions of the TRACK itself: remasters, single versions.",
)
@click.option(
    "--index",
    default="exact",
    metavar="NAME",
    help="The index that searches: exact, or one of an installed package.",
)
@MODEL
@AS_JSON
def similar(
    catalog: Path,
    tracks: tuple[str, ...],
    k: int,
    no_versions: bool,
    index: str,
    model: str | None,
    where: Any,
    as_json: bool,
) -> None:
    """List the tracks of CATALOG that are most similar to each TRACK.

    \b
    Example: musicu similar catalog "Artist - Title" -k 10 --genre jazz

    A TRACK is an id, a path, or words such as "Artist - Title". Copies and versions of the TRACK
    itself are marked "same work".
    """
    opened = Catalog.open(catalog)
    everything = opened.tracks()
    seeds = [find_track(everything, words) for words in tracks]
    found = opened.similar(
        seeds, k=k, where=where, model=model, versions=not no_versions, index=index
    )
    if as_json:
        print_lines(found.to_pylist())
        return
    for seed in seeds:
        note(f"nearest to {label(opened.track(seed))}:")
        _print_hits(found.filter(pc.equal(found["query_id"], seed)))


def _print_hits(found: pa.Table) -> None:
    """What was found for one track, for people."""
    shown = ("rank", "title", "artists", "album", "score", "track_id")
    rows = [{**row, "title": row["title"] or row["path"] or ""} for row in found.to_pylist()]
    if rows:
        heads = ["", "title", "artist", "album", "score", "id", ""]
        marks = ["same work" if row["same_work"] else None for row in rows]
        table = [[*(row[n] for n in shown), m] for row, m in zip(rows, marks, strict=True)]
        kept = len(heads) if any(marks) else -1
        print_table(heads[:kept], [row[:kept] for row in table])
    else:
        note("no track meets the conditions")
