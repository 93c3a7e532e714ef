"""`musicu evaluate candidates`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.findings import print_findings
from musicu.cli.options import BOOTSTRAP, CATALOG, EXISTING, FOLDER, PATH, QUIET, SEED, page_of
from musicu.cli.output import note, print_result, write_page
from musicu.evaluation.recommendation import (
    BASELINES,
    SPLITS,
    Protocol,
    evaluate_candidates,
    make_split,
    write_training_part,
)
from musicu.ingest.table import read_table
from musicu.items.creator_groups import given_groups


@click.command("candidates")
@CATALOG
@click.option(
    "--listens",
    required=True,
    type=EXISTING,
    help="Listening history, Parquet or CSV: user_id, track_id and optionally timestamp and "
    "weight. Or playlists: playlist_id and track_id, or one row per playlist with a list of "
    "tracks.",
)
@click.option(
    "--split", type=click.Choice(SPLITS), default="time", help="What is held out for testing."
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Hold out listens (time) or releases (new-releases) from this day on.",
)
@click.option("--share", default=0.2, help="Share that is held out if --at is not given.")
@click.option(
    "--among",
    type=click.Choice(["new", "all"]),
    default="new",
    help="Which tracks are ranked: the new ones only, or all (new-releases and new-tracks splits).",
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="A model of the catalog; repeat for several. Default: all.",
)
@click.option(
    "--candidates",
    "files",
    multiple=True,
    type=EXISTING,
    help="Candidates of another system, made from the training part: user_id, track_id, "
    "score; repeat for several.",
)
@click.option("--encoder", is_flag=True, help="Also train a track encoder on the training part.")
@click.option(
    "--content",
    help="Features for the content baselines: a model, tags, or numbers (the numeric "
    "columns of the tracks).",
)
@click.option(
    "--baseline",
    "against",
    multiple=True,
    type=click.Choice(BASELINES),
    help="A baseline to compare with; repeat for several. Default: all.",
)
@click.option(
    "-k",
    "ks",
    multiple=True,
    type=int,
    help="Length of the lists; repeat for several. Default: 10 and 20.",
)
@click.option(
    "--listeners", type=int, help="Number of test listeners, sampled at random. Default: all."
)
@click.option(
    "--creators",
    metavar="COLUMN|FILE",
    help="Groups of creators to compare shares of, beside those by popularity: a column of the "
    "tracks, emerging, release-age, or a table of track_id and a group.",
)
@click.option(
    "--listener-groups",
    type=EXISTING,
    help="A table of user_id and columns whose values are groups of listeners to report apart.",
)
@BOOTSTRAP
@SEED
@click.option(
    "--training-part",
    type=FOLDER,
    help="Write the training part, the test listeners and the candidate tracks to this "
    "folder, and stop.",
)
@click.option(
    "--html", type=PATH, callback=page_of("recommendation-report"), help="Write a report page."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@QUIET
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
    creators: str | None,
    listener_groups: Path | None,
    training_part: Path | None,
    html: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure candidates for listeners on CATALOG against what they listened to later.

    \b
    Example: musicu evaluate candidates catalog --listens listens.parquet --split new-releases

    Every model is trained on the training part only and ranks all candidate tracks. Every number
    has a 95 % interval and a paired difference from each baseline.

    To measure another system: write the training part with --training-part DIR, make candidates
    from DIR/listens.parquet, and pass them with --candidates and the same options.
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
        creators=None if creators is None else given_groups(creators),
        listener_groups=listener_groups,
    )
    print_result(found, as_json, print_findings)
    write_page(found, html)
