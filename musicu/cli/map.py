"""`musicu map`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.options import CATALOG, COUNT, MODEL, PATH, QUIET, audio_option, filters, page_of
from musicu.cli.output import note, print_json, print_table


@click.command()
@filters
@CATALOG
@click.option(
    "--html", type=PATH, callback=page_of("map"), help="Write a page: a file, or a folder for it."
)
@click.option("--table", type=PATH, help="Write the coordinates and regions as Parquet.")
@click.option(
    "--regions", type=COUNT, help="Number of regions. Default: sqrt(tracks / 6), from 3 to 24."
)
@click.option(
    "--projection",
    type=click.Choice(["tsne", "pca"]),
    default="tsne",
    help='tsne keeps neighbours together and needs `pip install "musicu[map]"`; pca needs '
    "nothing more.",
)
@click.option("--title", help="The page's title. Default: the name of the catalog's folder.")
@audio_option("relative", "absolute")
@MODEL
@click.option("--json", "as_json", is_flag=True, help="Print the regions as JSON.")
@QUIET
def map(
    catalog: Path,
    where: Any,
    html: Path | None,
    table: Path | None,
    regions: int | None,
    projection: Any,
    title: str | None,
    audio: Any,
    model: str | None,
    as_json: bool,
) -> None:
    """Draw CATALOG as an interactive map with named regions and audio.

    \b
    Example: musicu map catalog --html map

    Regions are clusters of similar tracks. Their names come from tags, or else from descriptors
    ("slow and dark"), so run `musicu describe` first. The page works offline: zoom, filter, play
    on hover, select tracks and save them as a playlist.
    """
    import pyarrow.parquet as pq

    from musicu.catalog.files import write_atomically
    from musicu.pages.document import page_file
    from musicu.shelves.map import draw_map, write_map
    from musicu.shelves.map.map_page import COLUMNS

    opened = Catalog.open(catalog)
    atlas = draw_map(opened, model=model, where=where, count=regions, method=projection)
    if as_json:
        print_json(atlas.document())
    else:
        rows = [[i + 1, r.name, r.tracks, r.middle] for i, r in enumerate(atlas.regions)]
        print_table(["", "region", "tracks", "middle"], rows)
    if table is not None:
        write_atomically(table, lambda to: pq.write_table(atlas.places, to))
        note(f"table: {table}")
    if html is not None:
        page = page_file(html)
        write_map(
            atlas, opened.columns(COLUMNS), page, title=title or catalog.resolve().name, audio=audio
        )
        note(f"page: {page}")
