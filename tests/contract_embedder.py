"""What every embedder keeps: inherit `EmbedderContract` and give it a fixture `model`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from music import tune
from numpy.typing import NDArray

from musicu.embeddings.cards import ModelCard, read_card
from musicu.embeddings.embedder import Embedder
from musicu.errors import ModelError
from musicu.records import Audio


def sounds(rate: int) -> dict[str, NDArray[np.float32]]:
    """Recordings of every kind, float32 [n] at a sample rate in Hz."""
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * rate).astype(np.float32)
    return {
        "music": tune(1, 6.0, rate),
        "other music": tune(2, 3.0, rate),
        "short": tune(3, 0.3, rate),
        "noise": noise,
        "faint": noise * np.float32(1e-7),
        "loud": noise * np.float32(1e4),
        "silence": np.zeros(rate, np.float32),
        "constant": np.full(rate, 0.5, np.float32),
    }


class EmbedderContract:
    """The tests; `model` is a fixture that gives the embedder, made by `Embedder.load`."""

    @pytest.fixture
    def audios(self, model: Embedder) -> dict[str, Audio]:
        """Whole recordings, and one in two windows."""
        rate = model.sample_rate
        made = {name: Audio.of(samples, rate) for name, samples in sounds(rate).items()}
        two = made["music"].samples
        half = len(two) // 2
        return {**made, "windows": Audio(two, rate, (0, half, len(two)), (0.0, 9.0), 12.0)}

    def test_the_card_says_what_it_reads_and_gives(self, model: Embedder) -> None:
        card = model.card
        assert (model.name, model.fingerprint) == (card.name, card.fingerprint)
        assert (model.dim, model.sample_rate) == (card.dim, card.sample_rate)
        assert card.dim > 0
        assert card.sample_rate >= 8_000
        assert model.windows == card.windows
        assert card.windows.seconds > 0
        assert card.windows.count >= 1
        assert 1 <= type(model).batch_size(card) <= card.batch.size

    def test_every_vector_is_of_unit_length(
        self, model: Embedder, audios: dict[str, Audio]
    ) -> None:
        vectors = model.embed_batch(list(audios.values()))
        assert vectors.shape == (len(audios), model.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)

    def test_other_music_has_another_vector(
        self, model: Embedder, audios: dict[str, Audio]
    ) -> None:
        one, other = (model.embed(audios[name]) for name in ("music", "other music"))
        assert float(one @ other) < 0.9999

    @pytest.mark.parametrize("size", [2, 3, 100])
    def test_a_batch_is_a_loop_of_singles_bit_for_bit(
        self, model: Embedder, audios: dict[str, Audio], size: int
    ) -> None:
        given = list(audios.values())
        singles = np.stack([model.embed(audio) for audio in reversed(given)])[::-1]
        batches = [model.embed_batch(given[i : i + size]) for i in range(0, len(given), size)]
        np.testing.assert_array_equal(np.concatenate(batches), singles)

    def test_an_empty_batch_has_no_rows(self, model: Embedder) -> None:
        assert model.embed_batch([]).shape == (0, model.dim)

    def test_a_model_loaded_again_gives_the_same_bits(
        self, model: Embedder, audios: dict[str, Audio]
    ) -> None:
        again = Embedder.load(model.card.folder)
        assert again.fingerprint == model.fingerprint
        np.testing.assert_array_equal(
            again.embed(audios["windows"]), model.embed(audios["windows"])
        )

    def test_audio_of_another_sample_rate_is_refused(self, model: Embedder) -> None:
        other = Audio.of(tune(1), model.sample_rate + 1)
        with pytest.raises(ModelError, match=f"reads audio at {model.sample_rate} Hz"):
            model.embed(other)
        with pytest.raises(ModelError, match=f"{model.sample_rate + 1} Hz"):
            model.embed_batch([other])

    def test_what_decides_no_vector_leaves_the_fingerprint_alone(
        self, model: Embedder, tmp_path: Path
    ) -> None:
        about = {"summary": "other words"}
        changed = _with(model.card, tmp_path, about=about, batch={"size": 64, "device": "cuda"})
        assert changed.fingerprint == model.fingerprint
        assert (changed.about, changed.batch.size, changed.batch.device) == (about, 64, "cuda")

    def test_what_decides_vectors_changes_the_fingerprint(
        self, model: Embedder, tmp_path: Path
    ) -> None:
        seen = {model.fingerprint}
        seen.add(_with(model.card, tmp_path / "a", name="another").fingerprint)
        windows = {"seconds": 0.25, "count": 1}
        seen.add(_with(model.card, tmp_path / "b", windows=windows).fingerprint)
        for name in model.card.files:
            folder = Path(shutil.copytree(model.card.folder, tmp_path / name))
            (folder / name).write_bytes(model.card.path(name).read_bytes() + b"\0")
            seen.add(read_card(folder).fingerprint)
        assert len(seen) == 3 + len(model.card.files)


def _with(card: ModelCard, folder: Path, **changes: object) -> ModelCard:
    """The card of a copy of a model, with other values in its card.json."""
    shutil.copytree(card.folder, folder, dirs_exist_ok=True)
    told = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps({**told, **changes}), encoding="utf-8")
    return read_card(folder)
