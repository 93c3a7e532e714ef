"""`musicu evaluate candidates`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.findings import print_findings
from musicu.cli.options import BOOTSTRAP, CATALOG, EXISTING, FOLDER, PATH, SEED, page_of
from musicu.cli.output import note, print_document
from musicu.evaluation.recommendation import (
    BASELINES,
    SPLITS,
    Findings,
    Protocol,
    evaluate_candidates,
    make_split,
    write_training_part,
)
from musicu.ingest.table import read_table


@click.command("candidates")
@CATALOG
@click.option(
    "--listens",
    required=True,
    type=EXISTING,
    help="Who heard what, Parquet or CSV: user_id, track_id, and timestamp and weight where known; "
    "or playlists: playlist_id and track_id, or a list of tracks in a row.",
)
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="time",
    show_default=True,
    help="What is held out and asked for.",
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day from which listens (time) or releases (new-releases) are asked for.",
)
@click.option("--share", default=0.2, show_default=True, help="How much is held out without --at.")
@click.option(
    "--among",
    type=click.Choice(["new", "all"]),
    default="new",
    show_default=True,
    help="Rank new tracks alone, or between all others (splits by newness).",
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="A model whose vectors the catalog holds; repeat. All unless told otherwise.",
)
@click.option(
    "--candidates",
    "files",
    multiple=True,
    type=EXISTING,
    help="Lists that anyone made from the training part: user_id, track_id, score; repeat.",
)
@click.option("--encoder", is_flag=True, help="Also fit a track encoder on the training part.")
@click.option(
    "--content",
    help="What the content baselines compare: a model, tags, or numbers (the table's columns).",
)
@click.option(
    "--baseline",
    "against",
    multiple=True,
    type=click.Choice(BASELINES),
    help="Compare with; repeat. All unless told otherwise.",
)
@click.option(
    "-k", "ks", multiple=True, type=int, help="Lengths of lists; repeat. [default: 10, 20]"
)
@click.option("--listeners", type=int, help="Ask at most so many, drawn at random.")
@BOOTSTRAP
@SEED
@click.option(
    "--training-part",
    type=FOLDER,
    help="Write the training part, the listeners asked and the candidates here, and stop.",
)
@click.option(
    "--html", type=PATH, callback=page_of("recommendation-report"), help="Write a report page."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def candidates(
    catalog: Path,
    listens: Path,
    at: datetime | None,
    models: tuple[str, ...],
    files: tuple[Path, ...],
    encoder: bool,
    content: str | None,
    against: tuple[str, ...],
    ks: tuple[int, ...],
    training_part: Path | None,
    html: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure candidates for listeners on CATALOG, by who went on to hear what.

    Every model is fitted on the training part alone and ranks every candidate. Each number comes
    with a 95 % interval and its paired difference from each baseline.

    To have lists of your own measured: write the training part with --training-part DIR, make
    candidates from DIR/listens.parquet, and pass them with --candidates and the same options.
    """
    protocol = Protocol(at=at.date() if at else None, ks=ks or Protocol().ks, **settings)
    opened, table = Catalog.open(catalog), read_table(listens)
    if training_part:
        split = make_split(opened.tracks(), table, protocol)
        for path in write_training_part(split, training_part):
            note(f"written: {path}")
        return
    found = evaluate_candidates(
        opened,
        table,
        protocol,
        models=models or None,
        lists={path.stem: read_table(path) for path in files},
        encoder=encoder,
        content=content,
        against=against or BASELINES,
        progress=note,
    )
    _show(found, as_json)
    if html:
        found.to_html(html)
        note(f"page: {html}")


def _show(found: Findings, as_json: bool) -> None:
    if as_json:
        print_document(found.to_json())
    else:
        print_findings(found)
    for text in found.notes:
        note(f"note: {text}")
