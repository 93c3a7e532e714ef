"""Measurements as JSON, which the documentation draws (docs/site/plots.py has the form)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from musicu.evaluation.recommendation import Findings

#: A value, or one with the bounds of its 95 % interval.
Measured: TypeAlias = float | tuple[float, float, float]


def add_out(parser: argparse.ArgumentParser) -> None:
    """The option -o, where to write the measurement."""
    parser.add_argument("-o", "--out", type=Path, help="A JSON file for the plot of it.")


def write_plot(
    path: Path,
    title: str,
    unit: str,
    panels: Mapping[str, Mapping[str, Measured]],
    *,
    ours: Collection[str],
    better: str = "high",
) -> None:
    """Write panels of rows; ours: the names of the rows that are musicu."""
    drawn = [
        {"name": name, "rows": [_row(row, value, row in ours) for row, value in rows.items()]}
        for name, rows in panels.items()
    ]
    about = {"title": title, "unit": unit, "better": better, "command": _command()}
    text = json.dumps({**about, "panels": drawn}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _row(name: str, value: Measured, own: bool) -> dict[str, object]:
    found = value if isinstance(value, tuple) else (value,)
    numbers = {key: _rounded(v) for key, v in zip(("value", "low", "high"), found, strict=False)}
    return {"name": name, **numbers, **({"ours": True} if own else {})}


def _rounded(value: float) -> float:
    """Four digits behind the point below 1, and three digits in all above."""
    return round(value, 4) if abs(value) < 1 else float(f"{value:.3g}")


def _command() -> str:
    """The command of this run, folders of data as DATA, without where it writes to."""
    words, given = [], sys.argv[1:]
    while given:
        word = given.pop(0)
        if word in ("-o", "--out"):
            given.pop(0)
        else:
            words.append("DATA" if Path(word).is_dir() else word)
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


def recalls(found: Findings, k: int, names: Mapping[str, str]) -> dict[str, Measured]:
    """Recall@k of all listeners with intervals, of some models, under the names they get."""
    rows = {
        row["model"]: (row["value"], row["low"], row["high"])
        for row in found.to_table().to_pylist()
        if (row["metric"], row["k"]) == ("recall", k) and row["listeners"] == row["tracks"] == "all"
    }
    return {shown: rows[model] for model, shown in names.items() if model in rows}
