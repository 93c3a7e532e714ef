"""What an evaluation of candidates found, as a table, JSON or a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from musicu.bootstrap import bounded
from musicu.evaluation.recommendation.evaluator import Figure

FORMAT_VERSION = 1

TABLE = pa.schema(
    [
        ("split", pa.string()),
        ("listeners", pa.string()),  # "all", or a group: niche, middle, mainstream
        ("tracks", pa.string()),  # "all", or a group: cold, tail, head
        ("metric", pa.string()),
        ("k", pa.int64()),
        ("model", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),  # the 95 % interval, listeners drawn; null where there is none
        ("high", pa.float64()),
        ("count", pa.int64()),  # the listeners, or artists, that it is a mean of
        ("higher_is_better", pa.bool_()),  # null where neither is
        ("baseline", pa.string()),  # a row for each baseline other than the model itself
        ("difference", pa.float64()),  # model - baseline, paired: on the same listeners and draws
        ("diff_low", pa.float64()),
        ("diff_high", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Figures of one split, by model.

    about: what was asked, of whom, on what. baselines: the models that others are paired with.
    """

    split: str
    about: dict[str, Any]
    figures: dict[str, list[Figure]]
    baselines: tuple[str, ...]
    notes: tuple[str, ...]

    def to_table(self) -> pa.Table:
        """A row for every figure and baseline other than its model, in the columns of TABLE."""
        return pa.Table.from_pylist(list(self._rows()), schema=TABLE)

    def _rows(self) -> Iterator[dict[str, Any]]:
        known = {
            (f.listeners, f.tracks, f.metric, f.k, model): f
            for model, figures in self.figures.items()
            for f in figures
        }
        for (listeners, tracks, metric, k, model), figure in known.items():
            row = {"split": self.split, "model": model, **_numbers(figure)}
            others = {
                name: known.get((listeners, tracks, metric, k, name))
                for name in self.baselines
                if name != model
            }
            beside = {name: other for name, other in others.items() if other is not None}
            for name, other in beside.items():
                yield row | {"baseline": name, **_difference(figure, other)}
            if not beside:
                yield row

    def value(
        self, metric: str, k: int, model: str, listeners: str = "all", tracks: str = "all"
    ) -> float | None:
        """One number; None where it was not measured."""
        key = (metric, k, listeners, tracks)
        found = [
            f.value
            for f in self.figures.get(model, [])
            if (f.metric, f.k, f.listeners, f.tracks) == key
        ]
        return found[0] if found and np.isfinite(found[0]) else None

    def to_json(self) -> str:
        """The table and what it was measured on, with a format version."""
        document = {
            "format": FORMAT_VERSION,
            "about": {**self.about, "split": self.split, "notes": list(self.notes)},
            "rows": self.to_table().to_pylist(),
        }
        return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)

    def to_html(self, path: str | Path) -> Path:
        """Write a page that stands alone: accuracy, what it costs in coverage, and groups."""
        from musicu.evaluation.recommendation.recommendation_report import render_report
        from musicu.pages.document import write_page

        write_page(Path(path), "recommendation-report", render_report(self))
        return Path(path)


def _numbers(figure: Figure) -> dict[str, Any]:
    value = figure.value if np.isfinite(figure.value) else None
    return {
        "listeners": figure.listeners,
        "tracks": figure.tracks,
        "metric": figure.metric,
        "k": figure.k,
        **bounded(value, figure.draws, "value", "low", "high"),
        "count": figure.count,
        "higher_is_better": figure.higher_is_better,
    }


def _difference(figure: Figure, baseline: Figure) -> dict[str, float | None]:
    """The paired difference; none where the two are means over other listeners."""
    difference = figure.value - baseline.value
    if not np.isfinite(difference) or figure.count != baseline.count:
        return {}
    draws = figure.draws - baseline.draws
    return bounded(difference, draws, "difference", "diff_low", "diff_high")
