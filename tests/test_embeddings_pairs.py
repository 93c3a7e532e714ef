"""Who meets in a batch, who is held out, and who belongs together."""

from __future__ import annotations

import numpy as np
import pytest

from musicu.embeddings.training.gains import average_precisions, precisions
from musicu.embeddings.training.heldout import hold_out, score
from musicu.embeddings.training.pairs import (
    Grouping,
    PairWeights,
    as_members,
    as_numbers,
    draw_tracks,
    pair_matrices,
    sampling_weights,
)
from musicu.embeddings.training.pooling import fit_whitening, pool_chunks
from musicu.embeddings.training.wccn import inverse_root, within_class_covariance


def _grouping(artists: list[str | None], albums: list[str | None] | None = None) -> Grouping:
    none = [None] * len(artists)
    return Grouping(as_numbers(artists), as_numbers(albums or none), as_numbers(none))


def test_unknown_names_are_nobodys_kin() -> None:
    grouping = _grouping([None, None])
    positives, negatives = pair_matrices(np.array([0, 1]), grouping, PairWeights(1, 1, 1))
    assert positives.sum() == 0.0
    assert negatives[0, 1]


def test_kin_are_never_pushed_apart() -> None:
    grouping = _grouping(["a", "a", "b", "c"], ["x", "y", "y", "z"])
    tracks = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    positives, negatives = pair_matrices(tracks, grouping, PairWeights())
    assert not negatives[0, 1]  # same artist
    assert not negatives[1, 2]  # same album
    assert negatives[0, 2]
    assert positives[0, 1] == 0.0
    assert positives[0, 4] == 1.0
    assert (positives == positives.T).all()
    assert (negatives == negatives.T).all()
    assert not negatives[positives > 0].any()


def test_the_closest_kinship_gives_the_weight() -> None:
    grouping = _grouping(["a", "a", "a"], ["x", "x", "y"])
    tracks = np.array([0, 0, 1, 2])
    positives, _ = pair_matrices(tracks, grouping, PairWeights(1.0, 0.5, 0.2))
    np.testing.assert_allclose(positives[0], [0.0, 1.0, 0.5, 0.2])


def test_shared_tags_and_listeners_draw_together_by_their_share() -> None:
    tags = as_members([["jazz", "piano"], ["jazz", "piano"], ["jazz"], ["metal"], [], ["metal"]])
    listeners = as_members([["a", "b"], ["c"], ["c", "d"], ["b"], ["d"], ["c", "d", "d"]])
    none = np.full(6, -1)
    grouping = Grouping(none, none, none, tags, listeners)
    tracks = np.arange(6)
    positives, negatives = pair_matrices(tracks, grouping, PairWeights(tags=0.8))
    np.testing.assert_allclose(positives[0], [0.0, 0.8, 0.4, 0.0, 0.0, 0.0])
    assert negatives[0].tolist() == [False, False, False, True, True, True]
    assert positives[3, 5] == pytest.approx(0.8)
    positives, negatives = pair_matrices(tracks, grouping, PairWeights(listens=1.0))
    np.testing.assert_allclose(positives[2], [0.0, 0.5, 0.0, 0.0, 0.5, 1.0])
    assert not negatives[2, 5]
    silent, apart = pair_matrices(tracks, grouping, PairWeights())
    assert silent.sum() == 0.0
    assert apart[0, 1]


def test_tags_of_everybody_or_one_alone_say_nothing() -> None:
    bags = [["all", "two"], ["all", "two"], ["all", "one"], ["all"], ["all"]]
    members = as_members(bags, 0.5)
    assert members is not None
    assert members.toarray().tolist() == [[1], [1], [0], [0], [0]]
    assert as_members([["all"]] * 9, 0.5) is None
    assert as_members([[], [""]]) is None


def test_a_prolific_artist_does_not_rule_the_batch() -> None:
    grouping = _grouping(["prolific"] * 90 + [f"artist {i}" for i in range(10)])
    assert sampling_weights(grouping, 0.0)[:90].sum() == pytest.approx(0.9)
    halfway = sampling_weights(grouping, 1.0)[:90].sum()
    assert halfway < 0.5
    assert sampling_weights(grouping, 1.0).sum() == pytest.approx(1.0)


