"""What learning policies share: rounds to learn from, and drawing by probabilities.

A policy learns in batches, as often and as late as they come: `update` takes rounds that it chose
itself, or those of another's log (a warm start). Its probabilities are exact: where they have no
formula they are counted over draws from what it knows, the same until it learns more, and the
action is drawn by those counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.policies.policy import Choice

Doubles = NDArray[np.float64]
Context = Mapping[str, Any]

DRAWS = 100  # that probabilities are counted over


@dataclass(frozen=True, slots=True)
class Round:
    """An action that was taken, and what it earned; context: what was known then."""

    action: str
    reward: float
    context: Context


@runtime_checkable
class LearningPolicy(Protocol):
    """A policy that learns, and says what it expects and how likely it takes what."""

    def distribution(self, context: Context, actions: Sequence[str]) -> Doubles:
        """How likely each action is taken: float64 [actions]."""

    def expected(self, context: Context, actions: Sequence[str]) -> Doubles:
        """The reward expected of each action: float64 [actions]."""

    def update(self, rounds: Sequence[Round]) -> None:
        """Learn from rounds, in any order."""


def drawn(probabilities: Doubles, rng: np.random.Generator) -> Choice:
    """An action by its probability; float64 [actions], at least 0, which sum to 1."""
    action = int(rng.choice(len(probabilities), p=probabilities))
    return Choice(action, float(probabilities[action]))


def best_counts(samples: Doubles, rng: np.random.Generator) -> Doubles:
    """How often each action is the best of sampled rewards, float64 [draws, actions]: shares.

    Of equals, any is as likely.
    """
    best = samples.max(axis=1, keepdims=True)
    noise = rng.random(samples.shape)
    winner = np.where(samples >= best, noise, -1.0).argmax(axis=1)
    return np.bincount(winner, minlength=samples.shape[1]) / len(samples)


def cascade(rewards: Sequence[float], visible: int) -> int:
    """How many of a carousel's cards count as seen: to the last that earned, or those visible.

    rewards: of the cards in their order; who swipes and plays has seen all before it (Bendada,
    Salha and Bontempelli, "Carousel personalization in music streaming apps with contextual
    bandits", RecSys 2020, section 4).
    """
    if visible < 1:
        raise QueryError(f"visible is {visible}: at least one card is seen")
    earned = [place + 1 for place, reward in enumerate(rewards) if reward > 0]
    return min(max([visible, *earned]), len(rewards))


def cascade_rounds(
    actions: Sequence[str], rewards: Sequence[float], visible: int, context: Context
) -> list[Round]:
    """What a carousel's feedback teaches: a round for each card that was seen."""
    seen = cascade(rewards, visible)
    pairs = zip(actions[:seen], rewards[:seen], strict=True)
    return [Round(action, float(reward), context) for action, reward in pairs]


def feature_rows(
    features: Mapping[str, Sequence[float]], context: Context, actions: Sequence[str]
) -> Doubles:
    """1, an action's features, the listener's (`listener` of the context), and their products.

    float64 [actions, columns]. An action without features has zeros.
    """
    width = len(next(iter(features.values()))) if features else 0
    own = np.zeros((len(actions), width))
    for place, action in enumerate(actions):
        if action in features:
            own[place] = features[action]
    listener = np.asarray(context.get("listener", ()), np.float64)
    if not len(listener):
        return np.column_stack([np.ones(len(actions)), own])
    whose = np.broadcast_to(listener, (len(actions), len(listener)))
    shared = min(width, len(listener))
    return np.column_stack([np.ones(len(actions)), own, whose, own[:, :shared] * whose[:, :shared]])
