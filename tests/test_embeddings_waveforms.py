"""ONNX graphs with a card that read waveforms, and models given away; neither needs torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from contract_embedder import EmbedderContract

from musicu.cli.app import app
from musicu.embeddings.cards import find_model, write_card
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.waveforms import window_samples
from musicu.errors import ModelError
from musicu.records import Audio


def waveform_model(folder: Path) -> Path:
    """An ONNX graph that gives the mean energy of four parts of a frame, frame by frame."""
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    helper, kind, array = onnx.helper, onnx.TensorProto.FLOAT, onnx.numpy_helper.from_array
    weights = np.random.default_rng(0).standard_normal((4, 1, 160)).astype(np.float32)
    nodes = [
        helper.make_node("Unsqueeze", ["wave", "axis"], ["one"]),
        helper.make_node("Conv", ["one", "w"], ["bands"], strides=[80]),
        helper.make_node("Abs", ["bands"], ["loud"]),
        helper.make_node("Transpose", ["loud"], ["frames"], perm=[0, 2, 1]),
    ]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("wave", kind, ["n", "samples"])],
        [helper.make_tensor_value_info("frames", kind, ["n", "frames", 4])],
        [array(weights, "w"), array(np.array([1]), "axis")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "tiny.onnx")
    write_card(
        folder,
        {
            "name": "tiny-v1", "kind": "onnx", "dim": 4, "sample_rate": 16_000,
            "windows": {"seconds": 2.0, "count": 8}, "files": ["tiny.onnx"],
            "settings": {"pooling": "mean", "scale": "normal"}, "about": {"summary": "tiny"},
        },
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder = waveform_model(tmp_path_factory.mktemp("onnx") / "tiny")
    return Embedder.load(folder / "tiny.onnx")


def test_what_is_longer_than_a_window_comes_in_pieces_that_end_where_it_ends() -> None:
    audio = Audio.of(np.arange(25, dtype=np.float32), 10)
    pieces = [piece[[0, -1]].tolist() for piece in window_samples(audio, 1.0)]
    assert pieces == [[0, 9], [10, 19], [15, 24]]
    assert [len(piece) for piece in window_samples(Audio.of(audio.samples[:20], 10), 1.0)] == [
        10,
        10,
    ]
    assert [len(piece) for piece in window_samples(Audio.of(audio.samples[:7], 10), 1.0)] == [7]


class TestWaveformContract(EmbedderContract):
    @pytest.fixture
    def model(self, waveforms: Embedder) -> Embedder:
        return waveforms


def test_an_onnx_file_without_a_card_says_what_is_missing(tmp_path: Path) -> None:
    folder = waveform_model(tmp_path / "m")
    (folder / "other.onnx").write_bytes((folder / "tiny.onnx").read_bytes())
    with pytest.raises(ModelError, match=r"names no file 'other\.onnx'"):
        find_model(folder / "other.onnx")
    (folder / "card.json").unlink()
    with pytest.raises(ModelError, match=r"card\.json"):
        find_model(folder / "tiny.onnx")


def embed(music: Path, catalog: Path, model: str) -> None:
    words = ["embed", str(music), "-o", str(catalog), "-m", model, "-j", "1"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output


def used(folder: Path, title: str) -> list[str]:
    """What `use.py` prints where musicu is not installed."""
    blocked = "import sys; sys.modules['musicu'] = None; sys.argv = ['use.py', sys.argv[1]]"
    code = f"{blocked}; exec(open('use.py').read())"
    ran = subprocess.run(
        [sys.executable, "-c", code, title], cwd=folder, capture_output=True, text=True, check=True
    )
    return ran.stdout.splitlines()


def test_a_catalog_is_given_away_with_its_model_and_used_without_musicu(
    demo_catalog: Path, demo_music: Path, tmp_path: Path
) -> None:
    from musicu import Catalog

    shutil.copytree(demo_catalog, tmp_path / "c")
    embed(demo_music, tmp_path / "c", "musicu-audio-v1")
    Catalog.open(tmp_path / "c").set_default_model("musicu-audio-v1")
    out = tmp_path / "given"
    done = CliRunner().invoke(app, ["models", "export", str(tmp_path / "c"), "--hf", str(out)])
    assert done.exit_code == 0, done.output
    head = (out / "README.md").read_text("utf-8").split("---")[1]
    assert "license: apache-2.0" in head
    assert "library_name: onnx" in head
    assert len((out / "use.py").read_text("utf-8").splitlines()) == 10
    title = json.loads((out / "tracks.jsonl").read_text("utf-8").splitlines()[0])["title"]
    lines = used(out, title)
    assert "model.onnx as exported: True" in lines
    ours = Catalog.open(tmp_path / "c").similar(
        json.loads((out / "tracks.jsonl").read_text("utf-8").splitlines()[0])["track_id"], k=1
    )
    assert lines[0].startswith(f"{ours['score'][0].as_py():.3f} {ours['title'][0].as_py()}")
    again = CliRunner().invoke(app, ["models", "export", "musicu-stats-v1", "--hf", str(out)])
    assert again.exit_code == 1


def test_an_export_that_fails_leaves_nothing(demo_catalog: Path, tmp_path: Path) -> None:
    from musicu import Catalog
    from musicu.embeddings.hf_export import export_folder
    from musicu.errors import QueryError

    card, catalog = find_model("musicu-audio-v1"), Catalog.open(demo_catalog)
    with pytest.raises(QueryError):  # the catalog has no vectors of it
        export_folder(card, tmp_path / "new" / "given", catalog)
    assert list((tmp_path / "new").iterdir()) == []
    assert export_folder(card, tmp_path / "new" / "given") == 0
    assert (tmp_path / "new/given/README.md").is_file()


def test_a_catalog_of_an_onnx_file_is_given_away_where_it_is_said_where_the_file_lies(
    demo_music: Path, tmp_path: Path
) -> None:
    model = waveform_model(tmp_path / "model") / "tiny.onnx"
    embed(demo_music, tmp_path / "c", str(model))
    words = ["models", "export", str(tmp_path / "c"), "--hf", str(tmp_path / "given")]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 1
    assert "'tiny-v1' lies: give its folder, .onnx file or hf: name with --model" in str(
        refused.exception
    )
    done = CliRunner().invoke(app, [*words, "--model", str(model)])
    assert done.exit_code == 0, done.output
    assert "tiny.onnx as exported: True" in used(tmp_path / "given", "")


def test_the_model_of_an_export_goes_with_a_catalog(tmp_path: Path) -> None:
    words = ["models", "export", "musicu-stats-v1", "--hf", str(tmp_path / "given")]
    refused = CliRunner().invoke(app, [*words, "--model", "musicu-stats-v1"])
    assert refused.exit_code == 2
    assert "musicu-stats-v1 is none" in refused.output
