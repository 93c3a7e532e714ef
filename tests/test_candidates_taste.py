"""Tastes: decay, clusters, negatives, updates that equal recomputation, words."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from candidates_samples import NOW, made_items, made_listens
from hypothesis import given, settings
from hypothesis import strategies as st

from musicu.candidates import LISTENS, TasteProfile, tastes
from musicu.datasets.simulated_listeners import Habits, simulate_listeners
from musicu.errors import QueryError
from musicu.listening.history import History
from musicu.listening.interest_clusters import APART, clusters_of
from musicu.listening.profile_text import describe
from musicu.records import Vectors

ITEMS = made_items()
VECTORS = Vectors(ITEMS.ids, ITEMS.values)


def listens(*rows: tuple[str, float | None, float]) -> pa.Table:
    """Rows of track, age in days (None: undated) and weight."""
    made = [
        {
            "user_id": "a",
            "track_id": track,
            "timestamp": None if age is None else NOW - timedelta(days=age),
            "weight": weight,
        }
        for track, age, weight in rows
    ]
    return pa.Table.from_pylist(made, schema=LISTENS)


def same(one: TasteProfile, other: TasteProfile) -> None:
    assert [i.medoid for i in one.interests] == [i.medoid for i in other.interests]
    assert [set(i.track_ids) for i in one.interests] == [set(i.track_ids) for i in other.interests]
    shares = [[i.importance for i in taste.interests] for taste in (one, other)]
    np.testing.assert_allclose(*shares, rtol=1e-6)
    assert (one.negatives, one.heard) == (other.negatives, other.heard)
    np.testing.assert_allclose(one.history.weights, other.history.weights, rtol=1e-6)
    np.testing.assert_array_equal(one.history.plays, other.history.plays)


def test_a_listen_counts_half_after_a_half_life() -> None:
    table = listens(("t000", 0, 1), ("t001", 10, 1), ("t002", 20, 1), ("t003", None, 1))
    taste = TasteProfile.from_listens(table, VECTORS, now=NOW, half_life_days=10)
    np.testing.assert_allclose(taste.history.weights, [1, 0.5, 0.25, 1])


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 10**9), st.floats(-3, 9, width=32)),
        max_size=30,
    )
)
def test_events_make_the_history_that_their_listens_make(
    events: list[tuple[int, int, float]],
) -> None:
    ids = [f"t{number:03}" for number, _, _ in events]
    table = listens(
        *((t, age / 86_400_000_000, w) for t, (_, age, w) in zip(ids, events, strict=True))
    )
    at = table["timestamp"].cast(pa.int64()).to_numpy()
    history = History.of(table, NOW, 30.0)
    made = History.of_events(ids, at, np.array([w for _, _, w in events], float), NOW, 30.0)
    assert made.names.tolist() == history.names.tolist()
    for name in ("place", "dated", "undated", "plays"):
        np.testing.assert_array_equal(getattr(made, name), getattr(history, name))
    assert made.as_of == history.as_of


def test_importances_are_shares_of_what_is_left_of_the_listens() -> None:
    far = np.eye(8, dtype=np.float32)[:2]
    vectors = Vectors(np.array(["x", "y"], object), far)
    table = listens(("x", 0, 3), ("y", 10, 2))
    taste = TasteProfile.from_listens(table, vectors, now=NOW, half_life_days=10)
    assert [i.medoid for i in taste.interests] == ["x", "y"]
    np.testing.assert_allclose([i.importance for i in taste.interests], [0.75, 0.25])


def test_an_interest_keeps_no_vectors_but_its_centroid_in_memory() -> None:
    rows = [(str(name), float(n % 7), 1.0 + n) for n, name in enumerate(ITEMS.ids[:60])]
    taste = TasteProfile.from_listens(listens(*rows), VECTORS, now=NOW)
    kept = {id(i.centroid.base): i.centroid.base for i in taste.interests}
    sizes = [0 if held is None else held.size for held in kept.values()]
    assert sum(sizes) <= len(taste.interests) * ITEMS.values.shape[1]


@pytest.mark.parametrize("most", [1, 3, 60])
def test_clusters_are_those_of_scipy_and_medoids_nearest_to_their_tracks(most: int) -> None:
    from scipy.cluster.hierarchy import fcluster, ward

    rng = np.random.default_rng(most)
    values = rng.standard_normal((60, 8)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    weights = rng.random(60) + 0.1
    clusters = clusters_of(values, weights, most)
    tree = ward(values.astype(np.float64))
    near = fcluster(tree, APART, "distance")
    labels = near if near.max() <= most else fcluster(tree, most, "maxclust")
    assert {frozenset(c.rows.tolist()) for c in clusters} == {
        frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)
    }
    for cluster in clusters:
        own = values[cluster.rows]
        costs = [weights[cluster.rows] @ ((own - one) ** 2).sum(axis=1) for one in own]
        assert cluster.medoid == cluster.rows[np.argmin(costs)]


def test_a_skipped_track_is_a_negative_and_weakens_its_interest() -> None:
    values = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    vectors = Vectors(np.array(["x", "y", "z"], object), values)
    table = listens(("x", 0, 1), ("y", 0, 1), ("z", 0, -1))
    taste = TasteProfile.from_listens(table, vectors, now=NOW)
    assert taste.negatives == ("z",)
    assert [i.medoid for i in taste.interests] == ["x", "y"]
    np.testing.assert_allclose([i.importance for i in taste.interests], [1 / 1.2, 0.2 / 1.2])


def test_more_listens_than_skips_is_no_negative() -> None:
    taste = TasteProfile.from_listens(listens(("t000", 0, 2), ("t000", 0, -1)), VECTORS, now=NOW)
    assert taste.negatives == ()


def test_never_more_interests_than_asked_for() -> None:
    table = listens(*((track, 0, 1) for track in ITEMS.ids[:40]))
    for most in (1, 2, 5):
        taste = TasteProfile.from_listens(table, VECTORS, now=NOW, max_interests=most)
        assert 1 <= len(taste.interests) <= most
        assert sum(i.importance for i in taste.interests) == pytest.approx(1)


def test_a_medoid_is_the_member_nearest_to_all_of_its_interest() -> None:
    table = listens(*((track, 0, 1) for track in ITEMS.ids[:40]))
    row = {name: n for n, name in enumerate(ITEMS.ids)}
    for interest in TasteProfile.from_listens(table, VECTORS, now=NOW).interests:
        members = ITEMS.values[[row[name] for name in interest.track_ids]]
        costs = [((members - v) ** 2).sum() for v in members]
        assert interest.track_ids[int(np.argmin(costs))] == interest.medoid
        np.testing.assert_allclose(interest.centroid, members.mean(axis=0), atol=1e-6)


def test_the_mean_of_a_taste_weighs_favourites_more_but_not_in_proportion() -> None:
    values = np.array([[1, 0], [0, 1]], np.float32)
    vectors = Vectors(np.array(["x", "y"], object), values)
    taste = TasteProfile.from_listens(listens(("x", 0, 9), ("y", 0, 1)), vectors, now=NOW)
    expected = np.log1p([9 / 5, 1 / 5])
    np.testing.assert_allclose(taste.mean, expected / np.linalg.norm(expected), rtol=1e-6)


def test_the_groups_of_a_simulated_listener_are_found_again() -> None:
    rng = np.random.default_rng(3)
    centres = np.eye(6, 16)
    values = np.repeat(centres, 20, axis=0) + 0.15 * rng.standard_normal((120, 16))
    values = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    ids = np.array([f"g{n // 20}-{n % 20:02d}" for n in range(120)], object)
    groups = {f"g{g}": [str(i) for i in ids if i.startswith(f"g{g}")] for g in range(6)}
    habits = Habits(listens_each=300, skip_share=0.05)
    made = simulate_listeners(groups, 20, NOW, rng, habits)
    for user, taste in tastes(made.listens, Vectors(ids, values), now=NOW, half_life_days=1e6):
        found: dict[str, float] = {}
        for interest in taste.interests:
            group = interest.medoid[:2]
            found[group] = found.get(group, 0) + interest.importance
        assert found.keys() == made.tastes[user].keys()
        for interest in taste.interests:
            assert {name[:2] for name in interest.track_ids} == {interest.medoid[:2]}
        assert all(abs(found[g] - share) < 0.15 for g, share in made.tastes[user].items())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 11), st.floats(0, 300))
def test_an_update_equals_recomputation(seed: int, cut: int, later: float) -> None:
    table = made_listens(ITEMS, users=1, each=24, seed=seed)
    end = NOW + timedelta(days=later)
    first = TasteProfile.from_listens(table.slice(0, 2 * cut), VECTORS, now=NOW)
    updated = first.updated(table.slice(2 * cut), VECTORS, now=end)
    same(updated, TasteProfile.from_listens(table, VECTORS, now=end))


def test_many_tastes_are_those_of_each_alone() -> None:
    table = made_listens(ITEMS, users=5)
    for user, taste in tastes(table, VECTORS, now=NOW):
        own = table.filter(pc.equal(table["user_id"], user))
        same(taste, TasteProfile.from_listens(own, VECTORS, now=NOW))


def test_somebody_new_likes_the_seeds() -> None:
    taste = TasteProfile.from_seeds(["t001", "t005"], VECTORS, now=NOW)
    assert {name for i in taste.interests for name in i.track_ids} == {"t001", "t005"}
    assert taste.heard == {"t001", "t005"}
    assert not taste.history.plays.any()


def test_an_unknown_seed_is_named() -> None:
    with pytest.raises(QueryError, match="'nope' has no vector"):
        TasteProfile.from_seeds(["t001", "nope"], VECTORS)


def test_listens_of_two_people_are_not_one_taste() -> None:
    with pytest.raises(QueryError, match="these listens are 2's"):
        TasteProfile.from_listens(made_listens(ITEMS, users=2), VECTORS, now=NOW)


def test_tracks_without_vector_are_heard_but_no_interest() -> None:
    taste = TasteProfile.from_listens(listens(("nowhere", 0, 1)), VECTORS, now=NOW)
    assert taste.interests == ()
    assert taste.heard == {"nowhere"}


def test_an_old_history_is_still_a_taste() -> None:
    when = datetime(2005, 1, 1, tzinfo=timezone.utc)
    table = listens(("t000", (NOW - when).days, 1))
    taste = TasteProfile.from_listens(table, VECTORS, now=NOW, half_life_days=7)
    assert [i.importance for i in taste.interests] == [1.0]


def test_words_name_medoid_share_and_plays() -> None:
    taste = TasteProfile.from_listens(
        listens(("t000", 0, 1), ("t000", 1, 1), ("t003", 0, -1)), VECTORS, now=NOW
    )
    text = describe(taste, ITEMS.tracks)
    assert "1. 100 %: near Artist 0, Artist 1 – Title 0 (Album 0), played twice (1 track" in text
    assert "1 track skipped more than played, Artist 3 – Title 3 (Album 3) among them" in text


def test_a_half_life_must_be_positive() -> None:
    with pytest.raises(QueryError, match="half-life is 0 days"):
        TasteProfile.from_listens(listens(("t000", 0, 1)), VECTORS, now=NOW, half_life_days=0)
