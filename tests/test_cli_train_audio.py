"""`musicu train audio`, from a catalog of files to what is said at the end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("onnxscript", reason="training needs onnxscript")

from musicu.cli.app import app
from musicu.embeddings.cards import read_card
from musicu.embeddings.training.from_catalog import tracks_of

RECIPE = """
steps = 2
tracks = 4
frames = 64
held_out = 0.25
validate_every = 2
vector_dim = 8
window_count = 2

[network]
dim = 16
channels = [8, 8, 8, 8]
projection = 8

[pairs]
tags = 0.5
"""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight recordings without tags, two folders of four."""
    root = tmp_path_factory.mktemp("train")
    t = np.arange(5 * 22_050) / 22_050
    for number in range(8):
        hz = 150.0 * (2 + number)
        path = root / f"music/Album {number // 4}/{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * hz * t) * np.exp(-(t % 0.5)), 22_050)
    result = CliRunner().invoke(app, ["scan", str(root / "music"), "-o", str(root / "catalog")])
    assert result.exit_code == 0, result.output
    return root / "catalog"


def _train(catalog: Path, out: Path, *more: str) -> str:
    recipe = out.with_suffix(".toml")
    recipe.write_text(RECIPE, encoding="utf-8")
    command = ["train", "audio", str(catalog), "-o", str(out), "--config", str(recipe), *more]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return result.output


def test_it_says_what_fine_tuning_gained(catalog: Path, tmp_path: Path) -> None:
    said = _train(catalog, tmp_path / "first")
    assert "held out: " in said
    said = _train(catalog, tmp_path / "second", "--init", str(tmp_path / "first/model"), "--json")
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    (gain,) = [event for event in events if event["event"] == "gain"]
    assert gain["of"].startswith("what is near one half")  # two albums are too few to judge by
    neighbours = "neighbours.safetensors" in read_card(tmp_path / "second/model").files
    assert neighbours == (gain["kept"] == "refitted")
    assert ("the model stays as it was" in " ".join(said.split())) != neighbours
    assert read_card(tmp_path / "second/model").dim == 8


def test_folders_stand_in_for_albums_that_no_tag_names(catalog: Path) -> None:
    from musicu.catalog.catalog import Catalog

    tracks = tracks_of(Catalog.open(catalog))
    albums = {track.album for track in tracks}
    assert {Path(album or "").name for album in albums} == {"Album 0", "Album 1"}


def test_listening_draws_tracks_together(catalog: Path, tmp_path: Path) -> None:
    from musicu.catalog.catalog import Catalog

    ids = Catalog.open(catalog).tracks()["track_id"].to_pylist()
    listens = tmp_path / "listens.csv"
    rows = [f"u{number % 2},{track}" for number, track in enumerate(ids)]
    listens.write_text("\n".join(["user_id,track_id", *rows]), encoding="utf-8")
    _train(catalog, tmp_path / "plain")
    _train(catalog, tmp_path / "told", "--listens", str(listens))
    losses = []
    for run in ("plain", "told"):
        lines = (tmp_path / run / "log.jsonl").read_text(encoding="utf-8").splitlines()
        losses.append(json.loads(lines[0])["loss"])
    assert losses[0] != losses[1]
    listens.write_text("who,track_id\na,b\n", encoding="utf-8")
    command = ["train", "audio", str(catalog), "-o", str(tmp_path / "x"), "--listens", str(listens)]
    result = CliRunner().invoke(app, command)
    assert "has no column 'user_id'" in str(result.exception)
