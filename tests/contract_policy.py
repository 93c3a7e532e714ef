"""What every policy keeps: inherit `PolicyContract` and say its `name`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from musicu.policies.policy import POLICIES, order_by_policy

ACTIONS = ["new for you", "deep cuts", "a daily mix"]
CONTEXT: dict[str, Any] = {"position": 1, "chosen": []}
DRAWS = 4000


class PolicyContract:
    name: str

    @pytest.fixture
    def policy(self) -> Any:
        return POLICIES.make(self.name)

    def test_name_is_the_registered_one(self, policy: Any) -> None:
        assert policy.name == self.name

    def test_propensities_are_how_often_actions_are_taken(self, policy: Any) -> None:
        rng = np.random.default_rng(0)
        told: dict[int, list[float]] = {}
        for _ in range(DRAWS):
            choice = policy.choose(CONTEXT, ACTIONS, rng)
            told.setdefault(choice.action, []).append(choice.propensity)
        for action, propensities in told.items():
            assert 0 <= action < len(ACTIONS)
            assert len(propensities) / DRAWS == pytest.approx(np.mean(propensities), abs=0.03)
        assert sum(np.mean(propensities) for propensities in told.values()) == pytest.approx(1)

    def test_one_action_is_taken_for_certain(self, policy: Any) -> None:
        choice = policy.choose(CONTEXT, ACTIONS[:1], np.random.default_rng(0))
        assert (choice.action, choice.propensity) == (0, pytest.approx(1))

    def test_all_chance_comes_from_the_seed(self, policy: Any) -> None:
        first, again = (
            order_by_policy(policy, ACTIONS, np.random.default_rng(7)) for _ in range(2)
        )
        assert first == again
        assert sorted(choice.action for choice in first) == [0, 1, 2]
