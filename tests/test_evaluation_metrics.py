from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from musicu.errors import QueryError
from musicu.evaluation.metrics import average_precision, hit_rate, ndcg, precision, recall


def ranks(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def hits(found: np.ndarray, places: int = 20) -> np.ndarray:
    """A list of hits, bool [1, places], by the ranks of the relevant items."""
    return np.isin(np.arange(places), found)[None]


def test_average_precision_by_hand() -> None:
    assert average_precision(ranks(0, 2, 5)) == pytest.approx((1 / 1 + 2 / 3 + 3 / 6) / 3)


def test_ndcg_by_hand() -> None:
    gained = 1 / math.log2(2) + 1 / math.log2(5)
    ideal = 1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(hits(ranks(0, 3, 12)), ranks(3), 10)[0] == pytest.approx(gained / ideal)


def test_recall_counts_all_relevant_even_beyond_k() -> None:
    assert recall(hits(np.arange(20)), ranks(20), 10)[0] == 0.5
    assert recall(hits(ranks(3, 10)), ranks(2), 10)[0] == 0.5


def test_precision_divides_by_the_candidates_where_they_are_fewer_than_k() -> None:
    assert precision(hits(ranks(0, 1, 11)), ranks(30), 10)[0] == 0.2
    assert precision(hits(ranks(0, 1)), ranks(4), 10)[0] == 0.5


def test_hit_is_all_or_nothing() -> None:
    assert hit_rate(hits(ranks(0, 7)), 1)[0] == 1.0
    assert hit_rate(hits(ranks(1, 7)), 1)[0] == 0.0


@pytest.mark.parametrize("count", [1, 3, 10, 15])
def test_a_perfect_ranking_scores_one(count: int) -> None:
    best = np.arange(count)
    assert average_precision(best) == 1.0
    assert ndcg(hits(best), ranks(count), 10)[0] == pytest.approx(1.0)
    assert hit_rate(hits(best), 1)[0] == 1.0
    assert precision(hits(best), ranks(100), min(count, 10))[0] == 1.0


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
    assert ndcg(hits(found, size), ranks(len(found)), 10)[0] == pytest.approx(expected)
