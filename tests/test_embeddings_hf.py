"""Other people's encoders: models of transformers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from contract_embedder import EmbedderContract
from music import tune

from musicu.cli.app import app
from musicu.embeddings.cards import find_model, read_card, write_card
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.hf_cards import is_non_commercial
from musicu.embeddings.waveforms import self_test_audio
from musicu.errors import ModelError
from musicu.records import Audio

torch = pytest.importorskip("torch", reason="needs torch")
transformers = pytest.importorskip("transformers", reason="needs transformers")

_SMALL = {
    "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": (8, 8), "conv_kernel": (10, 8), "conv_stride": (20, 16),
    "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip


def speech_model(folder: Path, kind: str = "Wav2Vec2") -> Path:
    """A tiny random model of waveforms, as transformers saves it."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**_SMALL)
    getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=16_000).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# Tiny\n")
    return folder


def clap_model(folder: Path) -> Path:
    """A tiny random CLAP with a tokenizer of a few words."""
    torch.manual_seed(0)
    config = transformers.ClapConfig(
        text_config={"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                     "intermediate_size": 32, "vocab_size": 40, "projection_dim": 16,
                     "projection_hidden_size": 16, "max_position_embeddings": 40},
        audio_config={"hidden_size": 64, "patch_embeds_hidden_size": 8, "depths": [1, 1, 1, 1],
                      "num_attention_heads": [2, 2, 2, 2], "projection_dim": 16,
                      "num_mel_bins": 64, "spec_size": 256},
        projection_dim=16,
    )  # fmt: skip
    transformers.ClapModel(config).save_pretrained(folder)
    transformers.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "slow", "piano", "rain", "drums", ","]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(
        folder
    )
    return folder


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speech_model(tmp_path_factory.mktemp("hf") / "tiny-speech")


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clap_model(tmp_path_factory.mktemp("hf") / "tiny-clap")


def carded(folder: Path, to: Path, **changes: Any) -> Path:
    """A copy of a model with a card of ours in it."""
    shutil.copytree(folder, to, dirs_exist_ok=True)
    card = read_card(folder)
    told = {
        n: card.document()[n] for n in ("name", "kind", "dim", "sample_rate", "windows", "about")
    }
    told |= {"files": list(card.files), "settings": dict(card.settings)}
    write_card(to, {**told, **changes})
    return to


@pytest.fixture(scope="module")
def speech_embedder(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return Embedder.load(carded(speech, tmp_path_factory.mktemp("card") / "speech"))


class TestSpeechContract(EmbedderContract):
    @pytest.fixture
    def model(self, speech_embedder: Embedder) -> Embedder:
        return speech_embedder


@pytest.mark.parametrize("kind", ["Wav2Vec2", "Hubert", "WavLM"])
@pytest.mark.parametrize("layer", [0, 2, -1])
def test_vectors_are_those_of_transformers_bit_for_bit(
    kind: str, layer: int, tmp_path: Path
) -> None:
    folder = carded(speech_model(tmp_path / "a", kind), tmp_path / "b", settings={"layer": layer})
    samples = tune(1, 3.0, 16_000)
    found = Embedder.load(f"hf:{folder}").embed(Audio.of(samples, 16_000))
    model = transformers.AutoModel.from_pretrained(folder).eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor([samples], sampling_rate=16_000, return_tensors="pt")
    with torch.inference_mode():
        frames = model(**inputs, output_hidden_states=True).hidden_states[layer][0].numpy()
    whole = frames.mean(axis=0, dtype=np.float64).astype(np.float32).astype(np.float64)
    once = (whole / np.linalg.norm(whole)).astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(found, (once / np.linalg.norm(once)).astype(np.float32))


def test_clap_gives_sound_and_text_in_one_space(clap: Path) -> None:
    embedder = Embedder.load(f"hf:{clap}")
    samples = tune(1, 4.0, 48_000)
    found = embedder.embed(Audio.of(samples, 48_000))
    model = transformers.ClapModel.from_pretrained(clap).eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(clap)
    inputs = extractor([samples], sampling_rate=48_000, return_tensors="pt")
    tokens = transformers.AutoTokenizer.from_pretrained(clap)(
        ["slow piano, rain"], return_tensors="pt"
    )
    with torch.inference_mode():
        sound, text = model.get_audio_features(**inputs), model.get_text_features(**tokens)
    for mine, theirs in ((found, sound), (embedder.embed_texts(["slow piano, rain"])[0], text)):
        row = getattr(theirs, "pooler_output", theirs)[0].numpy()
        np.testing.assert_allclose(mine, row / np.linalg.norm(row), atol=1e-6)


def test_a_model_without_a_text_tower_says_so(speech: Path) -> None:
    with pytest.raises(ModelError, match="no text tower"):
        Embedder.load(f"hf:{speech}").embed_texts(["rain"])
    with pytest.raises(ModelError, match="no text tower"):
        Embedder.load("musicu-stats-v1").embed_texts(["rain"])


def test_a_card_is_made_of_the_configuration_and_names_its_licence(speech: Path) -> None:
    card = find_model(f"hf:{speech}")
    assert (card.name, card.kind, card.dim, card.sample_rate) == ("tiny-speech", "hf", 16, 16_000)
    assert card.settings == {"layer": 2, "pooling": "mean", "dtype": "float32"}
    assert card.about["licence"] == "cc-by-nc-4.0 (non-commercial)"
    assert not is_non_commercial("apache-2.0")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"layer": 9}, "no layer 9"),
        ({"pooling": "median"}, "pools by 'median'"),
        ({"dtype": "float8"}, "dtype 'float8'"),
    ],
)
def test_settings_that_a_model_has_not_are_refused(
    speech: Path, tmp_path: Path, settings: dict[str, Any], text: str
) -> None:
    folder = carded(speech, tmp_path / "m", settings=settings)
    with pytest.raises(ModelError, match=text):
        Embedder.load(folder).embed(Audio.of(tune(1, 1.0, 16_000), 16_000))


