"""What an experiment says: every arm against the control, for every metric, with an interval."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from musicu.errors import QueryError
from musicu.experiments.effects import ArmValues, Estimate, compare
from musicu.experiments.sequential import Design, FixedHorizon
from musicu.experiments.unit_values import Metric, UnitTable, units_of
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.listening.small_groups import SMALLEST_GROUP, is_shown
from musicu.records import check_count, check_number, short

Mask = NDArray[np.bool_]

#: Below this p-value the arms' sizes are not what was planned, and no difference can be trusted.
SAMPLE_RATIO_ALARM = 0.01


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric, one arm against the control.

    difference, low, high: treatment minus control and its interval. lift, lift_low, lift_high: the
    same relative to the control, NaN where that is zero. p_value: two-sided, of this metric alone;
    adjusted_p_value: with all metrics that are no guardrails taken together (Holm, 1979).
    guardrail: for a metric with a margin, "holds", "violated" or "open". variance_removed: by the
    covariate. left_out: units without a value.
    """

    metric: Metric
    units: tuple[int, int]
    control: float
    treatment: float
    difference: float
    low: float
    high: float
    p_value: float
    lift: float
    lift_low: float
    lift_high: float
    standard_error: float
    variance_removed: float
    left_out: int
    guardrail: str | None
    adjusted_p_value: float

    @property
    def for_the_better(self) -> bool:
        """Whether the difference points to where the metric should go."""
        return (self.difference > 0) == (self.metric.better == "higher")


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """A metric's result among the units with one value of a segment column."""

    segment: str
    value: str
    arm: str
    result: MetricResult


