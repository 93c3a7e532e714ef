"""`musicu evaluate candidates`, from tables on disk to numbers, lists and a page."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from musicu.candidates import Constraints, ForYou, ItemTable, TasteProfile, find_candidates
from musicu.catalog.catalog import Catalog
from musicu.cli.app import app
from musicu.embeddings.tracks.config import TrackConfig
from musicu.evaluation.labels import TrackLabels
from musicu.evaluation.recommendation import BASELINES, Protocol, Training, make_split
from musicu.evaluation.recommendation.encoder import (
    encoder_vectors,
    fits_history,
    set_fit_model,
)
from musicu.evaluation.recommendation.shipped import generator_model
from musicu.pipeline.run import scan
from musicu.ranking.set_fit import ARTIST_BONUS, ARTIST_SHARE
from musicu.records import Vectors

ARTISTS, EACH = 24, 3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of tracks with genres, without sound, and who heard them."""
    folder = tmp_path_factory.mktemp("candidates")
    artist = np.repeat(np.arange(ARTISTS), EACH)
    tracks = pa.table(
        {
            "track_id": [f"t{i:02}" for i in range(len(artist))],
            "title": [f"song {i}" for i in range(len(artist))],
            "artists": pa.array([[f"artist {a}"] for a in artist]),
            "genres": pa.array([[f"genre {a % 3}"] for a in artist]),
        }
    )
    rng = np.random.default_rng(0)
    pairs = [
        (f"u{user:02}", f"t{track:02}")
        for user in range(30)
        for track in rng.permutation(np.flatnonzero(artist % 3 == user % 3))[:12]
    ]
    listens = {"user_id": [u for u, _ in pairs], "track_id": [t for _, t in pairs]}
    pq.write_table(tracks, folder / "tracks.parquet")
    pq.write_table(pa.table(listens), folder / "listens.parquet")
    scan(folder / "tracks.parquet", folder / "catalog")
    return folder


def evaluate(home: Path, *arguments: str) -> Result:
    command = ["evaluate", "candidates", str(home / "catalog")]
    command += ["--listens", str(home / "listens.parquet"), "--split", "new-artists"]
    return CliRunner().invoke(app, [*command, "--bootstrap", "20", *arguments])


def test_it_measures_every_baseline_and_writes_a_page(home: Path, tmp_path: Path) -> None:
    done = evaluate(home, "-k", "5", "--json", "--html", str(tmp_path / "page.html"))
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {row["model"] for row in found["rows"]} == set(BASELINES)
    assert {row["k"] for row in found["rows"]} == {5}
    assert "content-knn compares tags" in found["about"]["notes"]
    assert "artist+content" in (tmp_path / "page.html").read_text("utf-8")


def test_lists_made_from_the_training_part_are_measured(home: Path, tmp_path: Path) -> None:
    done = evaluate(home, "--training-part", str(tmp_path))
    assert done.exit_code == 0, done.output
    asked = pq.read_table(tmp_path / "asked.parquet")["user_id"].to_pylist()
    candidates = pq.read_table(tmp_path / "candidates.parquet")["track_id"].to_pylist()
    everything = [(user, track) for user in asked for track in candidates]
    lists = {
        "user_id": [user for user, _ in everything],
        "track_id": [track for _, track in everything],
        "score": np.ones(len(everything)),
    }
    pq.write_table(pa.table(lists), tmp_path / "mine.parquet")
    mine = str(tmp_path / "mine.parquet")
    k = str(len(candidates))
    done = evaluate(home, "--candidates", mine, "--baseline", "random", "-k", k, "--json")
    assert done.exit_code == 0, done.output
    rows = {(row["model"], row["metric"]): row for row in json.loads(done.stdout)["rows"]}
    assert rows["mine", "hit rate"]["value"] == 1
    assert rows["mine", "coverage"]["value"] == 1
    assert rows["mine", "hit rate"]["difference"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--split", "time"], "no timestamps"),
        (["--model", "none-such"], "no vectors yet"),
        (["--content", "none-such"], "no vectors yet"),
        (["--candidates", "LISTENS"], "no column 'score'"),
        (["--share", "2"], "share held out is 2.0"),
    ],
)
def test_wrong_input_is_told_in_words(home: Path, arguments: list[str], words: str) -> None:
    listens = str(home / "listens.parquet")
    done = evaluate(home, *[listens if word == "LISTENS" else word for word in arguments])
    assert done.exit_code != 0
    assert words in str(done.exception)


