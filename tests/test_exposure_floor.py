"""A group gets its share of exposure where it costs least."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from musicu.errors import QueryError
from musicu.ranking.exposure_floor import with_exposure_floor, with_exposure_floors


def made(seed: int, lists: int = 3, places: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return -np.sort(-rng.random((lists, places)), axis=1), rng.random((lists, places)) < 0.4


def worth(scores: np.ndarray, chosen: np.ndarray) -> float:
    return float(sum(scores[n, row[row >= 0]].sum() for n, row in enumerate(chosen)))


def test_without_a_share_the_best_stay() -> None:
    scores, group = made(0)
    assert with_exposure_floor(scores, group, 2, 0.0).tolist() == [[0, 1]] * 3


@pytest.mark.parametrize("seed", range(8))
def test_the_share_is_reached_and_lists_stay_best_first(seed: int) -> None:
    scores, group = made(seed, lists=40, places=20)
    found = with_exposure_floor(scores, group, 5, 0.7)
    assert found.shape == (40, 5)
    assert (np.diff(found, axis=1) > 0).all()
    share = np.take_along_axis(group, found, axis=1).mean()
    assert share >= 0.7 or share == np.sort(group, axis=1)[:, -5:].mean()
    if (before := group[:, :5].mean()) < 0.7:
        assert before < share < 0.7 + 1 / 200 + 1e-9


def test_exchanges_cost_no_more_than_any_other_choice() -> None:
    """Of one place a list, against every choice."""
    for seed in range(20):
        scores, group = made(seed)
        if group.any(axis=1).sum() < 2:
            continue
        found = with_exposure_floor(scores, group, 1, 2 / 3)
        best = max(
            scores[range(3), each].sum()
            for each in product(range(5), repeat=3)
            if group[range(3), each].sum() >= 2
        )
        assert worth(scores, found) == pytest.approx(best)


def test_lists_that_end_stay_short() -> None:
    scores = np.array([[0.9, 0.5, -np.inf], [0.8, 0.7, 0.6]])
    group = np.array([[False, False, True], [False, False, True]])
    assert with_exposure_floor(scores, group, 3, 0.2).tolist() == [[0, 1, -1], [0, 1, 2]]
    with pytest.raises(QueryError, match="fall along"):
        with_exposure_floor(scores[:, ::-1], group, 2, 0.5)
    with pytest.raises(QueryError, match="from 0 to 1"):
        with_exposure_floor(scores, group, 2, 1.5)


@pytest.mark.parametrize("seed", range(12))
def test_several_groups_have_their_shares_where_that_can_be(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = -np.sort(-rng.random((30, 25)), axis=1)
    kind = rng.choice(3, size=scores.shape, p=[0.7, 0.2, 0.1])
    groups = [kind == 1, kind == 2]
    shown = rng.random(scores.shape) < 0.4
    fixed = shown & (rng.random(scores.shape) < 0.1)
    kept = with_exposure_floors(scores, shown, groups, [0.3, 0.15], fixed)
    assert (kept.sum(axis=1) == shown.sum(axis=1)).all()
    assert kept[fixed].all()
    assert (kept & groups[0]).sum() >= 0.3 * kept.sum()
    assert (kept & groups[1]).sum() >= 0.15 * kept.sum()


def test_a_group_does_not_take_what_another_is_owed() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.6]])
    first, second = np.array([[1, 1, 0, 0]], bool), np.array([[0, 0, 1, 1]], bool)
    shown = np.array([[1, 1, 0, 0]], bool)
    kept = with_exposure_floors(scores, shown, [first, second], [0.5, 0.5])
    assert kept.tolist() == [[True, False, True, False]]
    kept = with_exposure_floors(scores, shown, [first, second], [1.0, 0.0])
    assert kept.tolist() == shown.tolist()
