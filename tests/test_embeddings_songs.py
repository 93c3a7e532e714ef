"""A songs network beside the other numbers of an audio model."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contract_embedder import EmbedderContract
from music import tune
from safetensors.numpy import load_file, save_file

from musicu.embeddings.cards import DEFAULT_MODEL, SHIPPED, read_card
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.onnx_embedder import AudioEmbedder
from musicu.embeddings.songs import (
    N_BANDS,
    SONG_FRAMES,
    evenly,
    floored,
    songs_input,
    songs_map_file,
)
from musicu.embeddings.stats import flat_statistics, project
from musicu.errors import ModelError
from musicu.features.powers import SAMPLE_RATE, spectrograms
from musicu.records import Audio

onnx = pytest.importorskip("onnx", reason="needs onnx to make a network")
DIM = 40


def mean_of_bands() -> bytes:
    """A songs network that gives the mean of every band."""
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("ReduceMean", ["logs", "axes"], ["vector"], keepdims=0)],
        "songs",
        [onnx.helper.make_tensor_value_info("logs", kind, ["chunks", SONG_FRAMES, N_BANDS])],
        [onnx.helper.make_tensor_value_info("vector", kind, [N_BANDS])],
        [onnx.helper.make_tensor("axes", onnx.TensorProto.INT64, [2], [0, 1])],
    )
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped encoder with a songs network beside it."""
    made = tmp_path_factory.mktemp("model")
    source = SHIPPED / "musicu-audio-v1"
    for path in source.iterdir():
        shutil.copyfile(path, made / path.name)
    (made / "songs.onnx").write_bytes(mean_of_bands())
    card = json.loads((source / "card.json").read_text(encoding="utf-8"))
    wide = card["dim"] + N_BANDS
    rng = np.random.default_rng(0)
    arrays = {"centre": rng.standard_normal(wide) * 0.1, "matrix": rng.standard_normal((wide, DIM))}
    kept = {k: v.astype(np.float32) for k, v in arrays.items()} | {"most": np.array([3])}
    save_file(kept, made / "songs.safetensors")
    files = [*card["files"], "songs.onnx", "songs.safetensors"]
    card |= {"name": "with-songs", "dim": DIM, "files": files}
    (made / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return made


class TestContract(EmbedderContract):
    @pytest.fixture
    def model(self, folder: Path) -> Embedder:
        return Embedder.load(folder)


class TestShippedContract(EmbedderContract):
    @pytest.fixture
    def model(self) -> Embedder:
        return Embedder.load(DEFAULT_MODEL)


def test_the_shipped_card_keeps_its_promises() -> None:
    card = read_card(SHIPPED / DEFAULT_MODEL)
    assert card.dim <= 256
    assert {"summary", "training", "teachers", "scores", "weaknesses", "licence"} <= set(card.about)
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 40e6


def test_the_shipped_student_is_what_the_shipped_songs_network_was_made_of() -> None:
    torch = pytest.importorskip("torch", reason="needs torch to read the student")
    pytest.importorskip("onnxscript", reason="needs onnxscript, as the export does")
    from recipes.audio_v2.combine import WEIGHTS
    from recipes.audio_v2.songs_export import load_student

    embedder = Embedder.load(DEFAULT_MODEL)
    assert isinstance(embedder, AudioEmbedder)
    assert embedder.songs is not None
    student = load_student(SHIPPED / DEFAULT_MODEL / "student.safetensors")
    pieces = [Audio.of(tune(seed, 9.0, SAMPLE_RATE), SAMPLE_RATE) for seed in (1, 2)]
    inputs = [songs_input(power) for piece in pieces for power in spectrograms(piece)]
    with torch.no_grad():
        means = [
            student(torch.from_numpy(each))[0]["hidden"].mean(dim=0).numpy() for each in inputs
        ]
    parts = [embedder.songs.numbers([each])[: len(means[0])] for each in inputs]
    assert np.linalg.norm(parts[0]) == pytest.approx(WEIGHTS["hidden"], rel=1e-3)
    difference = means[0] - means[1]  # in which the block's centre has no part
    lengths = np.linalg.lstsq(np.stack(parts, 1) * [1, -1], difference, rcond=None)[0]
    rebuilt = lengths[0] * parts[0] - lengths[1] * parts[1]
    # as far as 8 bits allow; the next test is exact
    assert np.linalg.norm(rebuilt - difference) < 0.1 * np.linalg.norm(difference)


def test_the_weights_that_ship_are_the_students_to_half_a_step_of_their_bytes() -> None:
    pytest.importorskip("torch", reason="needs torch to read the student")
    onnx = pytest.importorskip("onnx", reason="needs onnx to read the graph")
    from recipes.audio_v2.songs_export import load_student

    graph = onnx.load(SHIPPED / DEFAULT_MODEL / "songs.onnx").graph
    found = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    known = load_student(SHIPPED / DEFAULT_MODEL / "student.safetensors").state_dict()
    student = {f"network.{name}": value.numpy() for name, value in known.items()}
    whole, rounded = 0, 0
    for name, weight in student.items():
        if weight.ndim != 4:  # linear layers
            if name in found:
                np.testing.assert_allclose(found[name], weight, atol=1e-3 * np.abs(weight).max())
            continue
        norm = name.removesuffix("second.weight") + "norm"  # folded into the convolution
        if not name.endswith("second.weight"):
            norm = name.removesuffix("0.weight") + "1"
        gain = student[f"{norm}.weight"] / np.sqrt(student[f"{norm}.running_var"] + 1e-5)
        folded = weight * gain[:, None, None, None]
        if name in found:
            whole += 1
            np.testing.assert_allclose(found[name], folded, atol=2e-3 * np.abs(folded).max())
        else:
            rounded += 1
            step = found[f"{name}_scale"][:, None, None, None]
            near = np.abs(found[f"{name}_quantized"] * step - folded) / step
            assert near.max() < 0.6
    assert (whole, rounded) == (2, 10)


def test_the_last_map_is_over_the_vector_and_the_songs_numbers(folder: Path) -> None:
    audio = Audio.of(tune(1, 9.0, SAMPLE_RATE), SAMPLE_RATE)
    first = Embedder.load("musicu-audio-v1").embed(audio)
    (power,) = spectrograms(audio)
    inputs = songs_input(power)
    assert inputs.shape[1:] == (SONG_FRAMES, N_BANDS)
    last = load_file(folder / "songs.safetensors")
    joined = np.concatenate([first, inputs.mean(axis=(0, 1))]) - last["centre"]
    expected = joined @ last["matrix"]
    found = Embedder.load(folder).embed(audio)
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_of_many_windows_the_networks_read_some_from_end_to_end(
    folder: Path, tmp_path: Path
) -> None:
    assert [evenly(count, 3) for count in (0, 3, 4, 16)] == [
        [],
        [0, 1, 2],
        [0, 2, 3],
        [0, 8, 15],
    ]
    assert evenly(16, 0) == list(range(16))
    embedder = Embedder.load(folder)
    assert isinstance(embedder, AudioEmbedder)
    assert embedder.songs is not None
    sound = tune(3, 80.0, SAMPLE_RATE)
    audio = embedder._windowed(Audio.of(sound, SAMPLE_RATE))
    powers = list(spectrograms(audio))
    inputs = [songs_input(power) for power in powers]
    assert len(inputs) == 16
    few = np.concatenate([inputs[k] for k in (0, 8, 15)])
    np.testing.assert_array_equal(embedder.songs.numbers(inputs), embedder.songs.numbers([few]))
    first = Embedder.load("musicu-audio-v1").embed(audio)
    expected = embedder.songs.last.join(first, embedder.songs.numbers([few]))
    np.testing.assert_allclose(embedder.embed(audio), expected, atol=1e-6)

    for path in folder.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    last = embedder.songs.last
    fewer = replace(last, reading=last.reading._replace(beside=4))
    (tmp_path / "songs.safetensors").write_bytes(songs_map_file(fewer))
    quicker = Embedder.load(tmp_path)
    assert isinstance(quicker, AudioEmbedder)
    assert quicker.songs is not None
    assert quicker.fingerprint != embedder.fingerprint
    heard = np.concatenate([quicker.network_input(powers[k]) for k in (0, 5, 10, 15)])
    constants = quicker._constants
    assert constants is not None
    vector = project(flat_statistics(audio), constants, quicker.learned(heard))
    expected = quicker.songs.last.join(vector, quicker.songs.numbers([few]))
    np.testing.assert_allclose(quicker.embed(audio), expected, atol=1e-6)


def test_gain_changes_nothing_that_the_songs_network_reads() -> None:
    sound = tune(2, 5.0, SAMPLE_RATE)
    (loud,), (quiet,) = (
        spectrograms(Audio.of(s, SAMPLE_RATE)) for s in (sound, sound * np.float32(0.25))
    )
    np.testing.assert_allclose(songs_input(loud), songs_input(quiet), atol=1e-3)


def test_what_rounding_takes_from_a_quiet_copy_is_not_heard_in_the_first_place(
    tmp_path: Path,
) -> None:
    shipped = SHIPPED / DEFAULT_MODEL
    for name in ("card.json", "songs.onnx", "songs.safetensors"):
        shutil.copyfile(shipped / name, tmp_path / name)
    model = Embedder.load(shipped)
    assert isinstance(model, AudioEmbedder)
    assert model.songs is not None
    last = model.songs.last
    bare = replace(last, reading=last.reading._replace(floor_db=-math.inf))
    (tmp_path / "songs.safetensors").write_bytes(songs_map_file(bare))
    sound = tune(4, 12.0, SAMPLE_RATE)
    spectrum = np.fft.rfft(sound)
    spectrum[len(spectrum) // 4 :] = 0  # a synthesiser's bands of digital silence
    sound = np.fft.irfft(spectrum, len(sound)).astype(np.float32)
    quiet = np.round(sound / 4 * 2**15).astype(np.float32) / 2**15
    without, with_floor = (
        np.dot(*(each.embed(Audio.of(s, SAMPLE_RATE)) for s in (sound, quiet)))
        for each in (Embedder.load(tmp_path), model)
    )
    assert with_floor > 0.999
    assert 1 - with_floor < 0.5 * (1 - without)


def test_a_floor_is_white_noise_under_the_recording() -> None:
    sound = tune(2, 30.0, SAMPLE_RATE)
    noise = np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    noise *= np.float32(10 ** (-40 / 20)) * np.sqrt(np.mean(sound**2)) / noise.std()
    audio = Audio.of(sound, SAMPLE_RATE)
    (plain,), (over,) = spectrograms(audio), floored(audio, -40.0)
    (alone,) = spectrograms(Audio.of(noise, SAMPLE_RATE))
    np.testing.assert_allclose((over - plain).mean(), alone.mean(), rtol=0.01)
    silence = Audio.of(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE)
    (power,) = floored(silence)
    assert not power.any()


@pytest.mark.parametrize("damage", ["songs.onnx", "songs.safetensors"])
def test_a_damaged_songs_part_is_refused(folder: Path, tmp_path: Path, damage: str) -> None:
    for path in folder.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    (tmp_path / damage).write_bytes(b"nothing")
    with pytest.raises(ModelError, match=damage):
        Embedder.load(tmp_path)


def test_files_of_a_base_stand_for_those_that_a_model_lacks(tmp_path: Path) -> None:
    shipped = SHIPPED / DEFAULT_MODEL
    for name in ("card.json", "songs.onnx", "songs.safetensors"):
        shutil.copyfile(shipped / name, tmp_path / name)
    card = read_card(tmp_path)
    assert card.fingerprint == read_card(shipped).fingerprint
    assert card.path("model.onnx") == SHIPPED / "musicu-audio-v1" / "model.onnx"
    (tmp_path / "model.onnx").write_bytes(b"another")
    assert card.path("model.onnx").parent == tmp_path
    assert read_card(tmp_path).fingerprint != card.fingerprint


def test_a_base_that_is_no_model_of_ours_is_refused(tmp_path: Path) -> None:
    card = json.loads((SHIPPED / DEFAULT_MODEL / "card.json").read_text(encoding="utf-8"))
    (tmp_path / "card.json").write_text(json.dumps(card | {"base": "../x"}), encoding="utf-8")
    with pytest.raises(ModelError, match="no model that musicu has"):
        read_card(tmp_path)


def test_a_map_of_another_size_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    small = {"centre": np.zeros(9, np.float32), "matrix": np.zeros((9, DIM), np.float32)}
    save_file(small | {"most": np.array([8])}, tmp_path / "songs.safetensors")
    with pytest.raises(ModelError, match=r"centre and matrix have shapes \(9,\)"):
        Embedder.load(tmp_path)


@pytest.mark.parametrize("most", [[1], [8, 1], [-3, 8]])
def test_a_map_of_too_few_inputs_is_refused(folder: Path, tmp_path: Path, most: list[int]) -> None:
    for path in folder.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    kept = load_file(folder / "songs.safetensors") | {"most": np.array(most)}
    save_file(kept, tmp_path / "songs.safetensors")
    with pytest.raises(ModelError, match="where 2 are the least"):
        Embedder.load(tmp_path)


def test_a_fine_tuned_model_keeps_its_songs_part(folder: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch to read the encoder")
    pytest.importorskip("onnxscript", reason="needs onnxscript to write one")
    from musicu.embeddings.training.adaptation import raw_vectors, refit_projection
    from musicu.embeddings.training.crops import CROPS, crop_songs
    from musicu.embeddings.training.encoder_export import export_model, load_encoder, windows_of
    from musicu.embeddings.training.pooling import pool_chunks

    encoder = load_encoder(folder)
    assert encoder.songs is not None
    embedder = Embedder.load(folder)
    assert isinstance(embedder, AudioEmbedder)
    sound = tune(3, 4.0, SAMPLE_RATE)
    audio = Audio.of(sound, SAMPLE_RATE)
    inputs = np.concatenate([embedder.network_input(power) for power in spectrograms(audio)])
    with torch.no_grad():
        pooled = pool_chunks(encoder.network.features(torch.from_numpy(inputs)).numpy())
    windows, every = windows_of(encoder.recipe), np.zeros(1, np.int64)
    songs = crop_songs(encoder.songs, every, [tmp_path], windows, lambda _: sound, CROPS[:1])
    rows = raw_vectors(encoder, pooled[None], flat_statistics(audio)[None], songs[0])
    np.testing.assert_allclose(rows[0] / np.linalg.norm(rows[0]), embedder.embed(audio), atol=1e-3)

    turn = np.random.default_rng(1).standard_normal((DIM, DIM))
    tuned = export_model(tmp_path / "tuned", refit_projection(encoder, turn), {}, [])
    expected = (rows @ turn)[0]
    found = Embedder.load(tuned).embed(audio)
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=2e-3)