def test_drawn_tracks_are_distinct_and_follow_the_seed() -> None:
    weights = np.array([0.5, 0.25, 0.25, 0.0])
    drawn = draw_tracks(weights, 10, np.random.default_rng(3))
    assert sorted(drawn.tolist()) == [0, 1, 2]
    again = draw_tracks(weights, 10, np.random.default_rng(3))
    assert drawn.tolist() == again.tolist()


def test_held_out_artists_are_held_out_whole() -> None:
    artists: list[str | None] = [f"artist {i % 30}" for i in range(120)]
    held = hold_out(_grouping(artists), 0.2, np.random.default_rng(0))
    assert 12 <= held.sum() <= 24
    for name in set(artists):
        rows = [flag for flag, artist in zip(held, artists, strict=True) if artist == name]
        assert len(set(rows)) == 1


def test_average_precision_by_hand() -> None:
    likeness = np.array([[0.9, 0.8, 0.7, 0.6], [0.9, -np.inf, 0.7, 0.6]])
    right = np.array([[True, False, True, False]] * 2)
    np.testing.assert_allclose(average_precisions(likeness, right), [(1 + 2 / 3) / 2, 1.0])


def test_score_finds_perfect_halves_and_nothing_where_nothing_is_known() -> None:
    units = np.eye(4, dtype=np.float32)
    found = score(np.stack([units, units], axis=1), units, np.full(4, -1))
    assert found.track == 1.0
    assert found.queries == 0
    assert found.as_dict()["artist"] is None


def test_whitening_centres_and_whitens() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((4000, 3)) * [10.0, 1.0, 0.1] + 5.0).astype(np.float32)
    whitening = fit_whitening(vectors, np.ones(4000), 0.0, 3)
    placed = (vectors - whitening.centre) @ whitening.matrix
    np.testing.assert_allclose(placed.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(np.cov(placed.T), np.eye(3), atol=1e-2)
    only_centred = fit_whitening(vectors, np.ones(4000), 1e6, 3)
    scales = np.linalg.norm(only_centred.matrix, axis=0)
    np.testing.assert_allclose(scales / scales[0], 1.0, atol=1e-3)


def test_few_recordings_leave_the_rest_of_the_vector_empty() -> None:
    vectors = np.random.default_rng(0).standard_normal((3, 10)).astype(np.float32)
    placed = fit_whitening(vectors, np.ones(3), 1.0, 5).apply(vectors)
    assert placed.shape == (3, 5)
    assert np.abs(placed[:, 3:]).max() == 0.0


def test_groups_come_closer_where_they_differ_among_themselves() -> None:
    rng = np.random.default_rng(2)
    artist = np.repeat(np.arange(20), 5)
    own, other = rng.standard_normal((20, 4))[artist], rng.standard_normal((100, 4))
    vectors = np.concatenate([own, other], axis=1)  # an artist's share the first half
    covariance, freedom = within_class_covariance(vectors, artist)
    assert freedom == 80
    everyone = np.ones(100, dtype=bool)
    scores = [
        np.mean(precisions(rows, artist, everyone))
        for rows in (vectors, vectors @ inverse_root(covariance, 0.1))
    ]
    assert scores[1] > scores[0] + 0.05
    nothing, freedom = within_class_covariance(vectors, np.full(100, -1))
    assert freedom == 0
    assert np.array_equal(inverse_root(nothing, 0.1), np.eye(8))


def test_a_large_group_counts_as_eight() -> None:
    rows = np.random.default_rng(3).standard_normal((40, 2))
    many, freedom = within_class_covariance(rows, np.zeros(40, np.int64))
    assert freedom == pytest.approx(8 / 40 * 39)
    np.testing.assert_allclose(many, np.cov(rows.T))


def test_pooled_features_hold_mean_and_deviation() -> None:
    chunks = np.array([[[1.0, 5.0], [3.0, 5.0]]], dtype=np.float32)
    np.testing.assert_allclose(pool_chunks(chunks), [[2.0, 5.0, 1.0, 0.0]])
