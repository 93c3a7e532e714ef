"""Policies tell the true probability of what they take."""

from __future__ import annotations

import numpy as np
import pytest
from contract_policy import PolicyContract

from musicu.errors import QueryError
from musicu.items.constraints import Constraints
from musicu.policies.epsilon_greedy import EpsilonGreedy, always_exploring
from musicu.policies.policy import Choice, order_by_policy
from musicu.shelves.page_exploration import explore_page
from musicu.shelves.shelf import Shelf


class TestGiven(PolicyContract):
    name = "given"


class TestEpsilonGreedy(PolicyContract):
    name = "epsilon-greedy"


class TestRandom(PolicyContract):
    name = "random"


def test_epsilon_is_shared_by_all_actions() -> None:
    policy, rng = EpsilonGreedy(0.4), np.random.default_rng(0)
    choices = [policy.choose({}, "abcd", rng) for _ in range(300)]
    told = {choice.action: choice.propensity for choice in choices}
    assert told == pytest.approx({0: 0.7, 1: 0.1, 2: 0.1, 3: 0.1})
    with pytest.raises(QueryError, match=r"epsilon is 1.5: it goes from 0 to 1"):
        EpsilonGreedy(1.5)


def test_the_product_of_a_pages_propensities_is_that_of_its_order() -> None:
    orders: dict[tuple[int, ...], float] = {}
    counts: dict[tuple[int, ...], int] = {}
    for seed in range(3000):
        chosen = order_by_policy(always_exploring(), "abc", np.random.default_rng(seed))
        order = tuple(choice.action for choice in chosen)
        orders[order] = float(np.prod([choice.propensity for choice in chosen]))
        counts[order] = counts.get(order, 0) + 1
    assert len(orders) == 6
    for order, propensity in orders.items():
        assert propensity == pytest.approx(1 / 6)
        assert counts[order] / 3000 == pytest.approx(propensity, abs=0.03)


def test_an_answer_that_is_no_probability_is_refused() -> None:
    class Certain:
        name = "certain"

        def choose(self, context: object, actions: object, rng: object) -> Choice:
            return Choice(0, 0.0)

    with pytest.raises(QueryError, match=r"'certain' answers .* a probability above 0"):
        order_by_policy(Certain(), "ab", np.random.default_rng(0))


def test_a_page_says_where_each_shelf_stood_and_how_likely_its_place_was() -> None:
    shelves = [Shelf(title, (), Constraints()) for title in ("One", "Two", "Three")]
    page = explore_page(shelves, "random", seed=3, user_id="ann")
    rows = page.to_table().to_pylist()
    assert [row["position"] for row in rows] == [1, 2, 3]
    assert [row["propensity"] for row in rows] == pytest.approx([1 / 3, 1 / 2, 1])
    assert [shelves[row["given_position"] - 1].title for row in rows] == [r["shelf"] for r in rows]
    others = {tuple(explore_page(shelves, "random", user_id=f"u{n}").given) for n in range(50)}
    assert len(others) == 6  # two listeners are explored apart