def test_evaluate_still_takes_a_catalog(home: Path) -> None:
    shown = CliRunner().invoke(app, ["evaluate", "--help"]).output
    assert "--protocol" in shown
    assert "evaluate candidates --help" in shown
    assert "--listens" in CliRunner().invoke(app, ["evaluate", "candidates", "--help"]).output
    done = CliRunner().invoke(app, ["evaluate", str(home / "catalog")])
    assert "has no vectors yet" in str(done.exception)


def test_an_encoder_fitted_on_the_training_part_finds_new_artists(home: Path) -> None:
    catalog = Catalog.open(home / "catalog")
    tracks, listens = catalog.tracks(), pq.read_table(home / "listens.parquet")
    split = make_split(tracks, listens, Protocol(split="new-artists", share=0.25))
    training = Training.of(split, tracks, TrackLabels.of(tracks), 0)
    config = TrackConfig(dim=16, hidden=32, factors=8, steps=150, batch=32, min_count=1)
    scores = set_fit_model(encoder_vectors(catalog, config))(training)(split.asked)
    wanted = split.answers[split.asked][:, split.candidates].toarray()
    right = np.array(
        [row[mask].mean() - row[~mask].mean() for row, mask in zip(scores, wanted, strict=True)]
    )
    assert (right > 0).mean() > 0.9


def test_an_encoder_never_sees_what_is_held_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from musicu.evaluation.recommendation import encoder

    catalog = Catalog.open(home / "catalog")
    tracks, listens = catalog.tracks(), pq.read_table(home / "listens.parquet")
    split = make_split(tracks, listens, Protocol(split="new-artists", share=0.25))
    training = Training.of(split, tracks, TrackLabels.of(tracks), 0)
    seen = {}

    def spy(known: Catalog, listens: pa.Table, config: TrackConfig) -> object:
        seen.update(tracks=known.tracks(), listens=listens)
        raise KeyboardInterrupt

    monkeypatch.setattr(encoder, "fit_tracks", spy)
    with pytest.raises(KeyboardInterrupt):
        encoder_vectors(catalog)(training)
    new = set(split.listening.tracks[split.candidates])
    assert not new & set(seen["listens"]["track_id"].to_pylist())
    assert seen["tracks"] is training.tracks


def test_what_is_measured_is_what_the_generator_gives(home: Path) -> None:
    tracks, listens = (
        Catalog.open(home / "catalog").tracks(),
        pq.read_table(home / "listens.parquet"),
    )
    split = make_split(tracks, listens, Protocol(split="new-tracks", share=0.25))
    training = Training.of(split, tracks, TrackLabels.of(tracks), 0)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(tracks.num_rows, 8)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    vectors = Vectors(np.asarray(tracks["track_id"].to_pylist(), object), values)
    scores = generator_model(lambda training: vectors, 5)(training)(split.asked)
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    new = pa.array(split.listening.tracks[split.candidates], pa.string())
    items = ItemTable(tracks.filter(pc.is_in(tracks["track_id"], value_set=new)), vectors)
    for row, user in enumerate(split.asked):
        name = split.listening.users[user]
        own = training.listens.filter(pc.equal(training.listens["user_id"], name))
        taste = TasteProfile.from_listens(own, vectors, now=now)
        whole = ItemTable(tracks, vectors)
        only = Constraints(blocked_tracks=set(whole.ids.tolist()) - set(items.ids.tolist()))
        found = find_candidates(whole, {name: taste}, [ForYou()], k=5, constraints=only, now=now)
        offered = np.flatnonzero(np.isfinite(scores[row]))
        measured = split.listening.tracks[split.candidates][
            offered[np.argsort(-scores[row, offered], kind="stable")]
        ]
        assert found["track_id"].to_pylist() == measured.tolist()


def test_tracks_without_vectors_earn_what_their_artist_does(home: Path) -> None:
    catalog = Catalog.open(home / "catalog")
    tracks, listens = catalog.tracks(), pq.read_table(home / "listens.parquet")
    split = make_split(tracks, listens, Protocol(split="new-tracks", share=0.25))
    training = Training.of(split, tracks, TrackLabels.of(tracks), 0)
    vectors = np.zeros((tracks.num_rows, 4), np.float32)
    heard = np.unique(split.history.nonzero()[1])
    vectors[heard, 0] = 1
    scores = fits_history(training, vectors)(split.asked)
    names = TrackLabels.of(tracks).artists.codes
    for row, user in enumerate(split.asked):
        history = split.history[user].indices
        for place, track in enumerate(split.candidates):
            share = np.mean([bool(set(names[heard]) & set(names[track])) for heard in history])
            wanted = ARTIST_BONUS * (share > 0) + ARTIST_SHARE * share
            assert scores[row, place] == pytest.approx(wanted, abs=1e-6)
