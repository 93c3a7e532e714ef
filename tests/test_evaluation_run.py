from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from musicu.errors import QueryError
from musicu.evaluation import PROTOCOLS, evaluate, evaluate_vectors
from musicu.evaluation.vectors.measurement import TABLE
from musicu.evaluation.vectors.vector_evaluation import OF_VECTORS, random_vectors
from musicu.progress import reporting
from musicu.records import Vectors

ARTIST = np.repeat(np.arange(30), 4)
QUICK = ("same-artist", "same-genre-other-artists", "hubness", "cost")


def tracks() -> pa.Table:
    rows = range(len(ARTIST))
    return pa.table(
        {
            "track_id": [f"t{i:03d}" for i in rows],
            "content_hash": [f"h{i}" for i in rows],
            "artists": [[f"Artist {a}"] for a in ARTIST],
            "album": [f"Album {i % 2}" for i in rows],
            "genres": [[f"Genre {a % 3}"] for a in ARTIST],
            "source": [f"s{i // 2 % 2}" for i in rows],
            "title": [f"Title {i}" for i in rows],
        }
    )


def good() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 16))[np.arange(30) % 3] + rng.normal(size=(30, 16))
    return centres[ARTIST] + 0.5 * rng.normal(size=(120, 16))


def test_a_good_model_is_surely_ahead_of_chance() -> None:
    found = evaluate_vectors({"good": good()}, tracks(), protocols=QUICK, bootstrap=200)
    rows = found.to_table().filter(pc.field("model") == "good").to_pylist()
    ahead = {(r["protocol"], r["metric"]): r for r in rows}
    for metric in ("mean average precision", "recall@10", "hit rate@1", "nDCG@10"):
        assert ahead["same-artist", metric]["diff_low"] > 0
    assert ahead["same-genre-other-artists", "precision@10"]["diff_low"] > 0
    assert ahead["same-artist", "hit rate@1"]["artists"] == 30


def test_the_table_is_consistent_with_itself() -> None:
    table = evaluate_vectors({"good": good()}, tracks(), bootstrap=20).to_table()
    assert table.schema == TABLE
    values = {(r["protocol"], r["metric"], r["model"]): r["value"] for r in table.to_pylist()}
    measured = [row for row in table.to_pylist() if row["value"] is not None]
    assert {row["protocol"].partition(":")[0] for row in measured} == set(OF_VECTORS)
    for row in measured:
        if row["baseline"]:
            other = values[row["protocol"], row["metric"], row["baseline"]]
            assert row["difference"] == pytest.approx(row["value"] - other)
        if row["diff_low"] is not None:
            assert row["diff_low"] <= row["diff_high"]
        if row["low"] is not None:
            assert row["low"] <= row["high"]


def test_the_seed_decides_every_number() -> None:
    def run(seed: int) -> str:
        protocols = (*QUICK, "neighbour-probe", "clustering")
        found = evaluate_vectors(
            {"m": good()}, tracks(), protocols=protocols, seed=seed, bootstrap=5
        )
        return found.to_json()

    first = run(1)
    assert first == run(1)
    assert json.loads(first)["rows"] != json.loads(run(2))["rows"]


def test_a_model_beside_itself_differs_by_nothing() -> None:
    twins = {"m": good(), "twin": good()}
    found = evaluate_vectors(twins, tracks(), baselines=["twin"], protocols=QUICK, bootstrap=50)
    for row in found.to_table().to_pylist():
        if row["model"] == "m":
            assert row["difference"] == 0
            assert row["diff_low"] in (0, None)


def test_a_catalog_sorted_by_artist_gains_nothing_from_ties() -> None:
    same = {"constant": np.ones((120, 3))}
    found = evaluate_vectors(same, tracks(), protocols=["same-artist"], bootstrap=0)
    assert found.value("same-artist", "hit rate@1", "constant") < 0.15
    assert found.value("same-artist", "mean average precision", "constant") < 0.15


def test_random_scores_what_chance_should() -> None:
    found = evaluate_vectors({}, tracks(), protocols=["same-artist"], bootstrap=0)
    # One of 119 candidates is first; three of them are relevant.
    assert found.value("same-artist", "hit rate@1", "random") == pytest.approx(3 / 119, abs=0.05)
    assert found.value("same-artist", "recall@10", "random") == pytest.approx(10 / 119, abs=0.04)


