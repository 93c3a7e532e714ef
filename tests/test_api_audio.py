"""Sound in memory is embedded as its file is; what is no sound is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from musicu import Audio, Catalog, Embedder, read_audio
from musicu.errors import AudioError, ModelError

RATE = 44_100
RNG = np.random.default_rng(5)


def song(seconds: float, rate: int = RATE, channels: int = 2) -> np.ndarray[Any, Any]:
    """Chords that change every second, unlike in each channel: float32 [n, channels]."""
    t = np.arange(round(seconds * rate)) / rate
    pitch = 110.0 * 2 ** ((t // 1 * 5 % 12) / 12)
    phase = np.cumsum(pitch) / rate
    parts = [np.sin(2 * np.pi * (n + 1) * phase) / (n + 2) for n in range(channels)]
    noise = 0.02 * RNG.normal(size=(len(t), channels))
    return (0.4 * np.stack(parts, axis=1) + noise).astype(np.float32)


@pytest.fixture(scope="module", params=["musicu-audio-v1", "musicu-stats-v1"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return Embedder.load(request.param)


@pytest.mark.parametrize(("seconds", "rate"), [(150.0, 44_100), (3.0, 48_000), (90.0, 22_050)])
def test_samples_have_the_vector_of_their_file(
    embedder: Embedder, tmp_path: Path, seconds: float, rate: int
) -> None:
    samples = song(seconds, rate)
    sf.write(tmp_path / "song.wav", samples, rate, subtype="FLOAT")
    vector = embedder.embed_file(tmp_path / "song.wav")
    for given in (samples, samples.T, samples.astype(np.float64)):
        assert np.array_equal(embedder.embed_samples(given, rate), vector)
    whole = embedder.embed(read_audio(tmp_path / "song.wav", embedder.sample_rate))
    assert whole @ vector > 0.9999


def test_whole_numbers_have_the_vector_of_their_file(embedder: Embedder, tmp_path: Path) -> None:
    samples = np.round(song(4.0) * 32_767).astype(np.int16)
    sf.write(tmp_path / "song.wav", samples, RATE, subtype="PCM_16")
    vector = embedder.embed_file(tmp_path / "song.wav")
    assert np.array_equal(embedder.embed_samples(samples, RATE), vector)


def test_a_file_has_the_vector_that_the_catalog_has(demo_catalog: Path) -> None:
    catalog = Catalog.open(demo_catalog)
    embedder = Embedder.load("musicu-stats-v1")
    vectors = catalog.vectors("musicu-stats-v1")
    for track_id in vectors.ids[:3]:
        assert np.array_equal(
            embedder.embed_file(catalog.file(track_id)), vectors.of([track_id])[0]
        )


def test_four_threads_give_the_bits_of_one(embedder: Embedder) -> None:
    songs = [song(2.0 + n / 2) for n in range(8)]
    alone = [embedder.embed_samples(samples, RATE) for samples in songs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda samples: embedder.embed_samples(samples, RATE), songs))
    assert np.array_equal(together, alone)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, np.float32),
        np.zeros((2, 0)),
        song(0.1),
        np.full(RATE, np.nan, np.float32),
        np.where(np.arange(2 * RATE) == 7, np.inf, 0.1),
        np.zeros((500, 500)),
        np.zeros((2, RATE, 2)),
        np.array("song.wav"),
        np.array([None] * RATE),
        np.zeros(RATE, bool),
        np.zeros(RATE, complex),
        "song.wav",
        None,
        0.5,
    ],
    ids=lambda samples: f"{np.shape(samples)} {np.asarray(samples).dtype}",
)
def test_what_is_no_sound_is_refused(samples: Any) -> None:
    with pytest.raises(AudioError, match=r"samples|too short"):
        Embedder.load("musicu-stats-v1").embed_samples(samples, RATE)


@pytest.mark.parametrize("rate", [0, -1, None, "44100", True, 0.5, float("nan"), 44_100.5])
def test_what_is_no_rate_is_refused(rate: Any, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="give it in Hz"):
        Embedder.load("musicu-stats-v1").embed_samples(song(1.0), rate)
    with pytest.raises(AudioError, match="give it in Hz"):
        read_audio(tmp_path / "song.wav", rate)


def test_embed_takes_no_path_nor_array_and_says_what_does() -> None:
    embedder = Embedder.load("musicu-stats-v1")
    for given in ("song.wav", song(1.0), Path("song.wav")):
        with pytest.raises(ModelError, match=r"embed_file\(path\) or embed_samples"):
            embedder.embed(given)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="embed_samples"):
        Audio.of(song(1.0), RATE)
    with pytest.raises(ModelError, match="embed_file"):
        embedder.embed(Audio.of(song(1.0)[:, 0], 8_000))
