"""What to do after an experiment, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from musicu.errors import QueryError
from musicu.experiments.analysis import SAMPLE_RATIO_ALARM, ExperimentReport
from musicu.experiments.comparisons import MetricResult
from musicu.records import short


@dataclass(frozen=True, slots=True)
class Decision:
    """kind: "treatment", "control", "open" or "invalid". words: one sentence each, the verdict
    first."""

    kind: str
    words: tuple[str, ...]


def decide(report: ExperimentReport, arm: str | None = None) -> Decision:
    """The verdict on one arm, the only treatment by default.

    The first metric that is no guardrail decides, by its adjusted p-value; a violated guardrail, or
    one that is still open, stops a treatment; arms of other sizes than planned stop everything.
    """
    if not isinstance(report, ExperimentReport):
        raise QueryError(f"the report is {short(report)}: give what analyse(...) returned")
    if arm is not None and arm not in report.comparisons:
        raise QueryError(f"no treatment is {arm!r}: {', '.join(report.comparisons)}")
    results = report.metrics if arm is None else report.comparisons[arm]
    name = arm or next(iter(report.comparisons))
    if report.sample_ratio_p < SAMPLE_RATIO_ALARM:
        return Decision("invalid", tuple(_invalid(report)))
    guardrails = [result for result in results.values() if result.guardrail]
    primary = next((result for result in results.values() if not result.guardrail), None)
    reasons = tuple(map(sentence, results.values()))
    if primary is None:
        kind, verdict = "open", "Only guardrails were given: no metric decides."
    else:
        kind, verdict = _verdict(primary, guardrails, name, report)
    return Decision(kind, (verdict, *reasons))


def sentence(result: MetricResult) -> str:
    """A metric's result as a sentence with its interval."""
    metric, about = result.metric, _values(result)
    if result.guardrail is not None:
        shown = {
            "holds": f"is not worse by {result.metric.margin:.0%} or more",
            "violated": f"is worse by more than {result.metric.margin:.0%}",
            "open": f"may still be worse by {result.metric.margin:.0%}",
        }[result.guardrail]
        return f"Guardrail {metric.name} {shown}: {about}."
    if result.low <= 0 <= result.high:
        return f"{metric.name}: no difference can be told from chance: {about}."
    way = "rises" if result.difference > 0 else "falls"
    judged = "for the better" if result.for_the_better else "for the worse"
    return f"{metric.name} {way}, {judged}: {about}."


def _verdict(
    primary: MetricResult, guardrails: list[MetricResult], arm: str, report: ExperimentReport
) -> tuple[str, str]:
    found = primary.adjusted_p_value < report.alpha
    violated = [g.metric.name for g in guardrails if g.guardrail == "violated"]
    unclear = [g.metric.name for g in guardrails if g.guardrail == "open"]
    if violated:
        return "control", f"Keep {report.control}: {', '.join(violated)} got worse than allowed."
    if not found:
        return "open", f"No decision: {primary.metric.name} does not tell {arm} from chance."
    if not primary.for_the_better:
        return "control", f"Keep {report.control}: {primary.metric.name} is worse with {arm}."
    if unclear:
        names = ", ".join(unclear)
        return "open", f"Wait: {primary.metric.name} is better with {arm}, but {names} is open."
    return (
        "treatment",
        f"Take {arm}: {primary.metric.name} is better, and no guardrail is violated.",
    )


def _invalid(report: ExperimentReport) -> Iterator[str]:
    sizes = ", ".join(f"{arm} {count:,}" for arm, count in report.arms.items())
    yield (
        "The arms do not have the sizes that were planned "
        f"({sizes}; p = {report.sample_ratio_p:.2g}): "
        "find out why before any difference is trusted."
    )
    yield (
        "Usual causes: units that leave before they are logged, robots, a late redirect, "
        "a bug in one arm."
    )


def _values(result: MetricResult) -> str:
    change = f"{result.control:.4g} → {result.treatment:.4g}, difference {result.difference:+.4g}"
    within = f"[{result.low:+.4g}, {result.high:+.4g}]"
    lift = f", lift {result.lift:+.2%}" if math.isfinite(result.lift) else ""
    return f"{change} {within}{lift}, p = {result.p_value:.2g}"


def named_by_arm(report: ExperimentReport) -> Mapping[str, Decision]:
    """The verdict on each treatment."""
    return {arm: decide(report, arm) for arm in report.comparisons}
