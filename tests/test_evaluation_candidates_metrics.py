"""Metrics of lists of candidates: known answers, and ranx and RecTools as oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from musicu.errors import QueryError
from musicu.evaluation import metrics
from musicu.evaluation.labels import LabelGroups
from musicu.evaluation.recommendation import beyond_accuracy as beyond
from musicu.evaluation.recommendation.groups import (
    artist_matrix,
    emerging,
    listener_groups,
)
from musicu.items.creator_groups import head, track_groups

HITS = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
ANSWERS = np.array([4, 1, 9])
NOVELTIES = np.array([1.0, 2.0, 4.0])


def random_lists(seed: int) -> tuple[np.ndarray, np.ndarray, csr_matrix]:
    """Lists int64 [40, 12] of 60 tracks, whether each is an answer, and the answers."""
    rng = np.random.default_rng(seed)
    lists = np.stack([rng.permutation(60)[:12] for _ in range(40)])
    answers = rng.random((40, 60)) < 0.08
    answers[np.arange(40), rng.integers(60, size=40)] = True
    return lists, np.take_along_axis(answers, lists, axis=1), csr_matrix(answers)


def test_recall_is_of_all_answers_even_beyond_k() -> None:
    assert metrics.recall(HITS, ANSWERS, 2).tolist() == [0.25, 0, 2 / 9]
    assert metrics.recall(HITS, ANSWERS, 4).tolist() == [0.5, 0, 4 / 9]


def test_recall_of_no_answers_is_not_a_number() -> None:
    assert np.isnan(metrics.recall(HITS, np.array([0, 1, 1]), 4)[0])


def test_mrr_and_hit_rate_see_the_first_k_alone() -> None:
    assert metrics.mrr(HITS, 4).tolist() == [0.5, 0, 1]
    assert metrics.mrr(HITS, 1).tolist() == [0, 0, 1]
    assert metrics.hit_rate(HITS, 1).tolist() == [0, 0, 1]


def test_ndcg_of_a_full_list_of_answers_is_one() -> None:
    found = metrics.ndcg(HITS, ANSWERS, 4)
    ideal = sum(1 / math.log2(r + 1) for r in (1, 2, 3, 4))
    assert found[0] == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert found[1:].tolist() == pytest.approx([0, 1])


def test_a_list_shorter_than_k_misses_what_it_does_not_offer() -> None:
    short = HITS[:, :2]
    for metric in ("recall", "ndcg", "mrr", "hit rate"):
        padded = np.pad(short, ((0, 0), (0, 8)))
        both = [metrics.accuracy(h, ANSWERS, 10)[metric] for h in (short, padded)]
        assert both[0].tolist() == pytest.approx(both[1].tolist())


def test_k_and_shapes_are_checked() -> None:
    with pytest.raises(QueryError, match="k is 0"):
        metrics.recall(HITS, ANSWERS, 0)
    with pytest.raises(QueryError, match="3 lists do not fit 2 counts"):
        metrics.ndcg(HITS, ANSWERS[:2], 3)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_ndcg_agrees_with_scikit_learn(k: int) -> None:
    ndcg_score = pytest.importorskip("sklearn.metrics").ndcg_score
    lists, hits, answers = random_lists(0)
    scores = np.zeros((40, 60))
    np.put_along_axis(scores, lists, 12.0 - np.arange(12)[None, :], axis=1)
    ours = metrics.ndcg(hits, np.diff(answers.indptr), k).mean()
    assert ours == pytest.approx(ndcg_score(answers.toarray(), scores, k=k))


@pytest.mark.slow  # it compiles itself for a minute
@pytest.mark.parametrize("k", [1, 5, 10])
def test_accuracy_agrees_with_ranx(k: int) -> None:
    ranx = pytest.importorskip("ranx", reason="ranx is not installed: an oracle of the tests")
    lists, hits, answers = random_lists(0)
    qrels = {str(u): {str(t): 1 for t in answers[u].indices} for u in range(40)}
    run = {str(u): {str(t): 12.0 - r for r, t in enumerate(lists[u])} for u in range(40)}
    names = {"recall": "recall", "ndcg": "ndcg", "mrr": "mrr", "hit rate": "hit_rate"}
    theirs = ranx.evaluate(
        ranx.Qrels(qrels), ranx.Run(run), [f"{name}@{k}" for name in names.values()]
    )
    ours = metrics.accuracy(hits, np.diff(answers.indptr), k)
    for metric, name in names.items():
        assert ours[metric].mean() == pytest.approx(theirs[f"{name}@{k}"])


@pytest.mark.parametrize("k", [3, 10])
def test_metrics_agree_with_rectools(k: int) -> None:
    rectools = pytest.importorskip(
        "rectools.metrics", reason="RecTools is not installed: an oracle of the tests"
    )
    pandas = pytest.importorskip("pandas")
    lists, hits, answers = random_lists(1)
    rng = np.random.default_rng(2)
    heard = csr_matrix(rng.random((40, 60)) < 0.2)
    users = np.repeat(np.arange(40), 12)
    reco = pandas.DataFrame(
        {"user_id": users, "item_id": lists.ravel(), "rank": np.tile(np.arange(1, 13), 40)}
    )
    wanted, known = (
        pandas.DataFrame(dict(zip(("user_id", "item_id"), matrix.nonzero(), strict=True)))
        for matrix in (answers, heard)
    )
    ours = metrics.accuracy(hits, np.diff(answers.indptr), k)
    assert ours["recall"].mean() == pytest.approx(rectools.Recall(k=k).calc(reco, wanted))
    assert ours["mrr"].mean() == pytest.approx(rectools.MRR(k=k).calc(reco, wanted))
    assert ours["hit rate"].mean() == pytest.approx(rectools.HitRate(k=k).calc(reco, wanted))
    exposed = beyond.exposure(lists[:, :k], 60)
    catalog = list(range(60))
    assert beyond.coverage(exposed) == pytest.approx(
        rectools.CatalogCoverage(k=k, normalize=True).calc(reco, catalog)
    )
    listeners = np.asarray(heard.sum(axis=0)).ravel()
    plain = -np.log2(np.maximum(listeners, 1) / 40)  # theirs adds no listener
    assert beyond.mean_of(plain, lists, k).mean() == pytest.approx(
        rectools.MeanInvUserFreq(k=k).calc_per_user(reco, known).mean()
    )


def test_gini_is_zero_for_even_and_near_one_for_a_single_track() -> None:
    assert beyond.gini(np.array([3, 3, 3, 3])) == pytest.approx(0)
    assert beyond.gini(np.array([0, 0, 0, 8])) == pytest.approx(0.75)
    exposed = np.random.default_rng(0).integers(9, size=50)
    apart = np.abs(exposed[:, None] - exposed[None, :]).sum()
    assert beyond.gini(exposed) == pytest.approx(apart / (2 * 50**2 * exposed.mean()))
    assert math.isnan(beyond.gini(np.zeros(4, int)))


def test_coverage_counts_what_is_shown_to_anybody() -> None:
    lists = np.array([[0, 1], [1, -1]])
    assert beyond.exposure(lists, 4).tolist() == [1, 2, 0, 0]
    assert beyond.coverage(beyond.exposure(lists, 4)) == 0.5


def test_novelty_is_the_bits_of_the_share_of_listeners() -> None:
    assert beyond.self_information(np.array([0, 1, 7]), 7).tolist() == [3, 2, 0]


def test_means_leave_out_empty_places_and_empty_lists() -> None:
    lists = np.array([[0, 2, -1], [-1, -1, -1], [1, 1, 1]])
    means = beyond.mean_of(NOVELTIES, lists, 3)
    assert means[[0, 2]].tolist() == [2.5, 2]
    assert np.isnan(means[1])
    assert beyond.mean_of(NOVELTIES, lists, 1)[0] == 1


def test_artist_diversity_is_artists_over_tracks() -> None:
    artist = np.array([5, 5, 7, 9])
    found = beyond.artist_diversity(artist, np.array([[0, 1, 2, 3], [0, 1, -1, -1]]), 4)
    assert found.tolist() == [0.75, 0.5]
    assert np.isnan(beyond.artist_diversity(artist, np.array([[-1, -1]]), 2)[0])


def test_every_track_is_cold_or_tail_or_head() -> None:
    listeners = np.array([0, 60, 20, 10, 10, 0])
    groups = track_groups(listeners)
    assert np.stack(list(groups.values())).sum(axis=0).tolist() == [1] * 6
    assert groups["cold"].tolist() == [True, False, False, False, False, True]
    assert groups["head"].tolist() == [False, True, True, False, False, False]


def test_equals_are_in_the_head_together() -> None:
    assert head(np.array([4, 4, 4, 4, 4])).all()
    assert not head(np.zeros(3, int)).any()


def test_a_track_is_emerging_where_none_of_its_artists_is_in_the_head() -> None:
    artists = LabelGroups([["star"], ["new"], ["new", "star"], [], []])
    history = csr_matrix(np.array([[1, 0, 0, 1, 0]] * 9 + [[0, 1, 0, 0, 0]], dtype=np.float32))
    assert emerging(history, artists).tolist() == [False, True, False, False, True]
    assert artist_matrix(artists).toarray().sum(axis=1).tolist() == [1, 1, 2, 1, 1]


def test_listeners_are_in_thirds_by_how_heard_their_tracks_are() -> None:
    history = np.zeros((6, 8), np.float32)
    history[:, 0] = 1  # heard by all
    history[np.arange(3), np.arange(1, 4)] = 1  # these three also hear what nobody else does
    groups = listener_groups(csr_matrix(history), np.arange(6))
    assert [int(g.sum()) for g in groups.values()] == [2, 2, 2]
    assert groups["niche"].tolist() == [True, True, False, False, False, False]
    assert groups["mainstream"].tolist() == [False, False, False, False, True, True]
