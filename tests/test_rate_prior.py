"""The prior of rates that is learned from all items."""

from __future__ import annotations

import numpy as np
import pytest

from musicu.policies.bandit import Round
from musicu.policies.item_thompson import ItemThompson
from musicu.policies.rate_prior import fitted_prior


@pytest.mark.parametrize(("mean", "strength"), [(0.05, 4.0), (0.2, 30.0), (0.02, 1.0)])
def test_the_prior_that_items_were_drawn_from_is_found(mean: float, strength: float) -> None:
    """Also where items that earned something were tried more often, as policies do."""
    rng = np.random.default_rng(3)
    rate = rng.beta(strength * mean, strength * (1 - mean), 4000)
    first = rng.binomial(5, rate)
    more = np.where(first > 5 * mean, 40, 0)
    tried, won = 5.0 + more, first + rng.binomial(more, rate).astype(float)
    over_rounds = won.sum() / tried.sum()
    factor, found = fitted_prior(won, tried - won, np.full(4000, over_rounds))
    assert over_rounds > 1.1 * mean
    assert factor * over_rounds == pytest.approx(mean, rel=0.25)
    assert strength / 1.8 < found < strength * 1.8


def earned(policy: ItemThompson, seed: int, items: int = 1500, rounds: int = 6000) -> float:
    """Ten of many items in each round, most of which earn little."""
    rng = np.random.default_rng(seed)
    rate = rng.beta(0.1, 1.9, items)
    waiting, total = list[Round](), 0.0
    for number in range(rounds):
        arms = rng.integers(items, size=10)
        names = [str(n) for n in arms.tolist()]
        action = policy.choose({}, names, rng).action
        reward = float(rng.random() < rate[arms[action]])
        total += reward
        waiting.append(Round(names[action], reward, {}))
        if number % 100 == 99:
            policy.update(waiting)
            waiting = []
    return total


def test_a_learned_prior_earns_more_among_many_items_than_one_of_all_rounds() -> None:
    learned = earned(ItemThompson(draws=20), seed=0)
    assert learned > 1.1 * earned(ItemThompson(draws=20, strength=20), seed=0)


def test_the_prior_does_not_depend_on_how_rounds_were_batched() -> None:
    rng = np.random.default_rng(0)
    rounds = [
        Round(f"t{rng.integers(30)}", float(rng.random() < 0.2), {"segment": int(rng.integers(3))})
        for _ in range(600)
    ]
    one, many = ItemThompson(), ItemThompson()
    one.update(rounds)
    for start in range(0, 600, 50):
        many.update(rounds[start : start + 50])
    names = [f"t{n}" for n in range(40)]
    for context in ({}, {"segment": 1}, {"segment": 9}):
        for first, second in zip(
            one.posterior(context, names), many.posterior(context, names), strict=True
        ):
            assert first == pytest.approx(second)


def test_a_strength_that_is_given_stays() -> None:
    policy = ItemThompson(strength=10, start=0.1, shares=False)
    policy.update([Round("a", 1.0, {})] * 5)
    assert policy.posterior({}, ["a", "b"])[0].tolist() == pytest.approx([6.0, 1.0])
    assert policy.posterior({}, ["a", "b"])[1].tolist() == pytest.approx([9.0, 9.0])
