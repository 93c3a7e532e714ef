from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from musicu.errors import QueryError
from musicu.evaluation.labels import TrackLabels, classes
from musicu.evaluation.metrics import average_precision
from musicu.evaluation.similarity_ranking import (
    nearest,
    neighbours,
    rankings,
    ranks_of,
    unit_vectors,
)
from musicu.evaluation.vectors.protocols import RETRIEVAL, Relevance, score_queries

PROTOCOLS = {protocol.name: protocol for protocol in RETRIEVAL}

# row:      0    1    2    3    4    5     6
ARTISTS = ["A", "a ", "A", "A", "B", "B", None]
ALBUMS = ["x", "x", "y", None, "x", "z", "x"]
SOURCES = ["s", "s", "t", "t", "s", "t", "s"]
GENRES = [["r"], ["r", "j"], ["j"], [], ["r"], ["j"], ["r"]]


def labels() -> TrackLabels:
    columns = {"artist": ARTISTS, "album": ALBUMS, "source": SOURCES, "genres": GENRES}
    return TrackLabels.of(pa.table(columns))


def asked(name: str, row: int) -> tuple[list[int], list[int]]:
    question: Relevance = PROTOCOLS[name].relevance(labels(), row)
    return np.flatnonzero(question.relevant).tolist(), np.flatnonzero(question.removed).tolist()


