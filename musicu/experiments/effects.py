"""The difference between two arms, with its variance.

A metric is a ratio of two means over units, R = mean(y) / mean(d), with d = 1 for a plain mean. By
the delta method a unit's share in it is z = R + (y - R d) / mean(d): mean(z) = R and var(R) =
var(z) / units (Deng, Knoblich and Lu, KDD 2018, equation 3). From there on everything is about
means of z, the correction by a covariate among it (CUPED; Deng, Xu, Kohavi and Walker, WSDM 2013,
equation 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from musicu.errors import QueryError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ArmValues:
    """The numerators, denominators and covariates of an arm's units: float64 [units] each."""

    numerator: Floats
    denominator: Floats
    covariate: Floats | None = None

    @property
    def ratio(self) -> float:
        """The metric's value in this arm, NaN where it is divided by zero."""
        total = float(self.denominator.sum())
        return float(self.numerator.sum()) / total if total else math.nan


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference of two means and what a test needs of it.

    control, treatment: the values of the two arms, after the correction by a covariate.
    error: the standard error of the difference. freedom: degrees of freedom (Welch, 1947).
    lift, lift_error: of the relative difference, NaN where the control is zero.
    variance_removed: the share of the variance that the covariate took away, 0 without one.
    """

    control: float
    treatment: float
    error: float
    freedom: float
    lift: float
    lift_error: float
    variance_removed: float

    @property
    def difference(self) -> float:
        """Treatment minus control."""
        return self.treatment - self.control

    @property
    def statistic(self) -> float:
        """The difference in standard errors; 0 where neither arm varies and they are equal."""
        if self.error > 0:
            return self.difference / self.error
        return math.copysign(math.inf, self.difference) if self.difference else 0.0

    def p_value(self) -> float:
        """Two-sided, after Welch."""
        return float(2 * stats.t.sf(abs(self.statistic), self.freedom))


def compare(control: ArmValues, treatment: ArmValues) -> Estimate:
    """Estimate the difference. Raises QueryError where an arm has fewer than two units."""
    for arm in (control, treatment):
        if len(arm.numerator) < 2:
            raise QueryError("an arm has fewer than two units with a value: there is no interval")
    shares = [_shares(arm) for arm in (control, treatment)]
    plain = _variance_of_difference(shares)
    shares = _without_covariate(shares, control, treatment)
    (low, high), variances = (share.mean() for share in shares), [_variance(s) for s in shares]
    variance = sum(variances)
    return Estimate(
        control=float(low),
        treatment=float(high),
        error=math.sqrt(variance),
        freedom=_welch(variances, [len(share) for share in shares]),
        lift=float(high / low - 1) if low else math.nan,
        lift_error=_lift_error(low, high, variances) if low else math.nan,
        variance_removed=max(0.0, 1 - variance / plain) if plain else 0.0,
    )


def _shares(arm: ArmValues) -> Floats:
    """Each unit's share in the arm's ratio: their mean is the ratio, their spread its error."""
    left = arm.numerator - arm.ratio * arm.denominator
    return np.asarray(arm.ratio + left / arm.denominator.mean())


def _without_covariate(
    shares: list[Floats], control: ArmValues, treatment: ArmValues
) -> list[Floats]:
    """Take from each unit what its covariate foretold, by one slope within both arms."""
    if control.covariate is None or treatment.covariate is None:
        return shares
    covariates = [control.covariate, treatment.covariate]
    middle = np.concatenate(covariates).mean()
    inside = [covariate - covariate.mean() for covariate in covariates]
    spread = sum(float(x @ x) for x in inside)
    if not spread:
        return shares
    slope = sum(float(x @ share) for x, share in zip(inside, shares, strict=True)) / spread
    return [
        share - slope * (covariate - middle)
        for share, covariate in zip(shares, covariates, strict=True)
    ]


def _variance(share: Floats) -> float:
    """The variance of the mean."""
    return float(share.var(ddof=1)) / len(share)


def _variance_of_difference(shares: list[Floats]) -> float:
    return sum(map(_variance, shares))


def _welch(variances: list[float], units: list[int]) -> float:
    total = sum(variances)
    if not total:
        return float(sum(units) - 2)
    return total**2 / sum(v**2 / (n - 1) for v, n in zip(variances, units, strict=True))


def _lift_error(low: float, high: float, variances: list[float]) -> float:
    """Of high / low, by the delta method."""
    return math.sqrt(variances[1] / low**2 + high**2 * variances[0] / low**4)
