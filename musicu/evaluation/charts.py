"""Bars with intervals, one chart a metric: what the report pages share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

_TITLES = {"ndcg": "nDCG", "mrr": "MRR", "gini": "Gini"}


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


def colours_of(models: Sequence[str], baselines: Sequence[str]) -> dict[str, str]:
    """A class of the style sheet for each model: baselines are grey."""
    own = [model for model in models if model not in baselines]
    others = [model for model in models if model in baselines]
    return {model: f"own{index % 6}" for index, model in enumerate(own)} | {
        model: f"base{index % 2}" for index, model in enumerate(others)
    }


def chart(
    metric: str, rows: list[dict[str, Any]], colours: dict[str, str], largest: float | None = None
) -> Chart:
    """The bars of one metric, from its rows of the table, those of a model together.

    largest: what the axis must have room for; None: the largest value or end of an interval.
    """
    measured = [row for row in rows if row["value"] is not None]
    ends = [row["high"] if row["high"] is not None else row["value"] for row in measured]
    end = axis_end(max(ends, default=0.0) if largest is None else largest)
    best = max if rows[0]["higher_is_better"] else min
    record = best((row["value"] for row in measured), default=None)
    bars = [
        _bar(list(part), end, colours[model], record)
        for model, part in groupby(measured, key=lambda row: row["model"])
    ]
    better = "higher is better" if rows[0]["higher_is_better"] else "lower is better"
    return Chart(metric, better, number(end), tuple(bars))


def axis_end(largest: float) -> float:
    """A round number from `largest` on: 1, 2, 2.5 or 5 times a power of ten; 1 for nothing."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** len(str(int(largest))) if largest > 1 else 1.0
    steps = [power * step for step in (0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1)]
    return next(step for step in steps if step >= largest)


def _bar(rows: list[dict[str, Any]], end: float, colour: str, record: float | None) -> Bar:
    row = rows[0]
    bounded = row["low"] is not None
    return Bar(
        model=row["model"],
        value=number(row["value"]),
        shown=with_interval(row),
        best=row["value"] == record,
        width=_percent(row["value"], end),
        low=_percent(row["low"], end) if bounded else None,
        high=_percent(row["high"], end) if bounded else None,
        colour=colour,
        beside=tuple(beside(row) for row in rows if row["difference"] is not None),
    )


def _percent(value: float, end: float) -> float:
    return round(100 * min(max(value / end, 0.0), 1.0), 2)


def with_interval(row: Mapping[str, Any]) -> str:
    """A row's number with its interval, where it has one."""
    value = number(row["value"])
    if row["low"] is None:
        return value
    return f"{value} [{number(row['low'])}, {number(row['high'])}]"


def beside(row: Mapping[str, Any]) -> Beside:
    """A row's paired difference, as text and as a verdict."""
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


def cells(row: Mapping[str, Any], head: Sequence[str]) -> list[str]:
    """A row of a large table as texts, in the order of its head."""
    return [_cell(row[name]) for name in head]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def title(metric: str, k: int) -> str:
    """A metric of lists of k, for people: nDCG@10."""
    return f"{_TITLES.get(metric, metric)}@{k}"
