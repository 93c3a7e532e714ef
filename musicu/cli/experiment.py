"""`musicu experiment`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musicu.cli.options import COUNT, EXISTING, FILE, FOLDER, page_of
from musicu.cli.output import note, print_json, print_table, print_text
from musicu.errors import QueryError

if TYPE_CHECKING:
    from musicu.experiments import ByCreator, ExperimentReport, Metric, MetricResult
    from musicu.experiments.sequential import Design

_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
ALPHA = click.option("--alpha", type=_SHARE, default=0.05, help="Chance of a false positive.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")


@click.group()
def experiment() -> None:
    """Plan, assign and analyse controlled experiments.

    \b
    Example: musicu experiment analyse results.csv --metric saves -o report.html
    """


@experiment.command()
@click.option("--mean", type=float, required=True, help="The metric's mean today.")
@click.option("--deviation", type=float, required=True, help="Its standard deviation over units.")
@click.option(
    "--lift", type=float, required=True, help="Smallest relative difference to find, such as 0.02."
)
@click.option("--power", type=_SHARE, default=0.8, help="Chance to find it if it is there.")
@ALPHA
@click.option("--looks", type=COUNT, default=1, help="Planned looks (group-sequential if several).")
@click.option(
    "--variance-removed",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Share of the variance that a covariate takes away.",
)
@click.option("--units-per-day", type=float, help="New units a day, all arms together.")
@AS_JSON
def plan(as_json: bool, **options: Any) -> None:
    """Print how many units two equal arms need, and how many days that takes.

    \b
    Example: musicu experiment plan --mean 0.2 --deviation 0.4 --lift 0.02 --units-per-day 5000
    """
    from musicu.experiments import plan as planned

    found = planned(**options)
    if as_json:
        print_json(asdict(found))
        return
    print_text(f"{found.units_per_arm:,} units in each of two arms")
    if found.days is not None:
        print_text(f"{found.days:,} days")
    print_text(
        f"to find a difference of {found.difference:.4g} ({found.lift:+.2%}) in "
        f"{found.power:.0%} of experiments, with {found.alpha:.2%} false positives"
    )


@experiment.command()
@click.argument("units", type=EXISTING)
@click.option("--name", required=True, help="The experiment's name, which salts the assignment.")
@click.option(
    "--arm", "arms", multiple=True, required=True, metavar="NAME=SHARE", help="Repeat for each arm."
)
@click.option("--unit", default="user_id", help="The column of UNITS that is assigned.")
@click.option("--layer", default="", help="Name of the layer of exclusive experiments.")
@click.option("--within", type=(float, float), default=(0.0, 1.0), help="The layer's range to use.")
@click.option("--holdout", type=float, default=0.0, help="Share that no experiment gets.")
@click.option("-o", "--out", type=FILE, required=True, help="The Parquet file to write.")
def assign(
    units: Path, name: str, arms: tuple[str, ...], unit: str, out: Path, **options: Any
) -> None:
    """Give each of the UNITS, a table, to an arm: always the same one for the same id and name.

    \b
    Example: musicu experiment assign users.csv --name mix --arm a=1 --arm b=1 -o arms.parquet
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from musicu.catalog.files import write_atomically
    from musicu.experiments import Assignment
    from musicu.ingest.table import read_table
    from musicu.listening.small_groups import shown_count

    table = read_table(units)
    if unit not in table.column_names:
        raise QueryError(f"{units} has no column {unit!r}: name one with --unit")
    ids = pc.unique(pc.drop_null(table[unit].cast(pa.string())))
    assigned = Assignment(name, dict(map(_arm, arms)), **options).assign(ids)
    result = pa.table({unit: ids, "arm": assigned})
    write_atomically(out, lambda file: pq.write_table(result, file))
    counts = pc.value_counts(assigned).to_pylist()
    rows = sorted((row["values"] or "in no arm", shown_count(row["counts"])) for row in counts)
    print_table(["arm", "units"], rows)
    note(f"arms: {out}")


