from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from musicu.errors import QueryError
from musicu.evaluation.vectors.metrics import (
    average_precision,
    hit_at,
    ndcg_at,
    precision_at,
    recall_at,
)


def ranks(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_average_precision_by_hand() -> None:
    assert average_precision(ranks(0, 2, 5)) == pytest.approx((1 / 1 + 2 / 3 + 3 / 6) / 3)


def test_ndcg_by_hand() -> None:
    gained = 1 / math.log2(2) + 1 / math.log2(5)
    ideal = 1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg_at(ranks(0, 3, 12), 10) == pytest.approx(gained / ideal)


def test_recall_counts_all_relevant_even_beyond_k() -> None:
    assert recall_at(np.arange(20), 10) == 0.5
    assert recall_at(ranks(3, 10), 10) == 0.5


def test_precision_divides_by_the_candidates_where_they_are_fewer_than_k() -> None:
    assert precision_at(ranks(0, 1, 11), 10, candidates=30) == 0.2
    assert precision_at(ranks(0, 1), 10, candidates=4) == 0.5


def test_hit_is_all_or_nothing() -> None:
    assert hit_at(ranks(0, 7), 1) == 1.0
    assert hit_at(ranks(1, 7), 1) == 0.0


@pytest.mark.parametrize("count", [1, 3, 10, 15])
def test_a_perfect_ranking_scores_one(count: int) -> None:
    best = np.arange(count)
    assert average_precision(best) == 1.0
    assert ndcg_at(best, 10) == pytest.approx(1.0)
    assert hit_at(best, 1) == 1.0
    assert precision_at(best, min(count, 10), candidates=100) == 1.0


def test_a_query_without_anything_relevant_is_refused() -> None:
    with pytest.raises(QueryError, match="leave it out"):
        average_precision(ranks())


@given(st.integers(2, 60).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_metrics_agree_with_scikit_learn(drawn: tuple[int, set[int]]) -> None:
    size, relevant = drawn
    if not relevant:
        return
    truth = np.zeros(size)
    truth[list(relevant)] = 1
    scores = -np.arange(size, dtype=float)
    found = np.array(sorted(relevant))
    assert average_precision(found) == pytest.approx(average_precision_score(truth, scores))
    expected = ndcg_score(truth[None], scores[None], k=10, ignore_ties=True)
    assert ndcg_at(found, 10) == pytest.approx(expected)
