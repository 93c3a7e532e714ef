from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from musicu.audio import read_audio
from musicu.audio.encoding import RATE
from musicu.embeddings.cards import ModelCard
from musicu.embeddings.embedder import Embedder
from musicu.evaluation.labels import TrackLabels
from musicu.evaluation.similarity_ranking import unit_vectors
from musicu.evaluation.vectors.measurement import EvaluationData
from musicu.evaluation.vectors.perturb import PERTURBATIONS
from musicu.evaluation.vectors.robustness import (
    RecordingAccess,
    compare,
    measure_robustness,
    measure_seconds,
    sample_rows,
)
from musicu.records import Audio, Windows

TRACKS = 14


class BandEmbedder(Embedder):
    """The share of power in 24 bands: enough to tell chords apart, deaf to loudness."""

    card = ModelCard(
        name="bands",
        kind="bands",
        dim=24,
        sample_rate=16_000,
        windows=Windows(2.0, 2),
        files=(),
        about={},
        folder=Path(),
        fingerprint="bands",
    )

    def embed_batch(self, audios: Sequence[Audio]) -> np.ndarray:
        self.check(audios)
        bands = []
        for audio in audios:
            power = np.abs(np.fft.rfft(audio.samples)) ** 2
            edges = np.geomspace(100, 4000, 25) * len(audio.samples) / 16_000
            sums = [power[int(a) : int(b)].sum() for a, b in pairwise(edges)]
            bands.append(np.sqrt(np.array(sums)))
        return unit_vectors(np.array(bands))


def tone(track: int, seconds: float = 4.0) -> np.ndarray:
    """Three partials that no other track has, in 24 bands."""
    rng = np.random.default_rng(track)
    time = np.arange(int(seconds * RATE)) / RATE
    pitches = np.geomspace(120, 3600, 24)[rng.permutation(24)[:3]]
    sound = sum(np.sin(2 * np.pi * pitch * time) for pitch in pitches) * 0.2
    return np.asarray(sound, dtype=np.float32)


@pytest.fixture
def heard(tmp_path: Path) -> tuple[EvaluationData, RecordingAccess]:
    embedder = BandEmbedder()
    vectors = []
    for track in range(TRACKS):
        soundfile.write(tmp_path / f"{track}.wav", tone(track), RATE, subtype="FLOAT")
        audio = read_audio(tmp_path / f"{track}.wav", 16_000, embedder.windows)
        vectors.append(embedder.embed(audio))
    table = pa.table({"artist": [f"a{i // 2}" for i in range(TRACKS)]})
    data = EvaluationData(
        {"bands": np.array(vectors)}, table, TrackLabels.of(table), seed=0, draws=50
    )
    return data, RecordingAccess(lambda row: tmp_path / f"{row}.wav", {"bands": embedder})


def test_a_model_deaf_to_the_change_keeps_its_neighbours(
    heard: tuple[EvaluationData, RecordingAccess],
) -> None:
    found = measure_robustness(*heard, np.array([1, 5, 9]))
    values = {(m.protocol, m.metric): m for m in found}
    for change in ("12 dB down", "middle 30 s", "MP3 64 kbit/s"):
        name = f"robustness:{change}"
        assert values[name, "original found first"].value == 1.0
        assert values[name, "reciprocal rank of the original"].value == 1.0
        assert values[name, "nearest neighbour unchanged"].value == 1.0
    assert values["robustness:12 dB down", "overlap@10"].value == 1.0
    assert {m.queries for m in found} == {3}


def test_unreadable_recordings_are_left_out_and_counted(
    heard: tuple[EvaluationData, RecordingAccess], tmp_path: Path
) -> None:
    (tmp_path / "5.wav").write_bytes(b"not sound")
    assert {(m.queries, m.left_out) for m in measure_robustness(*heard, np.array([1, 5]))} == {
        (1, 1)
    }
    nothing = measure_robustness(*heard, np.array([5]))
    assert {(m.value, m.queries) for m in nothing} == {(None, 0)}
    costs = measure_seconds(*heard, np.array([1, 5]))
    assert {(m.queries, m.left_out) for m in costs} == {(1, 1)}
    assert all(m.value is not None and m.value > 0 for m in costs)


def test_comparison_by_hand() -> None:
    # Twelve directions in a plane, a degree apart and then two, so that no two are equally near.
    angles = np.radians(np.cumsum(np.arange(13)))
    plane = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert compare(plane, 0, plane[0]) == [1.0, 1.0, 1.0, 1.0]
    unchanged, overlap, first, reciprocal = compare(plane, 0, plane[3])
    # Without itself, row 3 still has row 3; the original is behind rows 1 to 3 and 4.
    assert (unchanged, first) == (0.0, 0.0)
    order = np.argsort(-(plane @ plane[3]))
    assert reciprocal == pytest.approx(1 / (1 + list(order).index(0)))
    expected = {*order[order != 0][:10]} & {*range(1, 11)}
    assert overlap == len(expected) / 10


@pytest.mark.parametrize("change", list(PERTURBATIONS))
def test_changed_files_hold_what_they_say(change: str, tmp_path: Path) -> None:
    length = 31.0 if change == "middle 30 s" else 5.0
    samples = tone(3, length)
    path = PERTURBATIONS[change](samples, tmp_path)
    info = soundfile.info(path)
    seconds = {"middle 30 s": 30.0, "3 % faster": 5 / 1.03, "3 % slower": 5 / 0.97}
    assert info.frames / info.samplerate == pytest.approx(seconds.get(change, 5.0), abs=0.1)
    level = np.sqrt(np.mean(read_audio(path, RATE).samples[RATE : 2 * RATE] ** 2))
    before = np.sqrt(np.mean(samples**2))
    loss = 12.0 if change == "12 dB down" else 0.0
    assert 20 * np.log10(level / before) == pytest.approx(-loss, abs=0.6)


@pytest.mark.parametrize("change", ["MP3 64 kbit/s", "Opus 64 kbit/s", "Vorbis 64 kbit/s"])
def test_lossy_files_have_about_64_kbit_a_second(change: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=8 * RATE).astype(np.float32) * 0.1
    chords = sum(tone(track, 8.0) for track in range(4)) * 0.3
    path = PERTURBATIONS[change](chords + noise, tmp_path)
    assert path.stat().st_size * 8 / 8 / 1000 == pytest.approx(64, rel=0.2)


def test_speed_moves_pitch(tmp_path: Path) -> None:
    time = np.arange(4 * RATE) / RATE
    samples = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    found = read_audio(PERTURBATIONS["3 % faster"](samples, tmp_path), RATE).samples[RATE:]
    peak = np.abs(np.fft.rfft(found[: 2 * RATE])).argmax() / 2
    assert peak == pytest.approx(1030, abs=1)


def test_the_sample_is_drawn_by_the_seed_without_long_recordings() -> None:
    table = pa.table({"duration_seconds": [60.0, None, 4000.0, 90.0, 100.0]})
    data = EvaluationData({}, table, TrackLabels.of(table), seed=1, draws=0)
    assert sample_rows(data, 10).tolist() == [0, 1, 3, 4]
    assert sample_rows(data, 2).tolist() == sample_rows(data, 2).tolist()
    assert len(sample_rows(data, 2)) == 2