@pytest.mark.parametrize(
    ("name", "row", "relevant", "removed"),
    [
        ("same-artist", 0, [1, 2, 3], [0, 6]),
        ("same-artist-other-albums", 0, [2], [0, 1, 3, 6]),
        ("same-artist-other-albums", 4, [5], [4, 6]),
        ("same-artist-other-albums", 3, [], [0, 1, 2, 3, 4, 5, 6]),
        ("same-artist-other-sources", 0, [2, 3], [0, 1, 4, 6]),
        ("same-artist-within-source", 0, [1], [0, 2, 3, 5, 6]),
        ("same-artist-within-source", 5, [], [0, 1, 4, 5, 6]),
        ("same-album", 0, [1], [0, 3]),
        ("same-album", 4, [], [3, 4]),
        ("same-genre-other-artists", 0, [4], [0, 1, 2, 3, 6]),
        ("same-genre-other-artists", 1, [4, 5], [0, 1, 2, 3, 6]),
        ("same-genre-other-artists", 6, [], [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_each_protocol_asks_what_it_says(
    name: str, row: int, relevant: list[int], removed: list[int]
) -> None:
    assert asked(name, row) == (relevant, removed)


def test_tracks_that_share_one_of_several_artists_are_by_the_same_artist() -> None:
    found = TrackLabels.of(pa.table({"artists": [["A", "B"], ["B"], ["C"]]}))
    assert found.artists.shared(0).tolist() == [True, True, False]


def test_a_compilation_is_one_album_and_its_tracks_stand_together() -> None:
    table = pa.table(
        {"artists": [["A"], ["B"], ["C"]], "album": ["Best"] * 3, "album_artist": ["V", "V", None]}
    )
    found = TrackLabels.of(table)
    assert found.albums.shared(0).tolist() == [True, True, False]
    assert found.clusters[0] == found.clusters[1] != found.clusters[2]


def test_tracks_without_an_artist_stand_alone() -> None:
    found = TrackLabels.of(pa.table({"artist": [None, "", "A", "A"]}))
    assert len(set(found.clusters.tolist())) == 3


def test_a_missing_label_column_is_named() -> None:
    with pytest.raises(QueryError, match="'mood'"):
        classes(pa.table({"artist": ["A"]}), "mood")


def test_classes_take_the_first_of_several_and_know_the_unknown() -> None:
    table = pa.table({"genres": [["Rock", "Jazz"], ["jazz"], [], ["rock"]]})
    assert classes(table, "genre").tolist() == [0, 1, -1, 0]


def slow_average_precision(vectors: np.ndarray, question: Relevance, row: int) -> float:
    """The textbook loop, over candidates sorted one query at a time."""
    candidates = [i for i in range(len(vectors)) if not question.removed[i]]
    candidates.sort(key=lambda i: -float(vectors[row] @ vectors[i]))
    found, total = 0, 0.0
    for place, candidate in enumerate(candidates, start=1):
        if question.relevant[candidate]:
            found += 1
            total += found / place
    return total / found


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_blocked_scores_equal_the_plain_loop(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicu.evaluation.similarity_ranking.BLOCK_CELLS", 80 * 7)
    rng = np.random.default_rng(4)
    table = pa.table(
        {
            "artist": [f"a{i}" for i in rng.integers(9, size=80)],
            "album": [f"b{i}" for i in rng.integers(3, size=80)],
            "source": [f"s{i}" for i in rng.integers(4, size=80)],
            "genre": [f"g{i}" for i in rng.integers(3, size=80)],
        }
    )
    known, protocol = TrackLabels.of(table), PROTOCOLS[name]
    vectors = unit_vectors(rng.normal(size=(80, 5)))
    scores = score_queries([vectors], known, [protocol])[0]
    column = protocol.metrics.index("mean average precision")
    assert len(scores.rows) > 20
    for row, values in zip(scores.rows, scores.values[:, 0, column], strict=True):
        question = protocol.relevance(known, int(row))
        assert values == pytest.approx(slow_average_precision(vectors, question, int(row)))


def test_models_are_scored_side_by_side_as_alone() -> None:
    rng = np.random.default_rng(5)
    known = TrackLabels.of(pa.table({"artist": [f"a{i % 6}" for i in range(30)]}))
    models = [unit_vectors(rng.normal(size=(30, dim))) for dim in (3, 8)]
    together = score_queries(models, known, [PROTOCOLS["same-artist"]])[0]
    for index, model in enumerate(models):
        alone = score_queries([model], known, [PROTOCOLS["same-artist"]])[0]
        assert np.array_equal(together.values[:, index], alone.values[:, 0])


@pytest.mark.parametrize("artists", [["A", "A", "A"], ["A", "B", "C"], [None, None, None]])
def test_queries_that_no_ranking_could_fail_or_answer_are_left_out(
    artists: list[str | None],
) -> None:
    known = TrackLabels.of(pa.table({"artist": pa.array(artists, pa.string())}))
    scores = score_queries([np.eye(3, dtype=np.float32)], known, list(RETRIEVAL))
    assert [len(found.rows) for found in scores] == [0] * len(RETRIEVAL)
    assert scores[0].values.shape == (0, 1, 4)


def test_removed_tracks_do_not_count_as_places() -> None:
    ranking = np.array([3, 0, 4, 1, 2])
    relevant = np.array([False, True, False, False, True])
    removed = np.array([True, False, True, False, False])
    ranks = ranks_of(ranking, relevant, removed)
    assert ranks.tolist() == [1, 2]
    assert average_precision(ranks) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_equal_similarities_go_by_row_order() -> None:
    assert neighbours(np.ones((4, 1), dtype=np.float32), 2).tolist() == [
        [1, 2],
        [0, 2],
        [0, 1],
        [0, 1],
    ]


def test_rankings_are_a_stable_sort_by_falling_similarity(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    few = np.concatenate([[[0.0, -0.0, 1e-38, -1e-38, 1, -1, -np.inf]], rng.normal(size=(9, 7))])
    table = np.concatenate([few, rng.integers(-2, 3, size=(90, 7))]).astype(np.float32)
    expected = np.argsort(-table, axis=1, kind="stable")
    monkeypatch.setattr(
        "musicu.evaluation.similarity_ranking.similarity_blocks", lambda vectors: [(0, vectors)]
    )
    assert np.array_equal(np.array(list(rankings(table))), expected)
    for k in (1, 3, 7):
        assert np.array_equal(nearest(table, k), expected[:, :k])


def test_neighbours_need_enough_tracks() -> None:
    with pytest.raises(QueryError, match="more than 3 tracks, there are 3"):
        neighbours(np.eye(3, dtype=np.float32), 3)


def test_vectors_that_are_not_finite_are_refused_by_row() -> None:
    vectors = np.ones((3, 2))
    vectors[1, 0] = np.nan
    with pytest.raises(QueryError, match=r"1 of 3 vectors .* row 1"):
        unit_vectors(vectors)
