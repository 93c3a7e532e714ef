"""Looking more than once without deciding by luck.

A test at 5 % that is looked at on fourteen days finds something in 22 % of experiments in which
nothing differs. A group-sequential design plans its looks and spends the 5 % over them, little at
first (Lan and DeMets, Biometrika 1983, with the spending function of O'Brien and Fleming's kind);
its boundaries follow by recursive integration (Armitage, McPherson and Rowe, 1969). An
anytime-valid interval may be looked at whenever one likes, and pays for it with width
(Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, 2021, equation 10).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from musicu.errors import QueryError
from musicu.records import check_count, check_number, short

Floats = NDArray[np.float64]

_NODES = 161  # of the integrals; boundaries are the same to 1e-6 with twice as many
_FAR = 9.0  # standard deviations beyond which no boundary is told apart


class Design(Protocol):
    """When an experiment is looked at, and what that costs."""

    @property
    def words(self) -> str:
        """The design in words, for reports."""
        ...

    def critical(self, alpha: float, freedom: float) -> float:
        """How many standard errors an interval of 1 - alpha takes to either side, now."""
        ...

    def p_value(self, statistic: float, alpha: float, freedom: float) -> float:
        """The smallest alpha at which this look would have found the difference."""
        ...


class FixedHorizon:
    """One look, at the end."""

    words = "one look, at the planned end"

    def critical(self, alpha: float, freedom: float) -> float:
        """Student's quantile."""
        return float(stats.t.isf(alpha / 2, freedom))

    def p_value(self, statistic: float, alpha: float, freedom: float) -> float:
        """Student's two-sided p-value."""
        return float(2 * stats.t.sf(abs(statistic), freedom))


class GroupSequential:
    """Planned looks, of which this is the last so far.

    fractions: the share of the planned units that each look so far had, rising, the last one that
    of now; at most 1.
    """

    def __init__(self, fractions: Sequence[float]) -> None:
        if not isinstance(fractions, Sequence) or isinstance(fractions, str):
            raise QueryError(f"looks at {short(fractions)}: give a list of shares, such as [0.5]")
        self.fractions = tuple(check_number("a look", fraction) for fraction in fractions)
        rising = all(a < b for a, b in zip(self.fractions, self.fractions[1:], strict=False))
        if not self.fractions or self.fractions[0] <= 0 or self.fractions[-1] > 1 or not rising:
            raise QueryError(
                f"looks at {self.fractions}: give rising shares of the planned units, "
                "above 0 and at most 1"
            )

    @classmethod
    def evenly(cls, done: int, planned: int) -> GroupSequential:
        """The looks 1 to `done` of `planned` ones, equally far apart."""
        if check_count("done", done) > check_count("planned", planned):
            raise QueryError(f"look {done} of {planned}: give a look between 1 and {planned}")
        return cls([look / planned for look in range(1, done + 1)])

    @property
    def words(self) -> str:
        """The design in words, for reports."""
        return (
            f"group-sequential, look {len(self.fractions)} at "
            f"{100 * self.fractions[-1]:.0f} % of the planned units"
        )

    def critical(self, alpha: float, freedom: float) -> float:
        """The boundary of this look, at its nominal level in Student's distribution."""
        return _as_student(boundaries(self.fractions, alpha)[-1], freedom)

    def p_value(self, statistic: float, alpha: float, freedom: float) -> float:
        """The repeated p-value (Jennison and Turnbull, 2000, chapter 9)."""
        reached = abs(statistic)

        def beyond(log_level: float) -> float:
            return self.critical(math.exp(log_level), freedom) - reached

        lowest, highest = math.log(1e-12), math.log(0.999)
        if beyond(highest) >= 0:
            return 1.0
        if beyond(lowest) <= 0:
            return 1e-12
        return math.exp(optimize.brentq(beyond, lowest, highest, xtol=1e-6))


class AnytimeValid:
    """Any number of looks at any time.

    fraction: the share of the planned units that are in; the interval is narrowest at 1.
    """

    def __init__(self, fraction: float = 1.0) -> None:
        self.fraction = check_number("the share of planned units", fraction, above=0)

    words = "anytime-valid: any number of looks"

    def critical(self, alpha: float, freedom: float) -> float:
        """The half-width of the confidence sequence, in standard errors."""
        mixed = self._mixed(alpha)
        log_ratio = 0.5 * math.log1p(mixed) - math.log(alpha)
        return _as_student(math.sqrt(2 * (mixed + 1) / mixed * log_ratio), freedom)

    def p_value(self, statistic: float, alpha: float, freedom: float) -> float:
        """The alpha at which the sequence tuned for `alpha` would just exclude zero."""
        mixed = self._mixed(alpha)
        reached = float(stats.norm.isf(stats.t.sf(abs(statistic), freedom)))
        if math.isinf(reached):
            return 0.0
        log_p = 0.5 * math.log1p(mixed) - reached**2 * mixed / (2 * (mixed + 1))
        return min(1.0, math.exp(log_p))

    def _mixed(self, alpha: float) -> float:
        """The variance of the mixture times the units so far, tuned for the planned end."""
        log_alpha = -2 * math.log(alpha)
        return self.fraction * (log_alpha + math.log1p(log_alpha))


def spent(fraction: float, alpha: float) -> float:
    """The error spent up to a share of the units, half of it on either side.

    A side of alpha / 2 has spent 2 - 2 Phi(z(alpha/4) / sqrt(fraction)).
    """
    return float(4 * special.ndtr(special.ndtri(alpha / 4) / math.sqrt(fraction)))


def boundaries(fractions: Sequence[float], alpha: float) -> list[float]:
    """The two-sided boundary of each look, in standard errors: at most 9, which nothing reaches.

    With five even looks at .05: 4.88, 3.36, 2.68, 2.29, 2.03.
    """
    found: list[float] = []
    points, density = np.zeros(1), np.ones(1)
    before, used = 0.0, 0.0
    for fraction in fractions:
        step, now = math.sqrt(fraction - before), math.sqrt(fraction)
        budget = spent(fraction, alpha) - used

        leaving = partial(_crossing, points, density, now, step)
        bound = _FAR
        if leaving(_FAR) < budget:
            bound = float(optimize.brentq(lambda b, at=leaving, left=budget: at(b) - left, 0, _FAR))
        found.append(bound)
        points, density = _carry(points, density, bound * now, step)
        before, used = fraction, spent(fraction, alpha)
    return found


def _crossing(
    points: Floats, density: Floats, deviation: float, step: float, bound: float
) -> float:
    """The chance to leave the bound, in deviations, in the next step; density has the weights."""
    edge = bound * deviation
    above, below = special.ndtr((points - edge) / step), special.ndtr((-edge - points) / step)
    return float(density @ (above + below))


def _carry(points: Floats, density: Floats, bound: float, step: float) -> tuple[Floats, Floats]:
    """Nodes within the bound and the weighted density of those that have not crossed so far."""
    nodes, weights = _quadrature()
    places = nodes * bound
    moved = np.exp(-0.5 * ((places[:, None] - points) / step) ** 2)
    moved /= step * math.sqrt(2 * math.pi)
    return places, (moved @ density) * weights * bound


@cache
def _quadrature() -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights on [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights


def _as_student(normal: float, freedom: float) -> float:
    """The Student quantile at the level that a normal quantile has."""
    return float(stats.t.isf(stats.norm.sf(normal), freedom)) if normal < _FAR else math.inf