def test_settings_are_part_of_the_fingerprint(speech: Path, tmp_path: Path) -> None:
    prints = {
        find_model(carded(speech, tmp_path / str(n), settings={"layer": n})).fingerprint
        for n in (1, 2)
    }
    assert len(prints) == 2


def test_half_precision_is_near_to_the_whole(speech: Path, tmp_path: Path) -> None:
    audio = Audio.of(tune(1, 2.0, 16_000), 16_000)
    whole, half = (
        Embedder.load(carded(speech, tmp_path / name, settings={"layer": 2, "dtype": name})).embed(
            audio
        )
        for name in ("float32", "bfloat16")
    )
    assert 0.99 < float(whole @ half) < 1.0


def test_a_self_test_refuses_a_wrongly_converted_model(speech: Path, tmp_path: Path) -> None:
    card = find_model(f"hf:{speech}")
    vector = Embedder.load(speech).embed(self_test_audio(card)).tolist()
    good = carded(speech, tmp_path / "good", self_test=vector)
    Embedder.load(good)
    torch.manual_seed(1)
    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**_SMALL)).save_pretrained(good)
    with pytest.raises(ModelError, match="fails its self-test"):
        Embedder.load(good)


def test_code_of_a_model_is_run_only_where_a_card_allows_it(speech: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own-code"
    shutil.copytree(speech, folder)
    config = json.loads((folder / "config.json").read_text())
    code = "modelling_own"
    config |= {
        "model_type": "own_speech",
        "auto_map": {"AutoConfig": f"{code}.OwnConfig", "AutoModel": f"{code}.OwnModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / f"{code}.py").write_text(
        "import pathlib\n"
        "from transformers import Wav2Vec2Config, Wav2Vec2Model\n"
        f"pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
        "class OwnConfig(Wav2Vec2Config):\n    model_type = 'own_speech'\n"
        "class OwnModel(Wav2Vec2Model):\n    config_class = OwnConfig\n"
    )
    with pytest.raises(ModelError, match="which is not run unasked"):
        Embedder.load(folder)
    assert not (tmp_path / "ran").exists()
    settings = {**read_card(folder).settings, "remote_code": True}
    allowed = carded(folder, tmp_path / "allowed", settings=settings)
    card = read_card(allowed)
    vector = Embedder.load(allowed).embed(self_test_audio(card))
    assert (tmp_path / "ran").exists()
    assert np.array_equal(vector, Embedder.load(speech).embed(self_test_audio(card)))
    del config["hidden_size"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"write a card\.json"):
        Embedder.load(folder)


def test_a_model_that_is_not_here_is_not_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ModelError, match="--fetch"):
        find_model("hf:nobody/no-such-model-of-ours")


def test_embedding_names_the_licence_and_texts_find_tracks(
    clap: Path, demo_music: Path, tmp_path: Path
) -> None:
    (clap / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    words = [
        "embed",
        str(demo_music),
        "-o",
        str(tmp_path / "c"),
        "--model",
        f"hf:{clap}",
        "--executor",
        "local",
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "cc-by-nc-4.0 (non-commercial)" in done.stderr
    asked = [
        "similar",
        str(tmp_path / "c"),
        "--text",
        "slow piano, rain",
        "--model",
        f"hf:{clap}",
        "--json",
    ]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 0, found.output
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert [row["rank"] for row in rows][:3] == [1, 2, 3]
    assert rows[0]["score"] >= rows[-1]["score"]
