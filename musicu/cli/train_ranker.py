"""`musicu train ranker`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musicu.cli.listeners import heard_by
from musicu.cli.options import AS_JSON, CATALOG, EXISTING, MODEL, SEED
from musicu.cli.output import note, print_json, print_table, warn
from musicu.cli.training_record import keep_record


@click.command("ranker")
@CATALOG
@click.option(
    "--listens",
    type=EXISTING,
    help="What the listeners heard: a table of user_id, track_id and timestamp, as `musicu "
    "listens` writes it. Default: the plays in CATALOG's feedback.",
)
@click.option(
    "--exposures",
    type=EXISTING,
    help="A table of exposures. Default: CATALOG's feedback.",
)
@click.option(
    "--outcomes",
    type=EXISTING,
    help="A table of outcomes. Default: CATALOG's feedback.",
)
@click.option(
    "--rewards",
    type=EXISTING,
    help="A TOML file of reward terms. Default: musicu's own terms.",
)
@click.option(
    "--kind",
    type=click.Choice(("auto", "trees", "linear")),
    default="auto",
    help="The model: trees (LambdaRank, needs `musicu[rank]`) or linear. auto takes trees if "
    "they are installed.",
)
@MODEL
@SEED
@AS_JSON
def ranker(
    catalog: Path,
    listens: Path | None,
    exposures: Path | None,
    outcomes: Path | None,
    rewards: Path | None,
    kind: str,
    model: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Train rankers of tracks and shelves on what listeners were shown and did.

    \b
    Example: musicu train ranker catalog --listens listens.parquet

    Three ways to treat position bias are compared on the latest quarter of the pages: to ignore
    it, to learn from the position, and to weight rewards by how likely their place is looked at.
    The best one is kept in CATALOG for `--ranker learned` and `--page-ranker learned`. If none is
    clearly better than the order by taste, that order stays.
    """
    from musicu.catalog.catalog import Catalog
    from musicu.ingest.arrow_tables import as_table
    from musicu.items.item_table import ItemTable
    from musicu.listening.feedback.feedback_log import read
    from musicu.ranking.ranker_storage import catalog_features, store_ranker
    from musicu.ranking.ranker_training import examination_of, train_ranker
    from musicu.rewards import reward_terms
    from musicu.shelves.learned_page_ranker import store_page_ranker, train_page_ranker

    opened = Catalog.open(catalog)
    shown: Any = read(opened, "exposures") if exposures is None else exposures
    done: Any = read(opened, "outcomes") if outcomes is None else outcomes
    terms = None if rewards is None else reward_terms(rewards)
    heard = None if listens is None else heard_by(listens, opened, None, None)
    items = ItemTable.of(opened, model)
    maker = catalog_features(opened, items)
    found = train_ranker(items, shown, done, heard, maker=maker, terms=terms, kind=kind, seed=seed)
    store_ranker(opened, found)
    examined = examination_of(found)
    page = train_page_ranker(items, shown, done, heard, terms=terms, examined=examined, seed=seed)
    store_page_ranker(opened, page)
    tables = [as_table(shown, "the exposures"), as_table(done, "the outcomes"), heard]
    people = {who for each in tables if each is not None for who in each["user_id"].to_pylist()}
    keep_record(opened, "ranker", people, model=model or opened.default_model)
    if as_json:
        shelves = {"note": page.note, **page.report}
        print_json({"note": found.note, **found.report, "page": shelves})
        return
    _tell(found)
    if "ndcg" in page.report:
        report = page.report
        note(f"shelves: NDCG@5 {report['ndcg']:.4f}, as shown {report['shown']:.4f}")
    if page.note:
        warn([page.note])
    else:
        note("order of shelves: use it with --page-ranker learned")


def _tell(found: Any) -> None:
    """What was measured and chosen, for people."""
    report = found.report
    note(
        f"lists: {report['lists']:,}, of which {report['rewarded']:,} earned something"
        + (f"; left out: {report['left_out']:,} exposures" if report["left_out"] else "")
    )
    if "ndcg" in report:
        chosen = {name: "chosen" if name == report["variant"] else "" for name in report["ndcg"]}
        rows = [[name, f"{value:.4f}", chosen[name]] for name, value in report["ndcg"].items()]
        rows += [[f"{name} order", f"{report[name]:.4f}", ""] for name in ("taste", "shown")]
        print_table(["order", "NDCG@10", ""], rows)
        note(f"measured on {report['held_out']:,} held-out lists by {report['measured_on']}")
        examined = report["examination"]
        if examined is None:
            note("nothing in the log tells how likely each place is looked at")
        else:
            slots = ", ".join(f"{value:.2f}" for value in examined["slots"][:10])
            note(f"places are looked at, by {examined['basis']}: {slots}")
        note(f"calibration error: {report['calibration_error']:.4f}")
    if found.note:
        warn([found.note])
    else:
        note("kept in the catalog; use it with --ranker learned")
