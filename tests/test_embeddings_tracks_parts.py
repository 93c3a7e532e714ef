"""The parts of a track encoder: factorisation, gradients, features, groups, artists, scores."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

from musicu.embeddings.tracks import track_groups as grouping
from musicu.embeddings.tracks.als import fit_als, solve_rows
from musicu.embeddings.tracks.config import TrackConfig
from musicu.embeddings.tracks.contrastive_training import info_nce
from musicu.embeddings.tracks.discography import KEY_DIM, Discography
from musicu.embeddings.tracks.kernel import Kernel
from musicu.embeddings.tracks.track_features import (
    Features,
    FeatureSpace,
    ngrams_of,
    numbers_of,
    words_of,
)
from musicu.embeddings.tracks.track_network import RowGradient, backward, encoded, forward, initial
from musicu.errors import QueryError
from musicu.ranking.set_fit import ARTIST_BONUS, ARTIST_SHARE, MEAN, score_set

IDS = pa.array(["a", "b", "c", "d"])


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


# Factorisation.


@pytest.mark.parametrize("factors", [3, 8])  # rows of many entries, and of few
def test_a_row_is_solved_as_the_paper_says(factors: int) -> None:
    weights = csr_matrix(np.array([[2.0, 0, 1, 0, 5], [0, 0, 0, 0, 0], [1, 1, 0, 0, 0]], "f4"))
    items = rng().normal(size=(5, factors)).astype(np.float32)
    found = solve_rows(weights, items, 0.5)
    for row, dense in enumerate(weights.toarray()):
        confidence = np.diag(dense)  # C - I
        system = items.T @ items + items.T @ confidence @ items + 0.5 * np.eye(factors)
        wanted = np.linalg.solve(system, items.T @ ((1 + dense) * (dense > 0)))
        assert found[row] == pytest.approx(wanted, abs=1e-5)


def test_listeners_of_two_worlds_lie_apart() -> None:
    worlds = np.kron(np.eye(2), np.ones((10, 8)))
    kept = worlds * (rng().random(worlds.shape) < 0.7)
    _, items = fit_als(csr_matrix(kept.astype("f4")), factors=4, regularisation=1.0)
    units = items / np.linalg.norm(items, axis=1, keepdims=True)
    likeness = units @ units.T
    assert likeness[:8, :8].mean() > 0.8
    assert abs(likeness[:8, 8:]).mean() < 0.1


def test_factors_depend_on_the_seed_alone() -> None:
    weights = csr_matrix((rng().random((9, 7)) < 0.4).astype("f4"))
    one, same, other = (fit_als(weights, 3, seed=seed).items for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


# Gradients.


def test_gradients_are_those_of_finite_differences() -> None:
    draw = rng()
    sparse = csr_matrix(np.array([[1, 0, 0], [0, 0, 0], [0.6, 0.8, 0]], "f4"))
    dense = draw.normal(size=(3, 2)).astype("f4")
    known = {"tags": np.array([True, False, True]), "numbers": np.array([True, True, False])}
    dense[2] = 0
    features = Features({"tags": sparse, "numbers": dense}, known)
    parameters = initial({"tags": 3, "numbers": 2}, 4, 5, draw)
    parameters = {name: values.astype(np.float64) for name, values in parameters.items()}
    pull = draw.normal(size=(3, 4))
    gradients = backward(parameters, forward(parameters, features), pull)

    def value() -> float:
        return float(np.sum(forward(parameters, features).vectors * pull))

    for name, values in parameters.items():
        found = gradients[name]
        if isinstance(found, RowGradient):
            whole = np.zeros_like(values)
            whole[found.rows] = found.values
            found = whole
        for place in np.ndindex(values.shape):
            before = values[place]
            values[place] = before + 1e-4
            up = value()
            values[place] = before - 1e-4
            down = value()
            values[place] = before
            assert found[place] == pytest.approx((up - down) / 2e-4, abs=2e-3), (name, place)


def test_the_loss_pulls_as_its_finite_differences_say() -> None:
    draw = rng()
    vectors = draw.normal(size=(4 + 8, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights = np.array([[1, 0], [0.5, 0.5], [0.5, 0.5], [1, 0]])
    shared = np.zeros((4, 4), bool)
    shared[0, 2] = True
    offsets = draw.normal(size=4)

    def loss(values: np.ndarray) -> float:
        return info_nce(values, weights, shared, offsets, 0.3)[0]

    _, wanted = info_nce(vectors, weights, shared, offsets, 0.3)
    for place in np.ndindex(vectors.shape):
        moved = vectors.copy()
        moved[place] += 1e-5
        back = vectors.copy()
        back[place] -= 1e-5
        assert wanted[place] == pytest.approx((loss(moved) - loss(back)) / 2e-5, abs=1e-4)


def test_a_track_of_the_same_group_is_no_negative() -> None:
    vectors = np.eye(4, dtype="f4")[[0, 1, 0, 1]]  # two targets, each with its own context
    weights, offsets = np.ones((2, 1), "f4"), np.zeros(2, "f4")
    alone = np.array([[False, True], [True, False]])
    assert info_nce(vectors, weights, alone, offsets, 0.1)[0] == pytest.approx(0, abs=1e-6)
    assert info_nce(vectors[[0, 0, 0, 0]], weights, alone & False, offsets, 0.1)[
        0
    ] == pytest.approx(np.log(2), abs=1e-6)


# Features.


def space(table: pa.Table, min_count: int = 1) -> FeatureSpace:
    return FeatureSpace.fit(table, None, min_count, 100)


def test_names_are_compared_without_case_and_spaces() -> None:
    table = pa.table({"artists": [["  The  BAND"], ["the band"]], "label": ["X", None]})
    assert words_of(table)["artists"] == [Counter({"artist=the band": 1})] * 2
    assert words_of(table)["tags"][0] == Counter({"label=x": 1})


def test_prose_is_read_word_by_word() -> None:
    table = pa.table({"description": ["A slow, SLOW waltz", None], "lyrics": [3, 4]})
    assert words_of(table)["text"] == [Counter({"a": 1, "slow": 2, "waltz": 1}), Counter()]
    assert not any(words_of(table)["tags"])


def test_an_unseen_word_is_read_in_pieces() -> None:
    assert list(ngrams_of("ja")) == ["<ja", "ja>", "<ja>"]
    table = pa.table({"title": ["Nocturne", "Scherzo", "1234"], "lyrics": ["", "", "nocturne"]})
    assert not words_of(table)["spelling"][2]
    fitted = space(table)
    found = fitted.content(pa.table({"title": ["Nocturnes", "nocturen", "Xyz", None]}), None)
    assert found.known["text"].tolist() == [False] * 4
    assert found.known["spelling"].tolist() == [True, True, False, False]
    one, two = fitted.content(table, None).blocks["spelling"][:2]
    for misspelt in found.blocks["spelling"][:2]:
        assert (misspelt @ one.T).sum() > 0.5
        assert (misspelt @ two.T).sum() == 0


def test_a_tag_given_often_weighs_more() -> None:
    table = pa.table({"tags": [["rock", "rock", "rock", "pop"], ["rock"], ["pop"]]})
    found = space(table)
    row = found.content(table, None).blocks["tags"].toarray()[0]
    places = found.vocabularies["tags"].places
    assert row[places["tags=rock"]] == pytest.approx(row[places["tags=pop"]] * (1 + np.log(3)))


def test_what_was_never_seen_is_missing() -> None:
    fitted = space(pa.table({"genres": [["jazz"], ["jazz"], ["folk"]], "bpm_tag": [90.0, 120, 99]}))
    other = fitted.content(pa.table({"genres": [["noise"], None], "loud": [1.0, 2.0]}), None)
    assert not other.known["tags"].any()
    assert not other.known["numbers"].any()
    assert other.blocks["tags"].nnz == 0


def test_a_missing_number_is_marked_and_an_extreme_one_is_clipped() -> None:
    table = pa.table({"energy": [0.0, 0.5, 1.0, None], "tempo": [90.0, float("nan"), 120.0, 100.0]})
    fitted = space(table)
    found = fitted.content(table, None)
    ends = fitted.content(pa.table({"energy": [9.0], "tempo": [500.0]}), None)
    assert found.known["numbers"].all()
    marks = np.cumsum([len(fitted.edges[name]) for name in ("energy", "tempo")]) - 1
    assert (found.blocks["numbers"][:, marks] > 0).tolist() == [
        [False, False], [False, True], [False, False], [True, False],
    ]  # fmt: skip
    assert np.array_equal(ends.blocks["numbers"][0], found.blocks["numbers"][2])


def test_dates_count_as_numbers_and_paths_do_not_count() -> None:
    table = pa.table({"released": [date(1970, 1, 1), date(2020, 1, 1)], "size_bytes": [1, 2]})
    assert list(space(table).edges) == ["released"]


# Groups.


def test_pairs_become_groups_of_two() -> None:
    pairs = pa.table({"track_a": ["a", "b", "x", "c"], "track_b": ["b", "c", "a", "c"]})
    found = grouping.from_pairs(pairs, IDS)
    assert found.members.toarray().tolist() == [[1, 1, 0, 0], [0, 1, 1, 0]]
    assert found.unknown == 1


def test_a_listener_is_a_group_and_plays_count_by_their_logarithm() -> None:
    listens = pa.table(
        {"user_id": ["u", "u", "u", "v", "v"], "track_id": ["a", "a", "b", "c", "d"],
         "weight": [1.0, 1.0, 1.0, -1.0, 1.0]}
    )  # fmt: skip
    found = grouping.from_listens(listens, IDS)
    assert found.members.toarray() == pytest.approx(np.array([[1 + np.log(2), 1, 0, 0]]))
    assert found.interactions is not None
    assert found.interactions.shape == (2, 4)


def test_a_pause_parts_sessions() -> None:
    start = datetime(2024, 1, 1)
    moments = [start + timedelta(minutes=m) for m in (0, 4, 300, 304)]
    listens = pa.table({"user_id": ["u"] * 4, "track_id": list("abcd"), "timestamp": moments})
    found = grouping.from_listens(listens, IDS, session_gap_minutes=30)
    assert found.members.toarray().tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]


def test_artists_and_their_albums_are_groups() -> None:
    tracks = pa.table(
        {"artists": [["A"], ["a"], ["B"], ["A", "B"]], "album": ["X", "X", "X", None]}
    )
    found = grouping.from_metadata(tracks).members.toarray().tolist()
    assert found == [[1, 1, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0]]


@pytest.mark.parametrize(
    ("read", "table", "message"),
    [
        (grouping.from_pairs, {"track_a": ["a"]}, "pairs has no column 'track_b'"),
        (grouping.from_playlists, {"mix": ["a"], "track_id": ["a"]}, "column 'playlist_id'"),
        (
            grouping.from_playlists,
            {"playlist_id": ["p", "p"], "track_id": ["x", "y"]},
            "unknown tracks: 2",
        ),
        (grouping.from_listens, {"track_id": ["a"]}, "listens has no column 'user_id'"),
        (grouping.from_pairs, {"track_a": [["a"]], "track_b": ["b"]}, "pairs have ids of the type"),
        (
            grouping.from_playlists,
            {"playlist_id": [[1]], "track_id": ["a"]},
            "playlists have ids of the type list",
        ),
        (
            grouping.from_listens,
            {"user_id": ["u", "u"], "track_id": ["a", "b"], "weight": [1.0, float("nan")]},
            "row 2 of the listens has the weight nan",
        ),
        (grouping.from_pairs, {"track_a": ["a"], "track_b": ["a"]}, "nothing to train on"),
    ],
)  # fmt: skip
def test_a_wrong_table_says_what_is_wrong(read, table, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(QueryError, match=message):
        read(pa.table(table), IDS)


# Artists.


def discography() -> Discography:
    keys = np.zeros((3, KEY_DIM), "f4")
    keys[[0, 1, 2], [0, 1, 0]] = 1
    ids = np.array(["a", "b", "c"], object)
    return Discography(ids, [["x"], ["x"], ["y"]], np.eye(3, dtype="f4"), keys)


def test_a_track_never_looks_at_itself() -> None:
    keys = np.zeros((3, KEY_DIM), "f4")
    found, known = discography().past(["a", "c", "new"], [["x"], ["y"], ["x"]], keys)
    assert known.tolist() == [True, False, True]
    assert found[0, :3].tolist() == [0, 1, 0]
    assert found[1].tolist() == [0] * 6
    assert found[2, :3].tolist() == [0.5, 0.5, 0]


def test_attention_goes_to_the_track_that_is_alike() -> None:
    key = np.zeros((1, KEY_DIM), "f4")
    key[0, 1] = 1
    found, _ = discography().past(["new"], [["x"]], key)
    ratio = np.exp(1 / 0.2)  # of cosines 1 and 0
    assert found[0, 3:] == pytest.approx(np.array([1, ratio, 0]) / (1 + ratio), abs=1e-5)


def test_a_tracks_own_vector_is_found_by_its_id() -> None:
    found, known = discography().own(["c", "new"])
    assert known.tolist() == [True, False]
    assert found.tolist() == [[0, 0, 1], [0, 0, 0]]


# Scores.


def test_a_set_is_scored_by_its_mean_its_nearest_and_its_artists() -> None:
    draw = rng()
    members, candidates = draw.normal(size=(8, 5)), draw.normal(size=(3, 5))
    members /= np.linalg.norm(members, axis=1, keepdims=True)
    candidates /= np.linalg.norm(candidates, axis=1, keepdims=True)
    share = np.array([0, 0.25, 0], "f4")
    found = score_set(members.astype("f4"), candidates.astype("f4"), artist_share=share)
    mean = members.mean(axis=0) / np.linalg.norm(members.mean(axis=0))
    for row, candidate in enumerate(candidates):
        nearest = sorted(members @ candidate)[-5:]
        wanted = MEAN * (mean @ candidate) + np.mean(nearest)
        wanted += ARTIST_BONUS * (share[row] > 0) + ARTIST_SHARE * share[row]
        assert found[row] == pytest.approx(wanted, abs=1e-5)


def test_an_empty_set_and_another_space_are_refused() -> None:
    with pytest.raises(QueryError, match="at least one member"):
        score_set(np.empty((0, 4), "f4"), np.ones((2, 4), "f4"))
    with pytest.raises(QueryError, match="of the same model"):
        score_set(np.ones((1, 3), "f4"), np.ones((2, 4), "f4"))


def test_a_likeness_is_the_mean_of_the_networks_likenesses() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(6, 4)).astype(np.float32)
    features = Features({"numbers": numbers}, {"numbers": np.ones(6, bool)})
    networks = tuple(initial({"numbers": 4}, dim, 8, rng) for dim in (3, 3, 2))
    found = encoded(networks, features)
    assert found.shape == (6, 8)
    singles = [forward(network, features).vectors for network in networks]
    likeness = np.mean([single @ single.T for single in singles], axis=0)
    np.testing.assert_allclose(found @ found.T, likeness, atol=1e-6)


def test_the_networks_share_dim_and_steps() -> None:
    config = TrackConfig(dim=128, networks=3, steps=3000, seed=7)
    shares = [config.of_network(number, 128) for number in range(3)]
    assert [share.dim for share in shares] == [43, 43, 42]
    assert {share.steps for share in shares} == {1000}
    assert len({share.seed for share in shares}) == 3
    with pytest.raises(QueryError, match="3 networks cannot share a dim of 2"):
        TrackConfig(dim=2)


def blobs(noise: int) -> tuple[pa.Table, csr_matrix, np.ndarray]:
    """Tracks of four styles by two numbers, one of them skewed, beside columns of noise."""
    rng = np.random.default_rng(0)
    style = np.arange(400) % 4
    plain = np.stack([style % 2, style // 2], axis=1) * 4 + rng.normal(size=(400, 2))
    columns = {"a": plain[:, 0], "b": np.exp(plain[:, 1])}
    columns |= {f"noise{n}": rng.normal(size=400) for n in range(noise)}
    groups = [np.flatnonzero(style == number % 4)[number::10] for number in range(40)]
    rows = np.repeat(np.arange(40), [len(group) for group in groups])
    members = csr_matrix((np.ones(len(rows)), (rows, np.concatenate(groups))), (40, 400))
    return pa.table({"track_id": [str(n) for n in range(400)], **columns}), members, style


@pytest.mark.parametrize(("noise", "least"), [(0, 0.8), (12, 0.65)])
def test_a_kernel_finds_what_tells_groups_apart(noise: int, least: float) -> None:
    tracks, members, style = blobs(noise)
    kernel = Kernel.fit(tracks, members, 128, np.random.default_rng(0))
    assert kernel is not None
    vectors = kernel.vectors(tracks)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -2)
    nearest = np.argsort(-likeness, axis=1)[:, :10]
    assert np.mean(style[nearest] == style[:, None]) > least


def test_a_kernels_products_are_a_gaussian_of_the_distance() -> None:
    tracks, members, _ = blobs(0)
    kernel = Kernel.fit(tracks, members, 8192, np.random.default_rng(0))
    assert kernel is not None
    waves = dataclasses.replace(kernel, centre=np.zeros(8192, np.float32)).vectors(tracks)
    pairs = np.random.default_rng(1).integers(0, 400, (2, 200))
    found = np.sum(waves[pairs[0]] * waves[pairs[1]], axis=1)
    columns = {"a": tracks["a"].to_numpy(), "b": tracks["b"].to_numpy()}
    scores = np.stack([np.interp(columns[n], *kernel.knots[n]) for n in ("a", "b")], axis=1)
    metric = kernel.frequencies @ kernel.frequencies.T / 4096  # the covariance of what was drawn
    apart = scores[pairs[0]] - scores[pairs[1]]
    expected = np.exp(-np.einsum("ij,jk,ik->i", apart, metric, apart) / 2)
    np.testing.assert_allclose(found, expected, atol=0.08)


def test_a_track_without_numbers_is_left_to_the_networks() -> None:
    tracks, members, _ = blobs(0)
    kernel = Kernel.fit(tracks, members, 16, np.random.default_rng(0))
    assert kernel is not None
    some = tracks.slice(0, 2).set_column(1, "a", pa.array([None, 1.0]))
    some = some.set_column(2, "b", pa.array([float("nan"), None]))
    learned = np.eye(2, 3, dtype=np.float32)
    beside = kernel.concatenate(learned, some)
    assert beside[0].tolist() == [1, 0, 0] + [0] * 16
    assert np.linalg.norm(beside, axis=1) == pytest.approx(1, abs=1e-6)
    assert kernel.vectors(some.select(["track_id"])).any() == np.False_
    assert Kernel.fit(tracks.select(["track_id"]), members, 16, np.random.default_rng(0)) is None


def test_seconds_heard_are_no_feature_and_a_column_of_one_letter_is() -> None:
    tracks = pa.table({"track_id": ["x"], "heard_seconds": [1.0], "a": [2.0]})
    assert list(numbers_of(tracks)) == ["a"]