@dataclass(frozen=True, slots=True)
class ExperimentReport:
    """All results of an experiment; the first metric that is no guardrail decides.

    arms: units by arm, the control first. sample_ratio_p: of the chi-squared test that the arms
    have the sizes that were planned. comparisons: arm → metric → result.
    """

    arms: Mapping[str, int]
    alpha: float
    design: str
    sample_ratio_p: float
    comparisons: Mapping[str, Mapping[str, MetricResult]]
    segments: Sequence[SegmentResult]
    left_out: Mapping[str, int]

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
            "results": [
                {"arm": arm, **_plain(result)}
                for arm, results in self.comparisons.items()
                for result in results.values()
            ],
            "segments": [
                {"segment": s.segment, "value": s.value, "arm": s.arm, **_plain(s.result)}
                for s in self.segments
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
) -> ExperimentReport:
    """Compare the arms of an experiment.

    table: of any library, or a file's path; a row a unit, or
    with `unit` the column of what was assigned (`user_id`) any number of rows a unit, which are
    summed. arm: the column of arms. metrics: columns, ratios of two ("skips/streams") or `Metric`s.
    control: the arm to compare with; "control" by default, else the first in the alphabet. shares:
    the planned share of each arm, equal by default. segments: columns to report apart. design: how
    often the experiment is looked at; one look by default. smallest_group: arms and segments of
    fewer units are not in the report, as they would tell of single listeners.

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
    units = units_of(
        as_table(table), arm=arm, control=control, unit=unit, metrics=asked,
        segments=[segments] if isinstance(segments, str) else segments,
    )  # fmt: skip
    check_count("smallest_group", smallest_group)
    small = set(units.arms)
    units = _of_large_arms(units, smallest_group)
    small -= set(units.arms)
    test = _Test(units, asked, design, alpha, smallest_group)
    everyone = np.ones(len(units.arm), dtype=np.bool_)
    sizes = np.bincount(units.arm, minlength=len(units.arms))
    return ExperimentReport(
        arms=dict(zip(units.arms, map(int, sizes), strict=True)),
        alpha=alpha,
        design=test.design.words,
        sample_ratio_p=_sample_ratio(units.arms, sizes, shares, small),
        comparisons=_holm(test.shown(everyone)),
        segments=list(test.segments()),
        left_out=units.left_out,
    )


def _of_large_arms(units: UnitTable, smallest: int) -> UnitTable:
    """The units in arms that are large enough to be shown; the others are counted together."""
    sizes = np.bincount(units.arm, minlength=len(units.arms))
    large = [code for code, size in enumerate(sizes) if is_shown(int(size), smallest)]
    if len(large) == len(units.arms):
        return units
    if len(large) < 2 or large[0] != 0:
        raise QueryError(
            f"the control and another arm need {smallest} units or more each: fewer would tell of "
            "single listeners; wait for more"
        )
    kept = np.flatnonzero(np.isin(units.arm, large))
    return replace(
        units,
        arms=tuple(units.arms[code] for code in large),
        arm=np.searchsorted(large, units.arm[kept]),
        rows=units.rows[kept],
        sums={name: values[kept] for name, values in units.sums.items()},
        labels={name: values[kept] for name, values in units.labels.items()},
        left_out={
            **units.left_out,
            f"arms of fewer than {smallest} units": len(units.arms) - len(large),
        },
    )


def _asked(metrics: str | Metric | Sequence[str | Metric]) -> list[Metric]:
    """Metrics of names; one alone will do."""
    given = [metrics] if isinstance(metrics, str | Metric) else metrics
    if not isinstance(given, list | tuple) or any(not isinstance(m, str | Metric) for m in given):
        raise QueryError(f"metrics are {short(metrics)}: give columns or Metrics, as a list")
    return [Metric.parse(metric) if isinstance(metric, str) else metric for metric in given]


@dataclass(frozen=True, slots=True)
class _Test:
    """The comparisons of one analysis."""

    units: UnitTable
    metrics: Sequence[Metric]
    design: Design
    alpha: float
    smallest: int

    def comparisons(self, among: Mask) -> dict[str, dict[str, MetricResult]]:
        """Every treatment with the control: arm → metric → result."""
        return {
            name: {metric.name: self._result(metric, code, among) for metric in self.metrics}
            for code, name in enumerate(self.units.arms)
            if code
        }

    def shown(self, among: Mask) -> dict[str, dict[str, MetricResult]]:
        """The comparisons; raises QueryError where a metric is known of too few units."""
        found = self.comparisons(among)
        for result in (each for results in found.values() for each in results.values()):
            if not is_shown(min(result.units), self.smallest):
                raise QueryError(
                    f"metric {result.metric.name}: an arm has fewer than {self.smallest} units "
                    "with a value, which would tell of single listeners"
                )
        return found

    def segments(self) -> Iterator[SegmentResult]:
        """Each value of each segment column in which every arm has enough units."""
        for segment, labels in self.units.labels.items():
            for value in sorted({label for label in labels if label is not None}):
                among = labels == value
                sizes = np.bincount(self.units.arm[among], minlength=len(self.units.arms))
                if not is_shown(int(sizes.min()), self.smallest):
                    continue
                for arm, results in self.comparisons(among).items():
                    for result in results.values():
                        if is_shown(min(result.units), self.smallest):
                            yield SegmentResult(segment, value, arm, result)

    def _result(self, metric: Metric, arm: int, among: Mask) -> MetricResult:
        top, bottom = self.units.values(metric)
        covariate = self.units.sums[metric.covariate] if metric.covariate else None
        known = among & np.isfinite(top) & np.isfinite(bottom)
        if covariate is not None:
            known &= np.isfinite(covariate)
        sides = [known & (self.units.arm == code) for code in (0, arm)]
        values = [
            ArmValues(top[side], bottom[side], None if covariate is None else covariate[side])
            for side in sides
        ]
        if not all(value.denominator.sum() for value in values):
            raise QueryError(f"metric {metric.name}: an arm has nothing to divide by")
        compared = among & np.isin(self.units.arm, (0, arm))
        return self._told(metric, compare(*values), sides, int((compared & ~known).sum()))

    def _told(
        self, metric: Metric, found: Estimate, sides: Sequence[Mask], left_out: int
    ) -> MetricResult:
        critical = self.design.critical(self.alpha, found.freedom)
        reach, lift_reach = critical * found.error, critical * found.lift_error
        low, high = found.difference - reach, found.difference + reach
        p_value = self.design.p_value(found.statistic, self.alpha, found.freedom)
        return MetricResult(
            metric=metric,
            units=(int(sides[0].sum()), int(sides[1].sum())),
            control=found.control,
            treatment=found.treatment,
            difference=found.difference,
            low=low,
            high=high,
            p_value=p_value,
            lift=found.lift,
            lift_low=found.lift - lift_reach,
            lift_high=found.lift + lift_reach,
            standard_error=found.error,
            variance_removed=found.variance_removed,
            left_out=left_out,
            guardrail=_guardrail(metric, found.control, low, high),
            adjusted_p_value=p_value,
        )


def _guardrail(metric: Metric, control: float, low: float, high: float) -> str | None:
    """Non-inferiority: the margin lies beyond the interval's worse end, or within, or before it."""
    if metric.margin is None:
        return None
    if metric.better == "lower":
        low, high = -high, -low
    allowed = -metric.margin * abs(control)
    return "holds" if low > allowed else "violated" if high < allowed else "open"


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


def _plain(result: MetricResult) -> dict[str, Any]:
    values = asdict(result)
    metric = values.pop("metric")
    return {
        "metric": metric["name"],
        "better": metric["better"],
        "margin": metric["margin"],
        **{
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in values.items()
        },
    }
