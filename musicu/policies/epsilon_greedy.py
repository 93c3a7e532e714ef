"""Policies that now and then take any action: the simplest way to learn what others are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from musicu.errors import QueryError
from musicu.policies.policy import Choice


@dataclass(frozen=True, slots=True)
class EpsilonGreedy:
    """Takes the first action, and with probability epsilon any, each as likely (Sutton & Barto).

    Raises QueryError for an epsilon that is no probability.
    """

    epsilon: float = 0.1
    name: str = "epsilon-greedy"

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.epsilon <= 1:
            raise QueryError(f"epsilon is {self.epsilon}: it goes from 0 to 1")

    def choose(
        self, context: Mapping[str, Any], actions: Sequence[str], rng: np.random.Generator
    ) -> Choice:
        """An action with its propensity: epsilon / actions, and 1 - epsilon more for the first."""
        explores = rng.random() < self.epsilon
        action = int(rng.integers(len(actions))) if explores else 0
        greedy = 1 - self.epsilon if action == 0 else 0.0
        return Choice(action, greedy + self.epsilon / len(actions))


def always_exploring() -> EpsilonGreedy:
    """The policy that takes any action, each as likely."""
    return EpsilonGreedy(1.0, "random")
