"""`musicu evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.options import BOOTSTRAP, CATALOG, COUNT, PATH, QUIET, SEED, page_of
from musicu.cli.output import print_result, write_page
from musicu.evaluation.vectors.vector_evaluation import BASELINES, PROTOCOLS
from musicu.evaluation.vectors.vector_evaluation import evaluate as measure


class _Evaluate(click.Command):
    """`musicu evaluate CATALOG`, which hands over to what else the first word names."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        if args[:1] == ["policy"]:
            from musicu.cli.evaluate_policy import policy

            return policy.make_context(f"{info_name} policy", args[1:], parent, **extra)
        if args[:1] != ["candidates"]:
            return super().make_context(info_name, args, parent, **extra)
        from musicu.cli.evaluate_candidates import candidates

        return candidates.make_context(f"{info_name} candidates", args[1:], parent, **extra)


@click.command(cls=_Evaluate)
@CATALOG
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="A model to measure, by name or folder; repeat for several. Default: all models of "
    "the catalog.",
)
@click.option(
    "-p",
    "--protocol",
    "protocols",
    multiple=True,
    type=click.Choice(PROTOCOLS),
    help="A protocol to run; repeat for several. Default: all.",
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    help=f"A model to compare with; repeat for several. Default: {' and '.join(BASELINES)}.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    help="A column that the probes predict; repeat for several. Default: genre.",
)
@click.option(
    "--sample", type=COUNT, default=50, help="Recordings sampled for the robustness protocol."
)
@BOOTSTRAP
@SEED
@click.option("--html", type=PATH, callback=page_of("vector-report"), help="Write a report page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@QUIET
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
    """Measure how well models agree with the tags of CATALOG.

    \b
    Example: musicu evaluate catalog --model musicu-audio-v2 --html report.html

    Every number has a 95 % interval and a paired difference from each baseline.

    For recommendations see `musicu evaluate candidates --help`, for policies `musicu evaluate
    policy --help`. (Write `./candidates` for a catalog of that name.)
    """
    from musicu.cli.findings import print_evaluation

    found = measure(
        Catalog.open(catalog),
        list(models) or None,
        protocols=protocols or PROTOCOLS,
        baselines=baselines or BASELINES,
        columns=columns or ("genre",),
        **settings,
    )
    print_result(found, as_json, print_evaluation)
    write_page(found, html)
