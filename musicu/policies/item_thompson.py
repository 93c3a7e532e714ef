"""Thompson sampling per item, whose priors say what its content and its other listeners say.

Each item has a Beta posterior of its success rate, one for each segment of listeners (`segment` of
the context). Its prior has the mean of what is known one step up: of a segment, the item's rate
over all segments; of the item, a linear fit of the rates of all items on their features, so that a
new track starts where its sound says; without features, the mean rate of items; before there are
any rounds `start`. Where no strength is given, both the level of these means and the strength of
the prior are learned from all items (`rate_prior`). With a low start, a strength and no sharing it
is the pessimistic segment policy of Bendada, Salha and Bontempelli (RecSys 2020).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from musicu.errors import QueryError
from musicu.policies.bandit import DRAWS, Context, Doubles, Round, best_counts, drawn
from musicu.policies.policy import Choice
from musicu.policies.rate_prior import LEAST, USUAL, fitted_prior

_RIDGE = 10.0  # of the fit on features, in rounds


@dataclass(eq=False)
class ItemThompson:
    """Thompson sampling per item and segment.

    features: by action, all of one length. strength: of a prior, in rounds; None: learned from the
    items that were tried. start: the rate before anything is known. shares: whether priors learn
    from other items and segments.
    """

    features: Mapping[str, Sequence[float]] = field(default_factory=dict)
    strength: float | None = None
    start: float = 0.5
    shares: bool = True
    draws: int = DRAWS
    name: str = "item-thompson"

    def __post_init__(self) -> None:
        """Nothing is known yet. Raises QueryError for what is no rate."""
        if not 0 < self.start < 1 or (self.strength is not None and self.strength <= 0):
            raise QueryError(
                f"start is {self.start} and strength {self.strength}: a rate between 0 and 1, and "
                "rounds above 0"
            )
        self._segment: dict[tuple[object, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._item: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._fit: Doubles | None = None
        self._rounds = 0
        self._factor, self._strength, self._segment_strength = 1.0, *2 * [self.strength or USUAL]

    def choose(self, context: Context, actions: Sequence[str], rng: np.random.Generator) -> Choice:
        """An action by how often it is the best of a draw."""
        return drawn(self.distribution(context, actions), rng)

    def distribution(self, context: Context, actions: Sequence[str]) -> Doubles:
        """How likely each action is taken: float64 [actions]."""
        good, bad = self.posterior(context, actions)
        noise = np.random.default_rng(self._rounds)
        samples = noise.beta(good, bad, (self.draws, len(actions)))
        return best_counts(samples, noise)

    def expected(self, context: Context, actions: Sequence[str]) -> Doubles:
        """The mean of each posterior."""
        good, bad = self.posterior(context, actions)
        return np.asarray(good / (good + bad))

    def posterior(self, context: Context, actions: Sequence[str]) -> tuple[Doubles, Doubles]:
        """The two numbers of each action's Beta: float64 [actions] each."""
        prior = self._priors(actions)
        if "segment" in context:
            if self.shares:
                won, lost = _counts(self._item, actions)
                prior = (self._strength * prior + won) / (self._strength + won + lost)
            keys = [(context["segment"], action) for action in actions]
            won, lost = _counts(self._segment, keys)
            strength = self._segment_strength
        else:
            won, lost = _counts(self._item, actions)
            strength = self._strength
        return strength * prior + won, strength * (1 - prior) + lost

    def update(self, rounds: Sequence[Round]) -> None:
        """Learn from rounds; a reward counts as 1 above 0 and as 0 otherwise."""
        for each in rounds:
            side = 0 if each.reward > 0 else 1
            self._item[each.action][side] += 1
            if "segment" in each.context:
                self._segment[each.context["segment"], each.action][side] += 1
        self._rounds += len(rounds)
        if rounds and self.shares:
            self._fit = self._fitted()
            if self.strength is None:
                self._learn_priors()

    def _priors(self, actions: Sequence[str]) -> Doubles:
        if self._fit is None:
            return np.full(len(actions), self.start)
        return np.clip(self._factor * (self._rows(actions) @ self._fit), LEAST, 1 - LEAST)

    def _learn_priors(self) -> None:
        """The level of the prior means and the strengths under which the rounds are likeliest."""
        self._factor = 1.0
        names = list(self._item)
        won, lost = _counts(self._item, names)
        self._factor, self._strength = fitted_prior(won, lost, self._priors(names))
        if self._segment:
            keys = list(self._segment)
            place = {name: number for number, name in enumerate(names)}
            own = np.array([place[name] for _, name in keys])
            rate = (self._strength * self._priors(names) + won) / (self._strength + won + lost)
            parts = _counts(self._segment, keys)
            self._segment_strength = fitted_prior(*parts, rate[own], np.ones(1))[1]

    def _rows(self, actions: Sequence[str]) -> Doubles:
        width = len(self._fit) - 1 if self._fit is not None else self._width
        own = np.zeros((len(actions), width))
        if width:
            for place, action in enumerate(actions):
                if action in self.features:
                    own[place] = self.features[action]
        return np.column_stack([np.ones(len(actions)), own])

    @property
    def _width(self) -> int:
        return len(next(iter(self.features.values()))) if self.features else 0

    def _fitted(self) -> Doubles:
        """Rates by features: weighted least squares, each item by its rounds."""
        names = list(self._item)
        self._fit = None
        rows = self._rows(names)
        won, lost = _counts(self._item, names)
        weight = won + lost
        penalty = np.full(rows.shape[1], _RIDGE)
        penalty[0] = 1e-6
        gram = rows.T @ (weight[:, None] * rows) + np.diag(penalty)
        return np.asarray(np.linalg.solve(gram, rows.T @ won))


def _counts(known: Mapping[Any, list[float]], keys: Sequence[object]) -> tuple[Doubles, Doubles]:
    """Successes and failures of each key."""
    found = np.array([known.get(key, (0.0, 0.0)) for key in keys], np.float64)
    return found[:, 0], found[:, 1]
