"""`musicu evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.output import note, print_table
from musicu.evaluation.run import BASELINES, PROTOCOLS
from musicu.evaluation.run import evaluate as measure


@click.command()
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="A model to measure, a name or a folder; repeat for several. All of the catalog's "
    "unless told otherwise.",
)
@click.option(
    "-p",
    "--protocol",
    "protocols",
    multiple=True,
    type=click.Choice(PROTOCOLS),
    help="What to measure; repeat for several. Everything unless told otherwise.",
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    help=f"A model to compare with; repeat. {' and '.join(BASELINES)} unless told otherwise.",
)
@click.option("--column", "columns", multiple=True, help="What the probes predict: genre.")
@click.option("--sample", default=50, show_default=True, help="Recordings heard for robustness.")
@click.option("--bootstrap", default=1000, show_default=True, help="Draws for the intervals.")
@click.option("--seed", default=0, show_default=True, help="Of everything random.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a report page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(
    catalog: Path,
    models: tuple[str, ...],
    protocols: tuple[str, ...],
    baselines: tuple[str, ...],
    columns: tuple[str, ...],
    html: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure models on CATALOG, by the labels that its tags hold.

    Every number comes with a 95 % interval and its paired difference from each baseline.
    """
    found = measure(
        Catalog.open(catalog),
        list(models) or None,
        protocols=protocols or PROTOCOLS,
        baselines=baselines or BASELINES,
        columns=columns or ("genre",),
        progress=note,
        **settings,
    )
    if as_json:
        click.echo(found.to_json())
    else:
        print_table(["protocol", "metric", "model", "value", "95 %", "against", ""], _rows(found))
    for text in found.notes:
        note(f"note: {text}")
    if html:
        found.to_html(html)
        note(f"page: {html}")


def _rows(found: Any) -> list[list[object]]:
    """The table for people: what could be measured, an interval in a cell."""
    return [
        [
            row["protocol"],
            row["metric"],
            row["model"],
            row["value"],
            _interval(row["low"], row["high"]),
            row["baseline"],
            _interval(row["diff_low"], row["diff_high"]),
        ]
        for row in found.to_table().to_pylist()
        if row["value"] is not None
    ]


def _interval(low: float | None, high: float | None) -> str | None:
    """An interval as text."""
    return None if low is None or high is None else f"[{low:.3f}, {high:.3f}]"
