"""Budgets of exposure: how much of what is shown a creator or group gets, at least and at most.

`BudgetedPolicy` leaves a policy only the actions that keep the budget: none of a group at its most;
where what groups still need is all that is left until the next count, only theirs. Counts are taken
every `every` exposures and at the day's end, so that a group is not left for the evening. With
actions of every group in every round the budget is kept exactly; otherwise what is owed is shown as
soon as it can be, and the report says what was missed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from musicu.errors import QueryError
from musicu.policies.bandit import Context, LearningPolicy, Round
from musicu.policies.policy import Choice, Policy

_NEARLY = 1e-9

#: A row a group: exposures, their share, what was asked for, and whether it was kept.
BUDGET_REPORT = pa.schema(
    [
        ("group", pa.string()),
        ("exposures", pa.int64()),
        ("share", pa.float64()),
        ("least", pa.float64()),
        ("most", pa.float64()),
        ("kept", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class ExposureBudget:
    """What groups get of a day's exposures.

    groups: of each action, such as its creator, or ("emerging", "local"). least, most: shares by
    group. planned: exposures of the day. every: exposures between counts. guardrail: no action
    whose expected reward is below this share of the best one's is taken, and it goes before what
    groups are owed.
    """

    groups: Mapping[str, Sequence[str]]
    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    planned: int = 1000
    every: int = 100
    guardrail: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be kept."""
        for name, shares in (("least", self.least), ("most", self.most)):
            for group, share in shares.items():
                if not 0 <= share <= 1:
                    raise QueryError(f"{name} of {group!r} is {share}: a share goes from 0 to 1")
        for group in self.least.keys() & self.most.keys():
            if self.least[group] > self.most[group]:
                raise QueryError(f"{group!r} gets at least more than at most")
        if sum(self.least.values()) > 1 + _NEARLY:
            raise QueryError(f"what groups get at least sums to {sum(self.least.values()):.3g}")
        if not 0 <= self.guardrail <= 1:
            raise QueryError(f"the guardrail is {self.guardrail}: a share goes from 0 to 1")
        if self.planned < 1 or self.every < 1:
            raise QueryError("planned and every are numbers of exposures: give 1 or more")


class BudgetedPolicy:
    """A policy within a budget, for one day; `next_day` begins another.

    Propensities are those of the policy among the actions that it was left.
    """

    def __init__(self, policy: Policy, budget: ExposureBudget) -> None:
        if budget.guardrail and not isinstance(policy, LearningPolicy):
            raise QueryError(
                f"the policy {policy.name!r} says no expected rewards: a guardrail needs them"
            )
        self.policy, self.budget = policy, budget
        self.next_day()

    @property
    def name(self) -> str:
        """That of the policy."""
        return self.policy.name

    def next_day(self) -> None:
        """Begin to count anew."""
        self._counts: Counter[str] = Counter()
        self._shown = 0

    def choose(self, context: Context, actions: Sequence[str], rng: np.random.Generator) -> Choice:
        """What the policy takes of the actions that keep the budget."""
        left = self.allowed(context, actions)
        choice = self.policy.choose(context, [actions[n] for n in left], rng)
        action = left[choice.action]
        self._counts.update(set(self._groups(actions[action])))
        self._shown += 1
        return Choice(action, choice.propensity)

    def update(self, rounds: Sequence[Round]) -> None:
        """Hand rounds to the policy, where it learns."""
        if isinstance(self.policy, LearningPolicy):
            self.policy.update(rounds)

    def allowed(self, context: Context, actions: Sequence[str]) -> list[int]:
        """The positions of the actions that may be taken: at least one.

        Where the guardrail, the caps and what is owed leave nothing together, they count in that
        order, and the report says what was not kept.
        """
        left = list(range(len(actions)))
        for rule in (self._good, self._below_most, self._owed):
            kept = rule(context, actions, left)
            left = kept or left
        return left

    def report(self) -> pa.Table:
        """What each group got of the day so far: the columns of BUDGET_REPORT."""
        budget, rows = self.budget, []
        for group in sorted({*self._counts, *budget.least, *budget.most}):
            count, least, most = (
                self._counts[group],
                budget.least.get(group),
                budget.most.get(group),
            )
            low = math.floor((least or 0.0) * self._shown + _NEARLY)
            high = math.ceil((1.0 if most is None else most) * self._shown - _NEARLY)
            share = count / self._shown if self._shown else 0.0
            kept = low <= count <= high
            rows.append(
                {"group": group, "exposures": count, "share": share, "least": least, "most": most,
                 "kept": kept}
            )  # fmt: skip
        return pa.Table.from_pylist(rows, schema=BUDGET_REPORT)

    def _groups(self, action: str) -> Sequence[str]:
        found = self.budget.groups.get(action, ())
        return (found,) if isinstance(found, str) else found

    def _good(self, context: Context, actions: Sequence[str], left: list[int]) -> list[int]:
        if not self.budget.guardrail or not isinstance(self.policy, LearningPolicy):
            return left
        expected = self.policy.expected(context, actions)
        floor = self.budget.guardrail * float(expected.max())
        return [n for n in left if expected[n] >= floor]

    def _below_most(self, context: Context, actions: Sequence[str], left: list[int]) -> list[int]:
        end = self._end()
        full = {
            group
            for group, share in self.budget.most.items()
            if self._counts[group] >= math.floor(share * end + _NEARLY)
        }
        return [n for n in left if full.isdisjoint(self._groups(actions[n]))]

    def _owed(self, context: Context, actions: Sequence[str], left: list[int]) -> list[int]:
        end = self._end()
        owed = {
            group: math.ceil(share * end - _NEARLY) - self._counts[group]
            for group, share in self.budget.least.items()
        }
        owed = {group: count for group, count in owed.items() if count > 0}
        if sum(owed.values()) < end - self._shown:
            return left
        return [n for n in left if not owed.keys().isdisjoint(self._groups(actions[n]))]

    def _end(self) -> int:
        """Up to which exposure is counted next."""
        after = (self._shown // self.budget.every + 1) * self.budget.every
        if self._shown >= self.budget.planned:
            return after
        return min(after, self.budget.planned)
