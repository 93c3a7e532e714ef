from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from musicu.errors import MissingExtraError, QueryError
from musicu.evaluation.extras import sklearn
from musicu.evaluation.labels import TrackLabels
from musicu.evaluation.similarity_ranking import unit_vectors
from musicu.evaluation.vectors.clustering import measure_clustering
from musicu.evaluation.vectors.measurement import EvaluationData
from musicu.evaluation.vectors.probes import PREDICTORS, _folds, _regress, measure_probe

ARTISTS, EACH = 24, 4
ARTIST = np.repeat(np.arange(ARTISTS), EACH)
GENRE = ARTIST % 3


def data(**models: np.ndarray) -> EvaluationData:
    table = pa.table({"artist": [f"a{a}" for a in ARTIST], "genre": [f"g{g}" for g in GENRE]})
    units = {name: unit_vectors(vectors) for name, vectors in models.items()}
    return EvaluationData(units, table, TrackLabels.of(table), seed=0, draws=60)


def noise(rng: np.random.Generator, dim: int) -> np.ndarray:
    return 0.1 * rng.normal(size=(len(ARTIST), dim))


def by_genre() -> np.ndarray:
    return np.eye(3)[GENRE] + noise(np.random.default_rng(0), 3)


def by_artist() -> np.ndarray:
    return np.eye(ARTISTS)[ARTIST] + noise(np.random.default_rng(1), ARTISTS) / 10


@pytest.mark.parametrize("kind", ["linear", "neighbour"])
def test_a_space_of_genres_is_read_and_a_space_of_artists_is_not(kind: str) -> None:
    found = measure_probe(data(genres=by_genre(), artists=by_artist()), kind, "genre")
    values = {(m.metric, m.model): m.value for m in found}
    assert values["accuracy", "genres"] == 1.0
    assert values["balanced accuracy", "genres"] == 1.0
    # Knowing the artist would give the genre away if the artist were in the training folds.
    assert values["accuracy", "artists"] < 0.6


def test_no_artist_is_in_both_parts_of_a_fold() -> None:
    tested = []
    for train, test in _folds(GENRE, ARTIST, 5, seed=3):
        assert not set(ARTIST[train]) & set(ARTIST[test])
        tested += test.tolist()
    assert sorted(tested) == list(range(len(ARTIST)))


def test_the_linear_probe_is_scikit_learns_pipeline() -> None:
    rng = np.random.default_rng(5)
    train, test = rng.normal(size=(60, 4)), rng.normal(size=(40, 4))
    truth = (train[:, 0] + 0.5 * rng.normal(size=60) > 0).astype(int)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(train, truth)
    assert np.array_equal(_regress(train, truth, test, 0.1), pipeline.predict(test))


def test_the_neighbour_probe_agrees_with_scikit_learn_where_votes_are_clear() -> None:
    rng = np.random.default_rng(6)
    train, test = unit_vectors(rng.normal(size=(90, 4))), unit_vectors(rng.normal(size=(60, 4)))
    truth = (train[:, 0] > 0).astype(int)
    oracle = KNeighborsClassifier(10, metric="cosine").fit(train, truth)
    clear = np.abs(oracle.predict_proba(test)[:, 0] - 0.5) > 0.01
    found = PREDICTORS["neighbour"](train, truth, truth, test, 0)
    assert clear.sum() > 40
    assert np.array_equal(found[clear], oracle.predict(test)[clear])


def test_balanced_accuracy_weighs_classes_alike() -> None:
    sizes = np.concatenate([np.zeros(80, int), np.ones(20, int)])
    table = pa.table(
        {
            "artist": [f"a{i % 10}{kind}" for i, kind in enumerate(sizes)],
            "mood": [f"m{kind}" for kind in sizes],
        }
    )
    vectors = unit_vectors(np.ones((100, 2)))
    blind = EvaluationData({"blind": vectors}, table, TrackLabels.of(table), seed=0, draws=0)
    values = {m.metric: m.value for m in measure_probe(blind, "linear", "mood")}
    assert values == {"accuracy": pytest.approx(0.8), "balanced accuracy": pytest.approx(0.5)}


@pytest.mark.parametrize("genres", [["g"] * 96, ["g", "h"] + [None] * 94])
def test_too_few_classes_are_said_and_counted(genres: list[str | None]) -> None:
    table = data(x=by_genre()).tracks.set_column(1, "genre", pa.array(genres, pa.string()))
    few = EvaluationData(
        {"x": unit_vectors(by_genre())}, table, TrackLabels.of(table), seed=0, draws=10
    )
    found = measure_probe(few, "linear", "genre")
    assert [(m.value, m.queries, m.left_out) for m in found] == [(None, 0, 96)] * 2
    assert "5 artists" in found[0].note


def test_an_unknown_column_is_an_error() -> None:
    with pytest.raises(QueryError, match="'mood'"):
        measure_probe(data(x=by_genre()), "linear", "mood")


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(MissingExtraError, match=r'pip install "musicu\[eval\]"'):
        sklearn("cluster")


def test_clusters_that_are_the_genres_score_one_and_chance_scores_nothing() -> None:
    rng = np.random.default_rng(7)
    both = data(genres=by_genre(), chance=rng.normal(size=(len(ARTIST), 8)))
    found = {(m.metric, m.model): m for m in measure_clustering(both, "genre")}
    assert found["adjusted mutual information", "genres"].value == pytest.approx(1)
    assert found["V-measure", "genres"].value == pytest.approx(1)
    chance = found["adjusted mutual information", "chance"]
    low, high = np.percentile(chance.draws, [2.5, 97.5])
    assert low <= chance.value <= high
    assert abs(chance.value) < 0.1


def test_clustering_without_classes_is_said_and_counted() -> None:
    table = pa.table({"artist": [f"a{i}" for i in range(12)]})
    each = EvaluationData(
        {"x": unit_vectors(np.eye(12))}, table, TrackLabels.of(table), seed=0, draws=10
    )
    found = measure_clustering(each, "artist")
    assert [(m.value, m.left_out) for m in found] == [(None, 12)] * 2
