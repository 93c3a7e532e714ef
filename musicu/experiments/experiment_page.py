"""An experiment's report as one page: the verdict, and a drawn interval for each metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from musicu.experiments.analysis import SAMPLE_RATIO_ALARM, ExperimentReport
from musicu.experiments.comparisons import MetricResult
from musicu.experiments.decision import named_by_arm
from musicu.pages.document import render, write_page


@dataclass(frozen=True, slots=True)
class DrawnInterval:
    """A relative difference on an axis of 0 to 100, zero at 50, with the words beside it."""

    name: str
    low: float
    middle: float
    high: float
    verdict: str
    shown: str
    about: str


def write_report(report: ExperimentReport, path: Path, title: str) -> None:
    """Write the page; it works offline. Raises PageError where another kind of page lies there."""
    arms = [
        {
            "name": arm,
            "decision": decision,
            "drawn": _drawn(list(report.comparisons[arm].values())),
            "segments": [
                {"name": f"{s.segment}: {s.value}", "drawn": _drawn([s.result])[0]}
                for s in report.segments
                if s.arm == arm
            ],
            "creators": [
                {"name": f"{c.by}: {c.group}, {c.kind}", "drawn": _drawn([c.result])[0]}
                for c in report.creators
                if c.arm == arm
            ],
        }
        for arm, decision in named_by_arm(report).items()
    ]
    text = render(
        "experiment",
        title=title,
        report=report,
        arms=arms,
        suspect=report.sample_ratio_p < SAMPLE_RATIO_ALARM,
    )
    write_page(path, "experiment", text)


def _drawn(results: Sequence[MetricResult]) -> list[DrawnInterval]:
    """All on one axis, as wide as the farthest end of an interval."""
    ends = [abs(end) for r in results for end in (r.lift_low, r.lift_high) if math.isfinite(end)]
    reach = max(ends, default=0.0) or 1.0
    return [_interval(result, reach) for result in results]


def _interval(result: MetricResult, reach: float) -> DrawnInterval:
    def place(lift: float) -> float:
        return round(50 + 48 * lift / reach, 2) if math.isfinite(lift) else 50.0

    told = "unsure" if result.low <= 0 <= result.high else "behind"
    if told == "behind" and result.for_the_better:
        told = "ahead"
    shown = f"{result.lift:+.2%}" if math.isfinite(result.lift) else f"{result.difference:+.4g}"
    within = f"{result.control:.4g} → {result.treatment:.4g}, p = {result.p_value:.2g}"
    if result.guardrail:
        within += f", guardrail {result.guardrail}"
    low, middle, high = map(place, (result.lift_low, result.lift, result.lift_high))
    return DrawnInterval(result.metric.name, low, middle, high, told, shown, within)
