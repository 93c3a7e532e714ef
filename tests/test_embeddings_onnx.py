"""The encoder at work: ONNX against PyTorch, and what a vector must not depend on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from contract_embedder import EmbedderContract

from musicu.audio import read_audio
from musicu.embeddings.cards import SHIPPED, read_card
from musicu.embeddings.embedder import Embedder
from musicu.errors import ModelError
from musicu.features.powers import spectrograms
from musicu.records import Audio

NAME = "musicu-audio-v1"
RATE = 22_050


def _music(seed: int, seconds: float = 20.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * hz * t) for hz in rng.uniform(80, 3000, 5))
    beat = np.exp(-5 * (t % rng.uniform(0.3, 0.7)))
    return (0.1 * tones * beat + 0.01 * rng.standard_normal(len(t))).astype(np.float32)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder.load(NAME)


class TestContract(EmbedderContract):
    @pytest.fixture
    def model(self, embedder: Embedder) -> Embedder:
        return embedder


def test_the_card_keeps_its_promises(embedder: Embedder) -> None:
    card = read_card(SHIPPED / NAME)
    assert card.dim <= 256
    assert (card.folder / "model.onnx").stat().st_size < 20e6
    assert {"summary", "training", "scores", "weaknesses", "licence"} <= set(card.about)
    with (card.folder / "credits.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 100
    assert all(row["licence"] and row["source"] for row in rows)


def test_gain_changes_nothing(embedder: Embedder) -> None:
    samples = _music(3)
    loud = embedder.embed(Audio.of(samples, RATE))
    quiet = embedder.embed(Audio.of(samples * np.float32(0.25), RATE))
    assert float(loud @ quiet) > 0.99999


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "card.json").write_bytes((SHIPPED / NAME / "card.json").read_bytes())
    (folder / "constants.safetensors").write_bytes(b"")
    (folder / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"model\.onnx cannot be used"):
        Embedder.load(folder)


def _cosine_of_torch(embedder: Embedder, audio: Audio) -> float:
    """The same chunks through PyTorch and the whitening in NumPy."""
    torch = pytest.importorskip("torch", reason="needs torch to compare with")
    from musicu.embeddings.onnx_embedder import AudioEmbedder
    from musicu.embeddings.training.export import load_encoder
    from musicu.embeddings.training.pooling import pool_chunks

    assert isinstance(embedder, AudioEmbedder)
    encoder = load_encoder(embedder.card.folder)
    inputs = np.concatenate([embedder.network_input(power) for power in spectrograms(audio)])
    with torch.no_grad():
        chunks = encoder.network.features(torch.from_numpy(inputs)).numpy()
    return float(encoder.whitening.apply(pool_chunks(chunks)) @ embedder.learned(inputs))


def test_onnx_equals_pytorch_on_made_music(embedder: Embedder) -> None:
    assert _cosine_of_torch(embedder, Audio.of(_music(4), RATE)) > 0.9999


def test_onnx_equals_pytorch_on_real_music(embedder: Embedder, shared_music: Path) -> None:
    for path in sorted(shared_music.glob("*/*/*.opus"))[::140]:
        audio = read_audio(path, RATE, embedder.windows)
        assert _cosine_of_torch(embedder, audio) > 0.9999


def test_a_network_exported_anew_gives_the_shipped_vectors_and_names_no_files(
    embedder: Embedder, tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript", reason="exporting needs torch and onnxscript")
    import onnxruntime

    from musicu.embeddings.training.export import load_encoder
    from musicu.embeddings.training.onnx_export import build_graph

    encoder = load_encoder(embedder.card.folder)
    frames = encoder.recipe.frames
    graph = build_graph(encoder.network, encoder.whitening, frames, frames // 2)
    content = graph.SerializeToString(deterministic=True)
    assert str(Path(__file__).parent.parent).encode() not in content
    anew = onnxruntime.InferenceSession(content)
    for chunks in (1, 16, 41):
        rng = np.random.default_rng(chunks)
        logs = rng.standard_normal((chunks, frames, 80)).astype(np.float32)
        np.testing.assert_allclose(
            anew.run(["vector"], {"logs": logs})[0], embedder.learned(logs), atol=1e-6
        )
