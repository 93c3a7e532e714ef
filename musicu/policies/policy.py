"""The role of a policy: which of some actions is taken, and with what probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from musicu.errors import QueryError
from musicu.registry import Registry


@dataclass(frozen=True, slots=True)
class Choice:
    """An action that was taken.

    action: its position among the actions. propensity: the probability, above 0 and at most 1,
    with which the policy takes it in this context.
    """

    action: int
    propensity: float


class Policy(Protocol):
    """Chooses among actions; made without arguments."""

    @property
    def name(self) -> str:
        """As it is registered."""

    def choose(
        self, context: Mapping[str, Any], actions: Sequence[str], rng: np.random.Generator
    ) -> Choice:
        """One of at least one action, the best known first, with its true propensity.

        context: what is known when it is chosen. All chance comes from rng.
        """


#: Policies by name.
POLICIES: Registry[type[Policy]] = Registry(
    "policy",
    "musicu.policies",
    {
        "given": "musicu.policies.first_action:FirstAction",
        "epsilon-greedy": "musicu.policies.epsilon_greedy:EpsilonGreedy",
        "random": "musicu.policies.epsilon_greedy:always_exploring",
        "item-thompson": "musicu.policies.item_thompson:ItemThompson",
        "linear-thompson": "musicu.policies.linear_thompson:LinearThompson",
        "squarecb": "musicu.policies.linear_thompson:SquareCB",
    },
)


def order_by_policy(
    policy: Policy, actions: Sequence[str], rng: np.random.Generator
) -> list[Choice]:
    """All actions in the order in which a policy takes them, each from those that are left.

    Choice.action is a position among all of them; propensity: given the choices before. The
    context of a choice is its place (`position`, from 1) and what stands before (`chosen`).
    Raises QueryError where the policy answers what is no action, or no probability above 0.
    """
    left, taken = list(range(len(actions))), list[Choice]()
    while left:
        context = {"position": len(taken) + 1, "chosen": [actions[c.action] for c in taken]}
        choice = policy.choose(context, [actions[n] for n in left], rng)
        if not 0 <= choice.action < len(left) or not 0 < choice.propensity <= 1:
            raise QueryError(
                f"the policy {policy.name!r} answers {choice} for {len(left)} actions: it must "
                "name one of them, and a probability above 0 and at most 1"
            )
        taken.append(Choice(left.pop(choice.action), choice.propensity))
    return taken
