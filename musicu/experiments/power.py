"""How many units, and how many days, an experiment needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from musicu.errors import QueryError
from musicu.experiments.sequential import boundaries
from musicu.records import check_count, check_number


@dataclass(frozen=True, slots=True)
class SampleSize:
    """What an experiment with two equal arms needs.

    units_per_arm: to find the difference with the wanted power. days: None without a rate.
    """

    difference: float
    lift: float
    units_per_arm: int
    days: int | None
    power: float
    alpha: float
    looks: int


def plan(
    *,
    mean: float,
    deviation: float,
    lift: float,
    power: float = 0.8,
    alpha: float = 0.05,
    looks: int = 1,
    variance_removed: float = 0.0,
    units_per_day: float | None = None,
) -> SampleSize:
    """The units that two equal arms need to find a relative difference.

    mean, deviation: of the metric over units (for a ratio, its value and the deviation of its
    units' shares, `standard_error * sqrt(units)` of an earlier report). lift: the smallest
    relative difference worth finding (.02 is two per cent). looks: even looks of a
    group-sequential design, which cost a few per cent more units. variance_removed: the share
    that a covariate takes away. units_per_day: new units of both arms together.
    Raises QueryError for values that no plan can have.
    """
    numbers = {"mean": mean, "deviation": deviation, "lift": lift, "power": power, "alpha": alpha}
    for name, value in {**numbers, "variance_removed": variance_removed}.items():
        check_number(name, value)
    check_count("looks", looks)
    if not mean * lift or not deviation > 0:
        raise QueryError("a plan needs a mean and a lift that are not 0, and a deviation above 0")
    if not (0 < alpha < power < 1) or not 0 <= variance_removed < 1:
        raise QueryError("give 0 < alpha < power < 1 and 0 <= variance_removed < 1")
    difference = abs(mean * lift)
    variance = deviation**2 * (1 - variance_removed)
    deviations = _drift(power, alpha, looks) / difference
    if deviations > 1e15:
        raise QueryError(f"a difference of {difference:g} is too small: no experiment finds it")
    units = math.ceil(2 * variance * deviations**2)
    days = None
    if units_per_day is not None:
        check_number("units_per_day", units_per_day, above=0)
        days = math.ceil(2 * units / units_per_day)
    return SampleSize(mean * lift, lift, units, days, power, alpha, looks)


def _drift(power: float, alpha: float, looks: int) -> float:
    """The expected difference at the end, in standard errors, that has the wanted power."""
    if looks == 1:
        return float(special.ndtri(power) - special.ndtri(alpha / 2))
    fractions = np.arange(1, looks + 1) / looks
    bounds = np.array(boundaries(list(fractions), alpha))
    return float(optimize.brentq(lambda d: _power(d, fractions, bounds) - power, 0.0, 20.0))


def _power(drift: float, fractions: np.ndarray, bounds: np.ndarray) -> float:
    """The chance to cross a boundary at any look: one minus staying within all of them."""
    draws = _paths(len(fractions)) + drift * np.sqrt(fractions)
    return float((np.abs(draws) >= bounds).any(axis=1).mean())


def _paths(looks: int, count: int = 1 << 15) -> np.ndarray:
    """Standardised paths without drift, by a scrambled Sobol sequence: float64 [count, looks]."""
    uniform = stats.qmc.Sobol(looks, seed=0).random(count)
    steps = special.ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
    return np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, looks + 1))
