"""Numbers with their intervals, and differences from baselines, as tables for people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

from musicu.cli.output import print_wide
from musicu.evaluation.charts import beside, title, with_interval
from musicu.evaluation.metrics import ACCURACY
from musicu.evaluation.recommendation.recommendation_findings import Findings
from musicu.evaluation.recommendation.recommendation_report import creator_shares
from musicu.evaluation.vectors.evaluation_result import Evaluation

Row = Mapping[str, Any]


def print_evaluation(found: Evaluation) -> None:
    """A line for each metric and model, under the name of its protocol."""
    rows = [row for row in found.to_table().to_pylist() if row["value"] is not None]
    compared = _compared(rows, found.baselines)
    against = list(dict.fromkeys(row["baseline"] for row in compared))
    cells = {
        (row["protocol"], row["metric"], row["model"], row["baseline"]): beside(row).shown
        for row in compared
    }
    lines: list[list[object]] = []
    for protocol, part in groupby(rows, key=lambda row: row["protocol"]):
        lines.append([protocol, *[""] * (2 + len(against))])
        for (metric, model), row in _first(part, "metric", "model").items():
            differences = [cells.get((protocol, metric, model, name)) for name in against]
            lines.append([f"  {metric}", model, with_interval(row), *differences])
    print_wide(["", "model", "value", *(f"beside {name}" for name in against)], lines, keys=2)


def print_findings(found: Findings) -> None:
    """A line for each model: accuracy, what is beside it, and accuracy beside each baseline.

    All listeners and tracks, the longest lists; differences in accuracy alone.
    """
    k = found.about["ks"][-1]
    rows = [
        row
        for row in found.to_table().to_pylist()
        if row["k"] == k and row["listeners"] == row["tracks"] == "all"
    ]
    values = _first(rows, "model", "metric")
    metrics = list(dict.fromkeys(metric for _, metric in values))
    accuracy = [metric for metric in metrics if metric in (*ACCURACY, "artist recall")]
    for part in (accuracy, [metric for metric in metrics if metric not in accuracy]):
        lines = [[m, *(with_interval(values[m, name]) for name in part)] for m in found.figures]
        print_wide(["model", *(title(metric, k) for metric in part)], lines)
    _print_groups(found, k)
    cells = _first(_compared(rows, found.baselines), "model", "baseline", "metric")
    pairs = dict.fromkeys((model, baseline) for model, baseline, _ in cells)
    lines = [
        [model, name, *(beside(cells[model, name, metric]).shown for metric in accuracy)]
        for model, name in pairs
    ]
    if lines:
        print_wide(["model", "beside", *(title(m, k) for m in accuracy)], lines, keys=2)


def _print_groups(found: Findings, k: int) -> None:
    """Shares of exposure by group of creators, and accuracy by group of listeners."""
    rows = [row for row in found.to_table().to_pylist() if row["k"] == k]
    shares = list(creator_shares(rows, k))
    lines = [["heard", *(share.heard for share in shares)]]
    lines += [[model, *(share.shown[model] for share in shares)] for model in found.figures]
    if shares:
        print_wide(["exposure share", *(share.group for share in shares)], lines)
    apart = [r for r in rows if r["listeners"] != "all" and r["metric"] == "ndcg"]
    cells = _first(apart, "model", "listeners")
    groups = list(dict.fromkeys(row["listeners"] for row in apart))
    if groups:
        lines = [[m, *(with_interval(cells[m, g]) for g in groups)] for m in found.figures]
        print_wide([title("ndcg", k), *groups], lines)


def _first(rows: Any, *names: str) -> dict[tuple[str, ...], Row]:
    """The first row of each combination of values."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), row)
    return found


def _compared(rows: Sequence[Row], baselines: Collection[str]) -> list[Row]:
    """Rows with a difference; those of baselines, once a pair, where there are no others."""
    told = [row for row in rows if row["difference"] is not None]
    names = list(dict.fromkeys(row["model"] for row in rows))
    own = [row for row in told if row["model"] not in baselines]
    return own or [r for r in told if names.index(r["model"]) < names.index(r["baseline"])]
