"""What a policy would have earned, from the log of another: one function an estimator.

Each gives for every round a part that is averaged and a part that is a ratio of sums, so that
value = mean(base) + sum(top) / sum(bottom). w is the policy's probability of the logged action
over the log's, q the expected reward, r the reward:

- dm: the direct method, mean of sum_a pi(a) q(a)
- ips: mean of w r (Horvitz and Thompson, 1952), snips: sum of w r over sum of w (Swaminathan and
  Joachims, NeurIPS 2015)
- dr: dm plus the mean of w (r - q) (Dudik, Langford and Li, ICML 2011), sndr: with that mean
  divided by the mean of w
- switch-dr: dr, without the correction where w is above a limit (Wang, Agarwal and Dudik, ICML
  2017)
- dros: dr, with w shrunk to L w / (w^2 + L) (Su, Dimakopoulou, Krishnamurthy and Dudik, ICML 2020)

The limit and L are chosen among quantiles of w by the smallest sum of variance and squared bias,
both estimated from the log (Su et al., 2020, section 5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeightedRounds:
    """What estimators read, float64 [rounds] each.

    weight: the policy's probability of the logged action over the log's. reward. direct: the
    reward expected of the policy. expected: the reward expected of the logged action.
    """

    weight: Floats
    reward: Floats
    direct: Floats
    expected: Floats


@dataclass(frozen=True, slots=True)
class Terms:
    """value = mean(base) + sum(top) / sum(bottom); float64 [rounds] each.

    used: the weight with which `top` has a round's reward minus the reward expected of it.
    """

    base: Floats
    top: Floats
    bottom: Floats
    used: Floats

    @property
    def value(self) -> float:
        """The estimate."""
        return float(self.base.mean() + self.top.sum() / self.bottom.sum())


Estimator = Callable[[WeightedRounds], Terms]


def direct_method(rounds: WeightedRounds) -> Terms:
    """The reward model alone."""
    zero = np.zeros_like(rounds.direct)
    return Terms(rounds.direct, zero, zero + 1, zero)


def inverse_propensity(rounds: WeightedRounds) -> Terms:
    """Rewards, weighted."""
    zero = np.zeros_like(rounds.weight)
    return Terms(zero, rounds.weight * rounds.reward, zero + 1, rounds.weight)


def self_normalised(rounds: WeightedRounds) -> Terms:
    """Rewards, weighted, over the sum of weights."""
    top = rounds.weight * rounds.reward
    return Terms(np.zeros_like(top), top, rounds.weight, rounds.weight)


def doubly_robust(rounds: WeightedRounds) -> Terms:
    """The reward model, corrected where the log says otherwise."""
    return _corrected(rounds, rounds.weight)


def self_normalised_doubly_robust(rounds: WeightedRounds) -> Terms:
    """The same, with weights that sum to the number of rounds."""
    terms = _corrected(rounds, rounds.weight)
    return Terms(terms.base, terms.top, rounds.weight, rounds.weight / rounds.weight.mean())


def switched(rounds: WeightedRounds) -> Terms:
    """Doubly robust, without the correction where weights are large."""
    limits = _limits(rounds.weight)
    return _least_error(rounds, [np.where(rounds.weight <= a, rounds.weight, 0) for a in limits])


def shrunk(rounds: WeightedRounds) -> Terms:
    """Doubly robust, with weights shrunk the more the larger they are."""
    weight = rounds.weight
    candidates = [limit**2 * weight / (weight**2 + limit**2) for limit in _limits(weight)]
    return _least_error(rounds, [*candidates, weight])


ESTIMATORS: dict[str, Estimator] = {
    "dm": direct_method,
    "ips": inverse_propensity,
    "snips": self_normalised,
    "dr": doubly_robust,
    "sndr": self_normalised_doubly_robust,
    "switch-dr": switched,
    "dros": shrunk,
}


def _corrected(rounds: WeightedRounds, weight: Floats) -> Terms:
    top = weight * (rounds.reward - rounds.expected)
    return Terms(rounds.direct, top, np.ones_like(top), weight)


def _limits(weight: Floats) -> Floats:
    """Values of the weights that are tried: from their median to their largest."""
    return np.maximum(np.quantile(weight, [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1]), 1e-12)


def _least_error(rounds: WeightedRounds, candidates: list[Floats]) -> Terms:
    """The candidate with the smallest estimated variance plus squared bias."""
    left = rounds.reward - rounds.expected

    def error(weight: Floats) -> float:
        values = rounds.direct + weight * left
        bias = float(((rounds.weight - weight) * left).mean())
        return float(values.var()) / len(values) + bias**2

    return _corrected(rounds, min(candidates, key=error))
