"""`musicu evaluate policy`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from musicu.cli.options import EXISTING, SEED
from musicu.cli.output import print_json, print_text, warn


@click.command("policy")
@click.argument("log", type=EXISTING)
@click.option(
    "--policy",
    "name",
    required=True,
    metavar="NAME|FILE",
    help="A policy (item-thompson, linear-thompson, squarecb, epsilon-greedy, random, given, or "
    "one of an installed package), or a table of action probabilities with one row per round.",
)
@click.option(
    "--estimator",
    default="dr",
    help="The estimator: dm, ips, snips, dr, sndr, switch-dr or dros.",
)
@click.option("--segment", metavar="COLUMN", help="The listener segment that the policy may read.")
@click.option(
    "--cluster",
    metavar="COLUMN",
    help="Rows to resample together for the interval, such as user_id.",
)
@click.option(
    "--trained",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.5,
    help="Share of the rounds, the first ones, that the policy learns from.",
)
@SEED
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def policy(log: Path, name: str, as_json: bool, **options: Any) -> None:
    """Estimate what a policy would have earned, from the LOG of another policy.

    \b
    Example: musicu evaluate policy results.csv --policy item-thompson

    LOG has columns action, reward and propensity (how likely the action was), in order of time.
    The policy learns from the first rounds and is estimated on the rest, with a 95 % interval.
    Warnings say why a log cannot tell.
    """
    from musicu.evaluation.off_policy.policy_evaluation import evaluate_policy
    from musicu.ingest.table import read_table

    wanted: Any = read_table(Path(name)) if Path(name).suffix else name
    found = evaluate_policy(read_table(log), wanted, **options)
    value = found.estimate
    if as_json:
        print_json({**asdict(found), "reliable": value.reliable})
        return
    print_text(
        f"{found.policy}: {value.value:.4g} [{value.low:.4g}, {value.high:.4g}] a round by "
        f"{value.estimator}; the log earned {found.logged:.4g}"
    )
    print_text(
        f"{value.rounds:,} rounds, effective sample {value.effective_sample_size:,.0f}, largest "
        f"weight {value.largest_weight:.3g}, support {value.support:.1%}"
    )
    warn(value.warnings)
