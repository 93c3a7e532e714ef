"""Treatments against the control, metric by metric, among some of the units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.experiments.effects import ArmValues, Estimate, compare
from musicu.experiments.sequential import Design
from musicu.experiments.unit_values import Metric, UnitTable
from musicu.listening.small_groups import is_shown

Mask = NDArray[np.bool_]


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
class Comparisons:
    """The comparisons of one analysis."""

    units: UnitTable
    metrics: Sequence[Metric]
    design: Design
    alpha: float
    smallest: int

    def among(self, among: Mask) -> dict[str, dict[str, MetricResult]]:
        """Every treatment with the control: arm → metric → result."""
        return {
            name: {metric.name: self._result(metric, code, among) for metric in self.metrics}
            for code, name in enumerate(self.units.arms)
            if code
        }

    def shown(self, among: Mask) -> dict[str, dict[str, MetricResult]]:
        """The comparisons; raises QueryError where a metric is known of too few units."""
        found = self.among(among)
        for result in (each for results in found.values() for each in results.values()):
            if not is_shown(min(result.units), self.smallest):
                raise QueryError(
                    f"metric {result.metric.name}: an arm has fewer than {self.smallest} units "
                    "with a value, which would tell of single listeners"
                )
        return found

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


def of_large_arms(units: UnitTable, smallest: int) -> UnitTable:
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


def plain(result: MetricResult) -> dict[str, Any]:
    """A result as numbers and texts, for JSON; NaN is None."""
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
