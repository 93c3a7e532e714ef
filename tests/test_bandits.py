"""Learning policies: they find the best arm, start where content says, and keep budgets exactly."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from contract_policy import PolicyContract

from musicu.errors import QueryError
from musicu.policies.bandit import Round, cascade, cascade_rounds, feature_rows
from musicu.policies.epsilon_greedy import EpsilonGreedy, always_exploring
from musicu.policies.exposure_budget import BudgetedPolicy, ExposureBudget
from musicu.policies.item_thompson import ItemThompson
from musicu.policies.linear_thompson import LinearThompson, SquareCB

RATES = {"a": 0.1, "b": 0.2, "c": 0.5, "d": 0.15}
ONE_HOT = {name: np.eye(4)[n].tolist() for n, name in enumerate(RATES)}


class TestItemThompson(PolicyContract):
    name = "item-thompson"


class TestLinearThompson(PolicyContract):
    name = "linear-thompson"


class TestSquareCB(PolicyContract):
    name = "squarecb"


def played(policy: Any, rounds: int, batch: int, seed: int = 0) -> Counter[str]:
    """What a policy takes that learns in batches; the last quarter of the rounds."""
    rng, waiting, taken = np.random.default_rng(seed), list[Round](), Counter[str]()
    names = list(RATES)
    for number in range(rounds):
        action = names[policy.choose({}, names, rng).action]
        waiting.append(Round(action, float(rng.random() < RATES[action]), {}))
        if len(waiting) == batch:
            policy.update(waiting)
            waiting = []
        if number >= 0.75 * rounds:
            taken[action] += 1
    return taken


@pytest.mark.parametrize(
    "policy",
    [ItemThompson(draws=30), LinearThompson(ONE_HOT, draws=30), SquareCB(ONE_HOT, gamma=10)],
    ids=["item", "linear", "squarecb"],
)
def test_the_best_arm_is_found_from_delayed_batches(policy: Any) -> None:
    taken = played(policy, 1200, batch=50)
    assert taken["c"] > 0.75 * sum(taken.values())


def test_a_log_of_another_policy_warms_up() -> None:
    rng = np.random.default_rng(0)
    log = [
        Round(name, float(rng.random() < RATES[name]), {})
        for name in rng.choice(list(RATES), 800).tolist()
    ]
    policy = ItemThompson()
    policy.update(log)
    choices = [policy.choose({}, list(RATES), rng).action for _ in range(100)]
    assert choices.count(2) > 90


def test_a_new_track_starts_where_its_sound_says() -> None:
    rng = np.random.default_rng(1)
    sound = {f"t{n}": [n % 2, 0.3 * rng.normal()] for n in range(40)} | {"new": [1, 0.0]}
    policy = ItemThompson(sound)
    names = [f"t{n}" for n in range(40)]
    policy.update(
        [
            Round(name, float(rng.random() < (0.4 if sound[name][0] else 0.05)), {})
            for name in names
            for _ in range(20)
        ]
    )
    assert policy.expected({}, ["new"])[0] == pytest.approx(0.4, abs=0.08)
    assert policy.expected({}, ["never described"])[0] < 0.15  # as those whose numbers are 0


def test_segments_share_what_items_earn_elsewhere() -> None:
    policy = ItemThompson(strength=10, start=0.1)
    policy.update([Round("a", 1.0, {"segment": 1})] * 50 + [Round("b", 0.0, {"segment": 1})] * 50)
    new = policy.expected({"segment": 2}, ["a", "b"])
    assert new[0] > new[1]
    alone = ItemThompson(strength=10, start=0.1, shares=False)
    alone.update([Round("a", 1.0, {"segment": 1})] * 50)
    assert alone.expected({"segment": 2}, ["a"]) == pytest.approx([0.1])


def test_inverse_gap_weighting_is_its_formula() -> None:
    policy = SquareCB(gamma=8.0, power=0.0)
    found = policy.probabilities(np.array([0.2, 0.5, 0.4]))
    assert found[0] == pytest.approx(1 / (3 + 8 * 0.3))
    assert found[2] == pytest.approx(1 / (3 + 8 * 0.1))
    assert found.sum() == pytest.approx(1)


def test_linear_posterior_is_ridge_regression() -> None:
    rng = np.random.default_rng(0)
    features = {str(n): rng.normal(size=3).tolist() for n in range(30)}
    context = {"listener": [0.5, -1.0]}
    rounds = [Round(name, float(rng.normal()), context) for name in features]
    policy = LinearThompson(features, ridge=2.0)
    policy.update(rounds[:11])
    policy.update(rounds[11:])
    rows = feature_rows(features, context, list(features))
    target = np.array([each.reward for each in rounds])
    weights = np.linalg.solve(rows.T @ rows + 2 * np.eye(rows.shape[1]), rows.T @ target)
    assert np.allclose(policy.expected(context, list(features)), rows @ weights)
    with pytest.raises(QueryError, match="of one length, or none"):
        policy.update([Round("1", 1.0, {})])


def test_a_carousel_is_seen_to_its_last_play_or_to_what_is_visible() -> None:
    assert cascade([0, 0, 0, 0, 0], visible=3) == 3
    assert cascade([0, 1, 0, 0, 1, 0], visible=3) == 5
    assert cascade([0], visible=3) == 1
    found = cascade_rounds(["a", "b", "c", "d"], [0, 0, 0, 0], 2, {"segment": 4})
    assert [each.action for each in found] == ["a", "b"]


GROUPS = {f"{group}{n}": group for group in ("big", "small", "new") for n in range(4)}


def day(policy: BudgetedPolicy, rounds: int, seed: int = 0) -> dict[str, Any]:
    rng, names = np.random.default_rng(seed), list(GROUPS)
    for _ in range(rounds):
        policy.choose({}, names, rng)
    return {row["group"]: row for row in policy.report().to_pylist()}


@pytest.mark.parametrize("inner", [EpsilonGreedy(0.1), always_exploring(), ItemThompson(draws=5)])
def test_budgets_are_kept_exactly_over_a_day(inner: Any) -> None:
    budget = ExposureBudget(GROUPS, {"new": 0.2, "small": 0.05}, {"big": 0.6}, 730, 50)
    found = day(BudgetedPolicy(inner, budget), 730)
    assert all(row["kept"] for row in found.values())
    assert found["new"]["exposures"] >= 146
    assert found["small"]["exposures"] >= 37
    assert found["big"]["exposures"] <= 438


def test_a_greedy_policy_gives_a_group_no_more_than_it_is_owed() -> None:
    budget = ExposureBudget(GROUPS, {"new": 0.1}, planned=500, every=100)
    found = day(BudgetedPolicy(EpsilonGreedy(0.0), budget), 500)
    assert found["new"]["exposures"] == 50
    assert found["big"]["exposures"] == 450


def test_propensities_are_those_among_what_is_left() -> None:
    budget = ExposureBudget(GROUPS, most={"big": 0.0}, planned=10, every=10)
    choice = BudgetedPolicy(always_exploring(), budget).choose(
        {}, list(GROUPS), np.random.default_rng(0)
    )
    assert choice.propensity == pytest.approx(1 / 8)
    assert not list(GROUPS)[choice.action].startswith("big")


def test_the_guardrail_goes_before_what_a_group_is_owed_and_the_report_says_so() -> None:
    policy = ItemThompson(start=0.1, strength=1, draws=20)
    policy.update([Round("big0", 1.0, {})] * 50 + [Round("new0", 0.0, {})] * 50)
    budget = ExposureBudget(GROUPS, {"new": 0.5}, planned=20, every=10, guardrail=0.9)
    guarded = BudgetedPolicy(policy, budget)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert guarded.choose({}, ["big0", "new0"], rng).action == 0
    (row,) = [r for r in guarded.report().to_pylist() if r["group"] == "new"]
    assert not row["kept"]
    with pytest.raises(QueryError, match="a guardrail needs them"):
        BudgetedPolicy(always_exploring(), budget)


def test_budgets_that_cannot_be_kept_are_refused() -> None:
    with pytest.raises(QueryError, match=r"sums to 1.1"):
        ExposureBudget(GROUPS, {"new": 0.6, "small": 0.5})
    with pytest.raises(QueryError, match="at least more than at most"):
        ExposureBudget(GROUPS, {"new": 0.6}, {"new": 0.5})
    with pytest.raises(QueryError, match="a rate between 0 and 1"):
        ItemThompson(start=0)
