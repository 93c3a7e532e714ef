"""Learned rankers: what they learn, what they choose, when they refuse, and their reasons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from candidates_samples import NOW
from ranker_samples import Log, made_log

from musicu.candidates import ForYou, find_candidates
from musicu.errors import ModelError, QueryError
from musicu.listening.profile_arrays import ProfileArrays, UserProfile
from musicu.listening.profiles import tastes
from musicu.ranking.graded_lists import GradedLists, list_ndcg
from musicu.ranking.learned_ranker import LearnedRanker, features_for
from musicu.ranking.list_models import fit_linear, fit_trees, has_lightgbm
from musicu.ranking.ranker import Pool
from musicu.ranking.ranker_training import train_ranker
from musicu.ranking.ranking_features import FEATURES, percentiles

KINDS = [
    pytest.param("trees", marks=pytest.mark.skipif(not has_lightgbm(), reason="no LightGBM")),
    "linear",
]


@pytest.fixture(scope="module")
def log() -> Log:
    return made_log()


@pytest.fixture(scope="module")
def rankers(log: Log) -> dict[str, LearnedRanker]:
    kinds = ["linear"] + (["trees"] if has_lightgbm() else [])
    return {
        kind: train_ranker(log.items, log.exposures, log.outcomes, log.listens, kind=kind)
        for kind in kinds
    }


def pool_of(log: Log) -> Pool:
    """All tracks, for each of some listeners."""
    users = [UserProfile(*found) for found in tastes(log.listens, log.items.vectors, now=NOW)][:5]
    count = len(log.items)
    return Pool(
        ProfileArrays.of(log.items, users),
        np.repeat(np.arange(5), count),
        np.tile(np.arange(count), 5),
        np.full(5 * count, -1, np.int32),
        np.zeros(5 * count, np.float32),
        "for-you",
        NOW,
    )


def graded(seed: int = 0) -> GradedLists:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(2000, 4))
    grade = np.clip(np.round(features[:, 0] - features[:, 2] + rng.normal(0, 0.5, 2000)), 0, 3)
    return GradedLists.of(features, grade, np.full(200, 10))


@pytest.mark.parametrize("kind", KINDS)
def test_models_order_held_out_lists_and_their_contributions_sum_to_scores(kind: str) -> None:
    train, test = graded(0), graded(1)
    model = fit_trees(train) if kind == "trees" else fit_linear(train)
    scores = model.scores(test.features)
    assert np.nanmean(list_ndcg(scores, test.gain, test.sizes, 5)) > 0.85
    assert np.allclose(model.contributions(test.features).sum(axis=1), scores)


def test_ndcg_is_its_formula() -> None:
    found = list_ndcg([1, 3, 2, 0], [0, 1, 3, 0], [3, 1], 2)
    told = (1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3))
    assert found[0] == pytest.approx(told)
    assert np.isnan(found[1])


@pytest.mark.parametrize("kind", KINDS)
def test_what_listeners_like_is_learned_although_others_stood_first(
    kind: str, log: Log, rankers: dict[str, LearnedRanker]
) -> None:
    ranker = rankers[kind]
    assert ranker.note == ""
    assert ranker.report["over_taste"][0] > 0
    pool = pool_of(log)
    score = ranker.rank(pool).score
    popular = np.corrcoef(score, log.items.plays[pool.row])[0, 1]
    assert popular > 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_the_variant_that_ships_is_not_worse_than_naive_and_position(
    kind: str, rankers: dict[str, LearnedRanker]
) -> None:
    ndcg = rankers[kind].report["ndcg"]
    assert set(ndcg) == {"naive", "position", "ipw"}
    assert ndcg[rankers[kind].report["variant"]] >= max(ndcg["naive"], ndcg["position"])


@pytest.mark.parametrize("kind", KINDS)
def test_parts_sum_to_scores_and_scores_are_calibrated(
    kind: str, log: Log, rankers: dict[str, LearnedRanker]
) -> None:
    found = rankers[kind].rank(pool_of(log))
    total = sum(part.astype(np.float64) for part in found.parts.values())
    assert np.allclose(total, found.score, atol=1e-4)
    assert rankers[kind].report["calibration_error"] < 0.05
    likely = rankers[kind].probabilities(pool_of(log))
    assert ((likely > 0) & (likely < 1)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_falls_where_its_reason_is_taken_away(
    kind: str, log: Log, rankers: dict[str, LearnedRanker]
) -> None:
    """The feature of the largest part becomes that of other tracks."""
    ranker, pool = rankers[kind], pool_of(log)
    assert ranker.model is not None
    made = features_for(ranker.model, ranker._maker(pool).features(pool))
    terms = ranker.model.contributions(made)[:, :-1]
    best, score = terms.argmax(axis=1), ranker.model.scores(made)
    rng = np.random.default_rng(0)
    without = np.zeros(len(made))
    for _ in range(20):
        changed = made.copy()
        changed[np.arange(len(made)), best] = made[rng.permutation(len(made)), best]
        without += ranker.model.scores(changed) / 20
    spoken = terms.max(axis=1) > 1e-9
    assert (without < score)[spoken].mean() > 0.95


def test_few_exposures_are_ranked_by_taste_and_say_so(log: Log) -> None:
    few = made_log(pages=30)
    ranker = train_ranker(few.items, few.exposures, few.outcomes, few.listens)
    assert "a ranker needs 100" in ranker.note
    pool = pool_of(few)
    assert np.array_equal(ranker.rank(pool).score, _taste(pool))


def test_rewards_by_chance_do_not_beat_taste_and_say_so() -> None:
    log = made_log(pages=400, likes_popular=0.0, chance=1.0)
    ranker = train_ranker(log.items, log.exposures, log.outcomes, log.listens, kind="linear")
    assert "not clearly better" in ranker.note
    pool = pool_of(log)
    assert np.array_equal(ranker.rank(pool).score, _taste(pool))


def _taste(pool: Pool) -> np.ndarray:
    from musicu.ranking.taste import TasteRanker

    return TasteRanker().rank(pool).score


def test_candidates_of_a_learned_ranker_have_its_reasons(
    log: Log, rankers: dict[str, LearnedRanker]
) -> None:
    found = find_candidates(
        log.items, log.listens, [ForYou()], k=5, now=NOW, ranker=rankers["linear"]
    )
    reasons = found["reason"].to_pylist()
    assert any("popular" in text for text in reasons)
    words = {text for text in FEATURES.values() if text}
    for text in reasons:
        parts = text.removesuffix(".").split(", ")
        assert parts[0] == "For you"
        assert set(parts[1:]) <= words


def test_other_vectors_are_refused(log: Log, rankers: dict[str, LearnedRanker]) -> None:
    other = replace(rankers["linear"], vectors="abc")
    with pytest.raises(ModelError, match="other vectors"):
        other.rank(pool_of(log))
    with pytest.raises(QueryError, match="musicu train ranker"):
        LearnedRanker().rank(pool_of(log))


def test_percentiles_halve_ties() -> None:
    found = percentiles(np.array([1.0, 1.0, 5.0, np.nan]))
    assert found[:3].tolist() == pytest.approx([1 / 3, 1 / 3, 5 / 6])
    assert np.isnan(found[3])


def test_tables_that_do_not_fit_say_what_is_missing(log: Log, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="no column 'propensity'"):
        train_ranker(log.items, log.exposures.drop_columns("propensity"), log.outcomes)
    with pytest.raises(QueryError, match="trees, linear"):
        train_ranker(log.items, log.exposures, log.outcomes, kind="forest")
