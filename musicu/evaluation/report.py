"""The report page: one file that stands alone, with every number of the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from musicu.evaluation.picture import draw_map
from musicu.evaluation.protocols import RETRIEVAL

if TYPE_CHECKING:
    from musicu.evaluation.evaluation import Evaluation

FEW_ARTISTS = 20  # below this, percentile intervals of artists are too narrow
#: Of the map's kinds: told apart on light and dark ground; the last is for all others.
HUES = (
    *("#3b82c4", "#e07b28", "#2a9d6f", "#c25aa6", "#b39a1c", "#7067cf"),
    *("#d04a4a", "#2aa7b8", "#8a6d4b", "#7da33a", "#a4abb6"),
)
#: The columns of the large table.
HEAD = (
    "protocol",
    "metric",
    "model",
    "value",
    "low",
    "high",
    "queries",
    "artists",
    "left_out",
    "baseline",
    "difference",
    "diff_low",
    "diff_high",
    "note",
)
ABOUT = {protocol.name: protocol.about for protocol in RETRIEVAL} | {
    "linear-probe": "Logistic regression on the vectors, asked about artists it has not seen.",
    "neighbour-probe": "A vote of the ten nearest tracks, all of other artists.",
    "clustering": "k-means on the vectors beside the groups that people name.",
    "hubness": "How unevenly tracks appear among the ten nearest of others.",
    "robustness": "Neighbours after a change to the sound that leaves the music as it is.",
    "cost": "What a track costs.",
}


@dataclass(frozen=True, slots=True)
class Beside:
    """A paired difference from a baseline; verdict: "ahead", "behind" or "unsure"."""

    baseline: str
    shown: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One model under one metric; left, low and high are positions in percent of the axis."""

    model: str
    value: str
    shown: str
    best: bool
    width: float
    low: float | None
    high: float | None
    colour: str
    beside: tuple[Beside, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars of one metric, with the end of its axis."""

    metric: str
    better: str
    end: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One protocol: its charts, or why it could not be measured."""

    name: str
    about: str
    artists: int
    counts: str
    warning: str
    charts: tuple[Chart, ...]


def render(evaluation: Evaluation) -> str:
    """The page as HTML; nothing in it is fetched, and no label can become markup."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("musicu.evaluation", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = evaluation.to_table().to_pylist()
    colours = _colours(list(evaluation.trial.models), evaluation.baselines)
    return environment.get_template("report.html.j2").render(
        about=evaluation.about(),
        sections=list(_sections(rows, colours)),
        colours=colours,
        baselines=evaluation.baselines,
        only_baselines=set(evaluation.trial.models) <= set(evaluation.baselines),
        map=draw_map(evaluation.trial),
        hues=HUES,
        head=HEAD,
        rows=[_cells(row) for row in rows],
    )


def _colours(models: Sequence[str], baselines: Sequence[str]) -> dict[str, str]:
    """A class of the style sheet for each model: baselines are grey."""
    own = [model for model in models if model not in baselines]
    others = [model for model in models if model in baselines]
    return {model: f"own{index % 6}" for index, model in enumerate(own)} | {
        model: f"base{index % 2}" for index, model in enumerate(others)
    }


def _sections(rows: list[dict[str, Any]], colours: dict[str, str]) -> Iterator[Section]:
    for name, group in groupby(rows, key=lambda row: row["protocol"]):
        found = list(group)
        first = found[0]
        metrics = groupby(found, key=lambda row: row["metric"])
        charts = [_chart(metric, list(part), colours) for metric, part in metrics]
        yield Section(
            name=_title(name),
            about=ABOUT[name.partition(":")[0]],
            artists=first["artists"],
            counts=_counts(first),
            warning=first["note"] or _warning(first),
            charts=tuple(chart for chart in charts if chart.bars),
        )


def _title(protocol: str) -> str:
    """`linear-probe:genre` as "Linear probe: genre"."""
    kind, _, column = protocol.partition(":")
    title = kind.replace("-", " ").capitalize()
    return f"{title}: {column}" if column else title


def _counts(row: dict[str, Any]) -> str:
    if not row["queries"]:
        return ""
    artists = "1 artist" if row["artists"] == 1 else f"{row['artists']:,} artists"
    counts = f"{row['queries']:,} tracks asked, of {artists}"
    return counts + (f"; {row['left_out']:,} left out" if row["left_out"] else "")


def _warning(row: dict[str, Any]) -> str:
    if row["artists"] == 1:
        return "One artist only: there is no interval, and the numbers say next to nothing."
    if 0 < row["artists"] < FEW_ARTISTS:
        return f"Only {row['artists']} artists: the intervals are too narrow to rely on."
    return ""


def _chart(metric: str, rows: list[dict[str, Any]], colours: dict[str, str]) -> Chart:
    measured = [row for row in rows if row["value"] is not None]
    ends = [row["high"] if row["high"] is not None else row["value"] for row in measured]
    end = _axis_end(max(ends, default=0.0))
    best = max if rows[0]["higher_is_better"] else min
    record = best((row["value"] for row in measured), default=None)
    bars = [
        _bar(list(part), end, colours[model], record)
        for model, part in groupby(measured, key=lambda row: row["model"])
    ]
    better = "higher is better" if rows[0]["higher_is_better"] else "lower is better"
    return Chart(metric, better, number(end), tuple(bars))


def _axis_end(largest: float) -> float:
    """A round number from `largest` on: 1, 2, 2.5 or 5 times a power of ten; 1 for nothing."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** len(str(int(largest))) if largest > 1 else 1.0
    steps = [power * step for step in (0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1)]
    return next(step for step in steps if step >= largest)


def _bar(rows: list[dict[str, Any]], end: float, colour: str, record: float | None) -> Bar:
    row = rows[0]
    bounded = row["low"] is not None
    shown = number(row["value"]) + (
        f" [{number(row['low'])}, {number(row['high'])}]" if bounded else ""
    )
    return Bar(
        model=row["model"],
        value=number(row["value"]),
        shown=shown,
        best=row["value"] == record,
        width=_percent(row["value"], end),
        low=_percent(row["low"], end) if bounded else None,
        high=_percent(row["high"], end) if bounded else None,
        colour=colour,
        beside=tuple(_beside(row) for row in rows if row["difference"] is not None),
    )


def _percent(value: float, end: float) -> float:
    return round(100 * min(max(value / end, 0.0), 1.0), 2)


def _beside(row: dict[str, Any]) -> Beside:
    shown = f"{row['difference']:+.3f}"
    if row["diff_low"] is None:
        return Beside(row["baseline"], shown, "unsure")
    shown += f" [{row['diff_low']:+.3f}, {row['diff_high']:+.3f}]"
    if row["diff_low"] <= 0 <= row["diff_high"]:
        return Beside(row["baseline"], shown, "unsure")
    ahead = (row["diff_low"] > 0) == row["higher_is_better"]
    return Beside(row["baseline"], shown, "ahead" if ahead else "behind")


def number(value: float | None) -> str:
    """Three decimals below 10, as many as matter above; nothing for no value."""
    if value is None:
        return ""
    if abs(value) >= 10 and value == int(value):
        return f"{int(value):,}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _cells(row: dict[str, Any]) -> list[str]:
    """The row of the large table, in the order of its head."""
    numbers = ("value", "low", "high", "difference", "diff_low", "diff_high")
    cells = {name: number(row[name]) for name in numbers}
    cells |= {name: f"{row[name]:,}" for name in ("queries", "artists", "left_out")}
    cells |= {name: row[name] or "" for name in ("protocol", "metric", "model", "baseline", "note")}
    return [cells[name] for name in HEAD]
