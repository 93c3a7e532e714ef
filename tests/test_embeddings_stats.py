"""The role that `StatsEmbedder` fills, on made sounds; and the shipped model on real music."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from contract_embedder import EmbedderContract
from safetensors.numpy import load_file, save_file

from musicu.embeddings.cards import SHIPPED, read_card
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.stats import LEVELS, normal_scores, project
from musicu.errors import ModelError, SourceError
from musicu.records import Audio
from recipes.fit_stats import fit_constants, measure, read_tracks

RATE = 22050
SHIPPED_STATS = SHIPPED / "musicu-stats-v1"


@pytest.fixture(scope="module")
def model():
    return Embedder.load("musicu-stats-v1")


class TestContract(EmbedderContract):
    """`model` is the fixture above."""


def noise(seconds, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def chord(seconds, *hz):
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.1 * sum(np.sin(2 * np.pi * f * t) for f in hz) * np.exp(-3 * (t % 0.5))).astype("f4")


def click(seconds):
    samples = np.zeros(round(seconds * RATE), np.float32)
    samples[len(samples) // 2] = 1.0
    return samples


SOUNDS = {
    "nothing": np.zeros(0, np.float32),
    "one sample": np.ones(1, np.float32),
    "silence": np.zeros(3 * RATE, np.float32),
    "constant": np.full(3 * RATE, 0.5, np.float32),
    "click": click(3),
    "blip": chord(0.2, 440.0),
    "noise": noise(3),
    "sine": chord(3, 440.0),
    "faint": noise(3) * np.float32(1e-7),
    "loud": noise(3) * np.float32(1e6),
}


@pytest.mark.parametrize("sound", SOUNDS)
def test_any_sound_has_a_finite_unit_vector(model, sound):
    vector = model.embed(Audio.of(SOUNDS[sound], RATE))
    assert vector.dtype == np.float32
    assert vector.shape == (model.dim,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)


def test_no_vector_that_is_not_finite_leaves_a_model(model):
    with pytest.raises(ModelError, match="no finite vector"), np.errstate(all="ignore"):
        model.embed(Audio.of(SOUNDS["noise"] * np.float32(1e12), RATE))


@pytest.mark.parametrize("gain", [0.25, 0.003, 4.0])
def test_level_does_not_matter(model, gain):
    sound = chord(6, 220.0, 277.2, 330.0) + noise(6) * np.float32(0.01)
    vectors = model.embed_batch([Audio.of(sound, RATE), Audio.of(sound * np.float32(gain), RATE)])
    assert vectors[0] @ vectors[1] > 0.9999


def test_silence_of_any_length_is_one_vector(model):
    short, long = (model.embed(Audio.of(np.zeros(n * RATE, np.float32), RATE)) for n in (1, 7))
    assert np.array_equal(short, long)


def test_frames_do_not_straddle_windows(model):
    first, second = noise(4, 1), chord(4, 440.0)
    joined = np.concatenate([first, second])
    one_way = Audio(joined, RATE, (0, len(first), len(joined)), (0.0, 9.0), 13.0)
    joined = np.concatenate([second, first])
    other_way = Audio(joined, RATE, (0, len(second), len(joined)), (0.0, 9.0), 13.0)
    vectors = model.embed_batch([one_way, other_way])
    assert vectors[0] @ vectors[1] > 0.99


def test_music_unlike_the_fit_is_told_apart_and_outliers_do_not_rule():
    levels = np.linspace(-1.0, 1.0, len(LEVELS), dtype=np.float32)[:, None]
    outside = np.array([1.0, 1.5, 3.0, 8.0, 1e6, 1e12])
    scores = np.array([normal_scores(np.array([value]), levels)[0] for value in outside])
    assert (np.diff(scores[:4]) > 0.2).all()
    assert scores[-2] == scores[-1] <= 3.04
    below = np.array([normal_scores(np.array([-value]), levels)[0] for value in outside])
    assert below == pytest.approx(-scores, abs=1e-6)


def test_fingerprint_changes_with_one_constant(tmp_path):
    folder = shutil.copytree(SHIPPED_STATS, tmp_path / "model")
    constants = load_file(folder / "constants.safetensors")
    constants["centre"][3] += np.float32(1e-6)
    save_file(constants, folder / "constants.safetensors")
    assert read_card(folder).fingerprint != read_card(SHIPPED_STATS).fingerprint


def test_constants_that_do_not_fit_are_refused(tmp_path):
    folder = shutil.copytree(SHIPPED_STATS, tmp_path / "model")
    constants = load_file(folder / "constants.safetensors")
    constants["final"] = constants["final"][:, :7].copy()
    save_file(constants, folder / "constants.safetensors")
    with pytest.raises(ModelError, match="final has shape"):
        Embedder.load(folder)


def test_missing_constant_is_named(tmp_path):
    folder = shutil.copytree(SHIPPED_STATS, tmp_path / "model")
    constants = load_file(folder / "constants.safetensors")
    save_file({k: v for k, v in constants.items() if k != "mean"}, folder / "constants.safetensors")
    with pytest.raises(ModelError, match="mean"):
        Embedder.load(folder)


def test_fit_is_reproducible_and_pulls_artists_together():
    statistics, artists = made_catalog()
    constants = fit_constants(statistics, artists)
    again = fit_constants(statistics, artists)
    vectors = np.stack([project(row, constants) for row in statistics])
    assert vectors.tobytes() == np.stack([project(row, again) for row in statistics]).tobytes()
    likeness = vectors @ vectors.T
    same = np.equal.outer(artists, artists) & ~np.eye(len(artists), dtype=bool)
    different = ~np.equal.outer(artists, artists)
    assert likeness[same].min() > likeness[different].max()


def test_fit_needs_an_artist_with_two_recordings():
    statistics, artists = made_catalog()
    with pytest.raises(SourceError, match="no artist has two recordings"):
        fit_constants(statistics, [f"{name} {i}" for i, name in enumerate(artists)])


def made_catalog():
    """Six artists of six recordings, each around a point of its own."""
    size = load_file(SHIPPED_STATS / "constants.safetensors")["quantiles"].shape[1]
    rng = np.random.default_rng(5)
    points = rng.normal(size=(6, size))
    artists = np.repeat(np.arange(6), 6)
    return points[artists] + 0.3 * rng.normal(size=(36, size)), [f"artist {a}" for a in artists]


def test_every_recording_of_the_fit_is_credited():
    lines = (SHIPPED_STATS / "credits.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "title,artist,license,source_repo,source_commit,source_path"
    assert len(lines) > 500


@pytest.mark.slow
def test_new_artists_other_albums_are_found_more_often_than_by_librosas_statistics(shared_music):
    quality = benchmark()
    peers = pq.read_table(shared_music.parent / "peers" / "peers.parquet")
    theirs = dict(zip(peers["path"].to_pylist(), peers["librosa"].to_pylist(), strict=True))
    tracks = [t for t in read_tracks(shared_music) if t["path"] in theirs]
    windows = read_card(SHIPPED_STATS).windows
    rows = measure([shared_music / track["path"] for track in tracks], windows)
    labels = quality.TrackLabels(tracks)
    ours = quality.evaluate(rows, labels, quality.fit_stats_model)
    floor = quality.best_of(np.array([theirs[t["path"]] for t in tracks]), labels)[1]
    # the peers heard the originals, whose mastering tells them more of an album than our copies do
    assert np.nanmean(ours["other albums"]) > np.nanmean(floor["other albums"])


def benchmark():
    path = Path(__file__).parents[1] / "benchmarks" / "stats_quality.py"
    spec = importlib.util.spec_from_file_location("stats_quality", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