def test_random_vectors_are_unit_and_centred() -> None:
    vectors = random_vectors(4000, seed=1)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(vectors.mean(axis=0)).max() < 0.01


def test_without_labels_everything_says_that_it_cannot_be_measured() -> None:
    bare = pa.table({"title": [f"t{i}" for i in range(120)]})
    found = evaluate_vectors({"good": good()}, bare, bootstrap=20)
    for row in found.to_table().to_pylist():
        if row["protocol"] in ("hubness", "cost"):
            assert row["value"] is not None
        else:
            assert (row["value"], row["left_out"], row["queries"]) == (None, 120, 0)
            assert row["note"]
    assert json.loads(found.to_json())["about"]["artists"] == 0


@pytest.mark.parametrize(
    ("vectors", "options", "words"),
    [
        ({"m": np.ones((5, 2))}, {}, "m has 5 vectors for 120 tracks"),
        ({"m": good()}, {"protocols": ["same-song"]}, "no protocol 'same-song'"),
        ({"m": good()}, {"protocols": ["robustness"]}, "no protocol 'robustness'"),
        ({"m": good()}, {"baselines": ["other"]}, "'other'"),
        ({"m": good()}, {"columns": ["mood"]}, "'mood'"),
        ({"m": np.full((120, 2), np.nan)}, {}, "120 of 120 vectors"),
        ({"m": np.ones(120)}, {}, "shape"),
    ],
)
def test_wrong_questions_are_refused_in_words(
    vectors: dict[str, np.ndarray], options: dict[str, list[str]], words: str
) -> None:
    with pytest.raises(QueryError, match=words):
        evaluate_vectors(vectors, tracks(), **options)


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(QueryError, match="nothing to compare"):
        evaluate_vectors({"m": np.ones((0, 2))}, tracks().slice(0, 0))


class FakeCatalog:
    """A catalog in memory: 120 tracks, the last a copy of the one before."""

    path = Path("catalog")

    def tracks(self) -> pa.Table:
        hashes = [*tracks()["content_hash"].to_pylist()[:-1], "h118"]
        return tracks().set_column(1, "content_hash", pa.array(hashes))

    def models(self) -> list[str]:
        return ["good", "part"]

    def vectors(self, model: str) -> Vectors:
        ids = np.array(tracks()["track_id"].to_pylist(), dtype=object)
        values = good().astype(np.float32)
        if model == "good":
            return Vectors(ids, values)
        return Vectors(np.random.default_rng(0).permutation(ids[20:]), values[:100])

    def model_entry(self, model: str) -> tuple[str, SimpleNamespace]:
        return model, SimpleNamespace(fingerprint="none", dim=16)


def test_models_are_measured_on_the_recordings_that_all_have_once() -> None:
    said: list[str] = []
    with reporting(lambda now: said.append(now.stage)):
        found = evaluate(FakeCatalog(), protocols=QUICK, bootstrap=20)
    assert said == ["rankings", "hubness"]
    assert found.about()["tracks"] == 99
    assert list(found.about()["models"]) == ["good", "part", "random"]
    alone = evaluate(FakeCatalog(), ["good"], protocols=["same-artist"], bootstrap=20)
    assert alone.about()["tracks"] == 119


def test_vectors_stay_with_their_tracks() -> None:
    alone = evaluate(FakeCatalog(), ["good"], protocols=["same-artist"], bootstrap=0)
    part = evaluate(FakeCatalog(), ["part"], protocols=["same-artist"], bootstrap=0)
    metric = ("same-artist", "hit rate@1")
    assert alone.value(*metric, "good") > 0.7
    assert part.value(*metric, "part") < 0.3  # its vectors were given to the wrong tracks


def test_what_could_not_be_done_is_noted() -> None:
    found = evaluate(FakeCatalog(), protocols=["cost", "robustness"], bootstrap=0)
    assert any("musicu-stats-v1 is not in the catalog" in note for note in found.notes)
    assert any("good was not run again" in note for note in found.notes)
    rows = found.to_table().to_pylist()
    assert all(r["value"] is None for r in rows if r["protocol"].startswith("robustness"))


def test_evaluate_knows_every_protocol_and_no_other() -> None:
    assert set(OF_VECTORS) < set(PROTOCOLS)
    with pytest.raises(QueryError, match="robustness"):
        evaluate(FakeCatalog(), protocols=["nothing"])