@experiment.command()
@click.argument("table", type=EXISTING)
@click.option("--arm", default="arm", help="The column of arms.")
@click.option("--control", help='The arm to compare with. Default: "control", or the first.')
@click.option("--unit", help="The column of what was assigned; its rows are summed.")
@click.option(
    "-m", "--metric", "metrics", multiple=True, required=True, metavar="COLUMN[/COLUMN]",
    help="A column, or a ratio of two; repeat for several. The first decides.",
)  # fmt: skip
@click.option(
    "--guardrail", "guardrails", multiple=True, metavar="COLUMN[/COLUMN]=SHARE",
    help="A metric that may not get worse by this share; repeat for several.",
)  # fmt: skip
@click.option(
    "--lower-is-better", multiple=True, metavar="METRIC", help="Repeat for several metrics."
)
@click.option(
    "--covariate", "covariates", multiple=True, metavar="METRIC=COLUMN",
    help="The same quantity before the experiment (CUPED); repeat for several metrics.",
)  # fmt: skip
@click.option("--segment", "segments", multiple=True, help="A column to report apart.")
@click.option(
    "--activity",
    metavar="COLUMN",
    help="What listeners did before the experiment; reports new, light and heavy ones apart.",
)
@click.option(
    "--creators",
    metavar="COLUMN|FILE",
    help="Groups of creators whose shares of exposure and listening are reported: popularity, a "
    "column of TABLE or of --catalog's tracks, release-age, or a table of track_id and a group. "
    "Needs --unit.",
)
@click.option("--catalog", type=FOLDER, help="A catalog with the tracks that --creators is of.")
@click.option("--track", default="track_id", help="The column of track ids, for --creators.")
@click.option("--listening", metavar="COLUMN", help="What was listened to, for --creators.")
@click.option(
    "--share", "shares", multiple=True, metavar="ARM=SHARE", help="Planned share of an arm."
)
@click.option("--look", type=(int, int), metavar="DONE PLANNED", help="Group-sequential looks.")
@click.option("--anytime", is_flag=True, help="Anytime-valid intervals instead.")
@ALPHA
@click.option("-o", "--out", type=FILE, callback=page_of("experiment"), help="A page to write.")
@AS_JSON
def analyse(
    table: Path,
    metrics: tuple[str, ...],
    guardrails: tuple[str, ...],
    lower_is_better: tuple[str, ...],
    covariates: tuple[str, ...],
    shares: tuple[str, ...],
    look: tuple[int, int] | None,
    anytime: bool,
    creators: str | None,
    catalog: Path | None,
    track: str,
    listening: str | None,
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare the arms of the experiment in TABLE, a Parquet or CSV file, with intervals.

    \b
    Example: musicu experiment analyse results.csv --unit user_id -m skips/streams -o report.html
    """
    from musicu.experiments import analyse as analysed
    from musicu.experiments.decision import named_by_arm
    from musicu.experiments.experiment_page import write_report
    from musicu.ingest.table import read_table

    asked = _metrics(metrics, guardrails, lower_is_better, covariates)
    report = analysed(
        read_table(table),
        metrics=asked,
        shares=dict(map(_arm, shares)) or None,
        design=_design(look, anytime),
        creators=_creators(creators, catalog, track, listening),
        **options,
    )
    if out is not None:
        write_report(report, out, f"Experiment {table.stem}")
        note(f"page: {out}")
    if as_json:
        decisions = {arm: asdict(found) for arm, found in named_by_arm(report).items()}
        print_json({**report.to_dict(), "decisions": decisions})
        return
    print_table(
        ["arm", "metric", "control", "treatment", "difference", "95 %"
         if report.alpha == 0.05 else "interval", "lift", "p"],
        [
            [arm, name, *_numbers(r)]
            for arm, results in report.comparisons.items() for name, r in results.items()
        ],
    )  # fmt: skip
    _print_groups(report)
    for reason, count in report.left_out.items():
        note(f"left out: {count:,} {reason}")
    for reason, count in report.folded.items():
        note(f"together in one group, or not shown: {count:,} {reason}")
    for found in named_by_arm(report).values():
        print_text(found.words[0])


def _creators(
    by: str | None, catalog: Path | None, track: str, listening: str | None
) -> ByCreator | None:
    from musicu.catalog.catalog import Catalog
    from musicu.experiments import ByCreator
    from musicu.items.creator_groups import given_groups

    if by is None:
        if catalog is not None or listening is not None:
            raise click.UsageError("--catalog and --listening are of --creators: name groups there")
        return None
    tracks = None if catalog is None else Catalog.open(catalog).tracks()
    return ByCreator(by=given_groups(by), tracks=tracks, track=track, listening=listening)


def _print_groups(report: ExperimentReport) -> None:
    """The results by group of listeners and of creators, where any were asked for."""
    rows = [
        [s.arm, f"{s.segment}: {s.value}", name, *_numbers(s.result)]
        for s in report.segments
        for name in [s.result.metric.name]
    ] + [[c.arm, f"{c.by}: {c.group}", c.kind, *_numbers(c.result)] for c in report.creators]
    if rows:
        heads = ["arm", "group", "metric", "control", "treatment", "difference", "interval"]
        print_table([*heads, "lift", "p"], rows)


def _numbers(r: MetricResult) -> list[str]:
    """The cells of a result: both arms, difference, interval, lift, p-value."""
    return [
        f"{r.control:.4g}", f"{r.treatment:.4g}", f"{r.difference:+.4g}",
        f"[{r.low:+.4g}, {r.high:+.4g}]", f"{r.lift:+.2%}", f"{r.p_value:.2g}",
    ]  # fmt: skip


def _metrics(
    metrics: tuple[str, ...],
    guardrails: tuple[str, ...],
    lower_is_better: tuple[str, ...],
    covariates: tuple[str, ...],
) -> list[Metric]:
    from dataclasses import replace

    from musicu.experiments import Metric

    margins = dict(map(_arm, guardrails))
    before = dict(_pair(text, "METRIC=COLUMN") for text in covariates)
    names = [*metrics, *margins]
    unknown = [name for name in (*lower_is_better, *before) if name not in names]
    if unknown:
        raise QueryError(f"{unknown[0]!r} is none of the metrics: {', '.join(names)}")
    return [
        replace(
            Metric.parse(name),
            margin=margins.get(name),
            covariate=before.get(name),
            better="lower" if name in lower_is_better else "higher",
        )
        for name in names
    ]


def _design(look: tuple[int, int] | None, anytime: bool) -> Design | None:
    from musicu.experiments import AnytimeValid, GroupSequential

    if look is not None and anytime:
        raise click.UsageError("--look and --anytime are two designs: choose one")
    if look is not None:
        return GroupSequential.evenly(*look)
    return AnytimeValid() if anytime else None


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not equals or not name or not value:
        raise click.BadParameter(f"{text!r}: write {form}")
    return name, value


def _arm(text: str) -> tuple[str, float]:
    name, value = _pair(text, "NAME=SHARE")
    try:
        return name, float(value)
    except ValueError:
        raise click.BadParameter(f"{text!r}: {value!r} is no number") from None
