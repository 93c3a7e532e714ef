"""Linear bandits: a reward that is linear in features of action and listener.

- `LinearThompson`: a normal posterior over the weights; actions are taken as often as they are the
  best of a draw from it (Agrawal and Goyal, "Thompson sampling for contextual bandits with linear
  payoffs", ICML 2013).
- `SquareCB`: inverse gap weighting of the mean (Foster and Rakhlin, "Beyond UCB", ICML 2020):
  an action whose expected reward is d below the best of K has the probability 1 / (K + gamma d).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from musicu.errors import QueryError
from musicu.policies.bandit import (
    DRAWS,
    Context,
    Doubles,
    Round,
    best_counts,
    drawn,
    feature_rows,
)
from musicu.policies.policy import Choice

Features = Mapping[str, Sequence[float]]


class RidgePosterior:
    """Bayesian linear regression: mean and covariance of the weights, brought up to date lazily.

    ridge: the precision of the prior, whose mean is 0.
    """

    def __init__(self, ridge: float) -> None:
        self._ridge = ridge
        self._precision: Doubles | None = None
        self._sums: Doubles = np.zeros(0)
        self._solved: tuple[Doubles, Doubles] | None = None

    def add(self, rows: Doubles, rewards: Doubles) -> None:
        """Rows float64 [rounds, columns] with their rewards."""
        if self._precision is None:
            self._precision = self._ridge * np.eye(rows.shape[1])
            self._sums = np.zeros(rows.shape[1])
        if rows.shape[1] != len(self._sums):
            raise QueryError(
                f"features have {rows.shape[1]} columns, and had {len(self._sums)}: give every "
                "context a `listener` of one length, or none"
            )
        self._precision += rows.T @ rows
        self._sums += rows.T @ rewards
        self._solved = None

    def solved(self, columns: int) -> tuple[Doubles, Doubles]:
        """The mean, and a root R of the covariance R Rᵀ: float64 [columns], [columns, columns]."""
        if self._precision is None:
            return np.zeros(columns), np.eye(columns) / np.sqrt(self._ridge)
        if self._solved is None:
            factor = np.linalg.cholesky(self._precision)
            inverse = np.linalg.inv(factor)
            self._solved = inverse.T @ (inverse @ self._sums), inverse.T
        return self._solved


@dataclass(eq=False)
class LinearThompson:
    """Thompson sampling with linear rewards.

    features: by action, all of one length. spread: how much wider than the posterior is drawn
    from. ridge: see `RidgePosterior`. draws: that probabilities are counted over.
    """

    features: Features = field(default_factory=dict)
    spread: float = 0.3
    ridge: float = 1.0
    draws: int = DRAWS
    name: str = "linear-thompson"

    def __post_init__(self) -> None:
        """Nothing is known yet."""
        self._posterior = RidgePosterior(self.ridge)
        self._rounds = 0

    def choose(self, context: Context, actions: Sequence[str], rng: np.random.Generator) -> Choice:
        """An action by how often it is the best of a draw."""
        return drawn(self.distribution(context, actions), rng)

    def distribution(self, context: Context, actions: Sequence[str]) -> Doubles:
        """How likely each action is taken: float64 [actions]."""
        rows = feature_rows(self.features, context, actions)
        mean, root = self._posterior.solved(rows.shape[1])
        noise = np.random.default_rng(self._rounds)
        normal = noise.standard_normal((self.draws, rows.shape[1]))
        samples = rows @ mean + self.spread * normal @ (rows @ root).T
        return best_counts(samples, noise)

    def expected(self, context: Context, actions: Sequence[str]) -> Doubles:
        """The mean of the posterior."""
        rows = feature_rows(self.features, context, actions)
        return np.asarray(rows @ self._posterior.solved(rows.shape[1])[0])

    def update(self, rounds: Sequence[Round]) -> None:
        """Learn from rounds."""
        _learn(self._posterior, self.features, rounds)
        self._rounds += len(rounds)


@dataclass(eq=False)
class SquareCB:
    """Inverse gap weighting of a linear reward.

    gamma: how greedy; it grows with the rounds seen as gamma · rounds ** power.
    """

    features: Features = field(default_factory=dict)
    gamma: float = 20.0
    power: float = 0.25
    ridge: float = 1.0
    name: str = "squarecb"

    def __post_init__(self) -> None:
        """Nothing is known yet."""
        self._posterior = RidgePosterior(self.ridge)
        self._rounds = 0

    def choose(self, context: Context, actions: Sequence[str], rng: np.random.Generator) -> Choice:
        """An action by the inverse of its gap."""
        return drawn(self.distribution(context, actions), rng)

    def distribution(self, context: Context, actions: Sequence[str]) -> Doubles:
        """How likely each action is taken: float64 [actions]."""
        return self.probabilities(self.expected(context, actions))

    def probabilities(self, expected: Doubles) -> Doubles:
        """Of actions with these expected rewards."""
        count, best = len(expected), int(np.argmax(expected))
        greed = self.gamma * max(self._rounds, 1) ** self.power
        found = 1 / (count + greed * (expected[best] - expected))
        found[best] = 0
        found[best] = 1 - found.sum()
        return np.asarray(found)

    def expected(self, context: Context, actions: Sequence[str]) -> Doubles:
        """The mean of the posterior."""
        rows = feature_rows(self.features, context, actions)
        return np.asarray(rows @ self._posterior.solved(rows.shape[1])[0])

    def update(self, rounds: Sequence[Round]) -> None:
        """Learn from rounds."""
        _learn(self._posterior, self.features, rounds)
        self._rounds += len(rounds)


def _learn(posterior: RidgePosterior, features: Features, rounds: Sequence[Round]) -> None:
    if rounds:
        rows = [feature_rows(features, each.context, [each.action]) for each in rounds]
        posterior.add(np.concatenate(rows), np.array([each.reward for each in rounds]))
