"""What an experiment says: every arm against the control, for every metric, with an interval."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from musicu.errors import QueryError
from musicu.experiments.comparisons import Comparisons, MetricResult, of_large_arms, plain
from musicu.experiments.creator_results import ByCreator, CreatorAnalysis, CreatorResult
from musicu.experiments.segments import SegmentResult, segment_results, with_activity
from musicu.experiments.sequential import Design, FixedHorizon
from musicu.experiments.unit_values import Metric, units_of
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.listening.small_groups import SMALLEST_GROUP
from musicu.records import check_count, check_number, short

#: Below this p-value the arms' sizes are not what was planned, and no difference can be trusted.
SAMPLE_RATIO_ALARM = 0.01


@dataclass(frozen=True, slots=True)
class ExperimentReport:
    """All results of an experiment; the first metric that is no guardrail decides.

    arms: units by arm, the control first. sample_ratio_p: of the chi-squared test that the arms
    have the sizes that were planned. comparisons: arm → metric → result. segments, creators: by
    groups of listeners and of creators. left_out: why rows, units or arms are not there → how many.
    folded: the same of groups that are too small to be shown alone.
    """

    arms: Mapping[str, int]
    alpha: float
    design: str
    sample_ratio_p: float
    comparisons: Mapping[str, Mapping[str, MetricResult]]
    segments: Sequence[SegmentResult]
    left_out: Mapping[str, int]
    creators: Sequence[CreatorResult] = ()
    folded: Mapping[str, int] = field(default_factory=dict)

    @property
    def control(self) -> str:
        """The name of the arm that all are compared with."""
        return next(iter(self.arms))

    @property
    def metrics(self) -> Mapping[str, MetricResult]:
        """The results by metric, of the one treatment; where there are more, ask `comparisons`."""
        if len(self.comparisons) > 1:
            raise QueryError(
                f"there are {len(self.comparisons)} treatments: use report.comparisons[arm], "
                f"with an arm of {', '.join(self.comparisons)}"
            )
        return next(iter(self.comparisons.values()))

    def to_dict(self) -> dict[str, Any]:
        """The report as numbers and texts, for JSON; NaN is None."""
        return {
            "arms": dict(self.arms),
            "alpha": self.alpha,
            "design": self.design,
            "sample_ratio_p": self.sample_ratio_p,
            "left_out": dict(self.left_out),
            "folded": dict(self.folded),
            "results": [
                {"arm": arm, **plain(result)}
                for arm, results in self.comparisons.items()
                for result in results.values()
            ],
            "segments": [
                {"segment": s.segment, "value": s.value, "arm": s.arm, **plain(s.result)}
                for s in self.segments
            ],
            "creators": [
                {"by": c.by, "group": c.group, "arm": c.arm, "kind": c.kind, **plain(c.result)}
                for c in self.creators
            ],
        }


def analyse(
    table: TableLike,
    *,
    arm: str = "arm",
    metrics: str | Metric | Sequence[str | Metric],
    unit: str | None = None,
    control: str | int | None = None,
    shares: Mapping[Any, float] | None = None,
    segments: str | Sequence[str] = (),
    design: Design | None = None,
    alpha: float = 0.05,
    smallest_group: int = SMALLEST_GROUP,
    activity: str | None = None,
    creators: ByCreator | str | None = None,
) -> ExperimentReport:
    """Compare the arms of an experiment.

    table: of any library, or a file's path; a row a unit, or with `unit` the column of what was
    assigned (`user_id`) any number of rows a unit, which are summed. arm: the column of arms.
    metrics: columns, ratios of two ("skips/streams") or `Metric`s.
    control: the arm to compare with; "control" by default, else the first in the alphabet. shares:
    the planned share of each arm, equal by default. segments: columns to report apart. design: how
    often the experiment is looked at; one look by default. smallest_group: arms and segments of
    fewer units are not in the report, as they would tell of single listeners. activity: a column of
    what units did before the experiment, which makes the segments new, light and heavy. creators:
    the groups of creators to report, `ByCreator` or what that has as `by`; needs `unit`.

    Raises QueryError for columns that are missing or no numbers, and for fewer than two arms.
    """
    if not 0 < check_number("alpha", alpha) < 1:
        raise QueryError(f"alpha is {alpha}: give a share between 0 and 1, such as 0.05")
    asked = _asked(metrics)
    design = FixedHorizon() if design is None else design
    if isinstance(design, type) or not hasattr(design, "critical"):
        raise QueryError(f"the design is {short(design)}: give one, such as FixedHorizon()")
    control = None if control is None else str(control)
    if not asked or len({metric.name for metric in asked}) < len(asked):
        raise QueryError("give one metric or more, each name once")
    table = as_table(table)
    units = units_of(
        table, arm=arm, control=control, unit=unit,
        metrics=asked if activity is None else [*asked, Metric(activity)],
        segments=[segments] if isinstance(segments, str) else segments,
    )  # fmt: skip
    check_count("smallest_group", smallest_group)
    small = set(units.arms)
    units = of_large_arms(units, smallest_group)
    small -= set(units.arms)
    units = units if activity is None else with_activity(units, activity)
    test = Comparisons(units, asked, design, alpha, smallest_group)
    everyone = np.ones(len(units.arm), dtype=np.bool_)
    sizes = np.bincount(units.arm, minlength=len(units.arms))
    comparisons = _holm(test.shown(everyone))
    by_listener, few = segment_results(test)
    by_creator, unknown = _by_creator(table, arm, unit, test, creators)
    return ExperimentReport(
        arms=dict(zip(units.arms, map(int, sizes), strict=True)),
        alpha=alpha,
        design=test.design.words,
        sample_ratio_p=_sample_ratio(units.arms, sizes, shares, small),
        comparisons=comparisons,
        segments=by_listener,
        left_out=units.left_out,
        folded={**few, **unknown},
        creators=by_creator,
    )


def _by_creator(
    table: pa.Table, arm: str, unit: str | None, test: Comparisons, asked: ByCreator | str | None
) -> tuple[list[CreatorResult], dict[str, int]]:
    """The results by group of creators, with the arms, design and limits of the others."""
    if asked is None:
        return [], {}
    if unit is None:
        raise QueryError(
            "groups of creators need unit: the column of listeners, as a row is a play"
        )
    arms = test.units.arms
    analysis = CreatorAnalysis(
        arm, unit, arms[0], arms, test.metrics, test.design, test.alpha, test.smallest
    )
    return analysis.results(
        table, ByCreator(by=asked) if not isinstance(asked, ByCreator) else asked
    )


def _asked(metrics: str | Metric | Sequence[str | Metric]) -> list[Metric]:
    """Metrics of names; one alone will do."""
    given = [metrics] if isinstance(metrics, str | Metric) else metrics
    if not isinstance(given, list | tuple) or any(not isinstance(m, str | Metric) for m in given):
        raise QueryError(f"metrics are {short(metrics)}: give columns or Metrics, as a list")
    return [Metric.parse(metric) if isinstance(metric, str) else metric for metric in given]


def _holm(
    comparisons: dict[str, dict[str, MetricResult]],
) -> dict[str, dict[str, MetricResult]]:
    """Adjust the p-values of all that is no guardrail, in all arms together."""
    decided = [
        (result.p_value, arm, name)
        for arm, results in comparisons.items()
        for name, result in results.items()
        if result.guardrail is None
    ]
    floor = 0.0
    for place, (p_value, arm, name) in enumerate(sorted(decided)):
        floor = min(1.0, max(floor, (len(decided) - place) * p_value))
        comparisons[arm][name] = replace(comparisons[arm][name], adjusted_p_value=floor)
    return comparisons


def _sample_ratio(
    arms: Sequence[str],
    sizes: NDArray[np.int64],
    shares: Mapping[Any, float] | None,
    small: Collection[str],
) -> float:
    """Pearson's chi-squared test that the arms' sizes are those planned."""
    if shares is not None:
        if not isinstance(shares, Mapping):
            raise QueryError(f"shares are {short(shares)}: give a share above 0 for each arm")
        shares = {str(arm): check_number(f"share {arm}", s) for arm, s in shares.items()}
        shares = {arm: share for arm, share in shares.items() if arm not in small}
    planned = np.array([(shares or {}).get(arm, 0.0 if shares else 1.0) for arm in arms])
    if not (planned > 0).all() or (shares and set(shares) != set(arms)):
        raise QueryError(f"shares: give one above 0 for each arm: {', '.join(arms)}")
    expected = planned / planned.sum() * sizes.sum()
    return float(stats.chisquare(sizes, expected).pvalue)
