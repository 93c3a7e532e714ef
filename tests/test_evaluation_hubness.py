from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from musicu.evaluation.similarity_ranking import unit_vectors
from musicu.evaluation.vectors.spaces import k_occurrence, powers, skewness


def test_the_middle_of_a_star_is_in_every_list() -> None:
    spokes = np.eye(9)[1:]
    star = unit_vectors(np.concatenate([np.eye(9)[:1], np.eye(9)[0] + spokes]))
    assert k_occurrence(star, k=1).tolist() == [8, 1, 0, 0, 0, 0, 0, 0, 0]


def test_skewness_agrees_with_scipy() -> None:
    occurrence = np.random.default_rng(0).poisson(10, size=200) ** 2
    expected = stats.skew(occurrence)
    assert skewness(powers(occurrence).sum(axis=0)) == pytest.approx(expected)


def test_skewness_of_equal_numbers_is_zero() -> None:
    assert skewness(powers(np.full(20, 10)).sum(axis=0)) == 0.0
