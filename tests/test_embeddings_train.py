"""Training: that it learns, that it resumes to the same result, that it never ends worse."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("onnxscript", reason="training needs onnxscript")

from training_samples import RATE, TINY, made_sound, made_tracks, unnamed  # noqa: E402

from musicu.embeddings.cards import read_card  # noqa: E402
from musicu.embeddings.embedder import Embedder  # noqa: E402
from musicu.embeddings.neighbours import smooth  # noqa: E402
from musicu.embeddings.stats import flat_statistics, project  # noqa: E402
from musicu.embeddings.training import crops, trainer  # noqa: E402
from musicu.embeddings.training import train_audio as training  # noqa: E402
from musicu.embeddings.training.auxiliary import SHORTEST_LAG, rhythm_of  # noqa: E402
from musicu.embeddings.training.encode import encode_crops  # noqa: E402
from musicu.embeddings.training.encoder_export import as_toml, load_encoder  # noqa: E402
from musicu.embeddings.training.model_selection import WEIGHT  # noqa: E402
from musicu.embeddings.training.projection_head import HeadConfig  # noqa: E402
from musicu.embeddings.training.recipe import (  # noqa: E402
    TrainingRecipe,
    read_recipe,
    recipe_from,
)
from musicu.embeddings.training.train_data import TrainingTrack  # noqa: E402
from musicu.embeddings.training.windows_cache import open_or_build  # noqa: E402
from musicu.errors import AudioError, ModelError  # noqa: E402
from musicu.records import Audio  # noqa: E402


@pytest.fixture
def tracks(tmp_path: Path) -> list[TrainingTrack]:
    return made_tracks(tmp_path)


def _weights(model: Path) -> bytes:
    return (model / "weights.safetensors").read_bytes()


def test_a_stopped_run_goes_on_to_the_same_result(
    tracks: list[TrainingTrack], tmp_path: Path
) -> None:
    through = training.train_audio(tracks, TINY, tmp_path / "through", read=made_sound)

    class StoppedError(Exception):
        pass

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "validation" and event["step"] == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        training.train_audio(tracks, TINY, tmp_path / "halted", read=made_sound, report=stop)
    steps: list[int] = []
    resumed = training.train_audio(
        tracks, TINY, tmp_path / "halted", read=made_sound, report=lambda e: steps.append(e["step"])
    )
    assert min(steps) == 3  # it did not begin again at the beginning
    assert _weights(resumed.model) == _weights(through.model)
    assert (resumed.model / "model.onnx").read_bytes() == (
        through.model / "model.onnx"
    ).read_bytes()


def test_a_checkpoint_of_another_recipe_is_refused(
    tracks: list[TrainingTrack], tmp_path: Path
) -> None:
    training.train_audio(tracks, TINY, tmp_path / "run", read=made_sound)
    other = dataclasses.replace(TINY, temperature=0.5)
    with pytest.raises(ModelError, match="another recipe"):
        training.train_audio(tracks, other, tmp_path / "run", read=made_sound)


def test_a_run_leaves_a_model_a_log_and_a_picture(
    tracks: list[TrainingTrack], tmp_path: Path
) -> None:
    result = training.train_audio(tracks, TINY, tmp_path / "run", read=made_sound)
    events = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in events if e["event"] == "validation"] == [3, 6]
    assert (tmp_path / "run/curves.svg").read_text().startswith("<svg")
    embedder = Embedder.load(result.model)
    vector = embedder.embed(Audio.of(made_sound(Path("1-1.wav")), RATE))
    assert vector.shape == (16,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    with (result.model / "credits.csv").open() as file:
        credited = list(csv.DictReader(file))
    assert len(credited) == len(tracks)
    assert {row["album"] for row in credited} == {""}  # only what a tag says, no folder's path


def test_fine_tuning_never_ends_worse_than_it_began(
    tracks: list[TrainingTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("musicu.embeddings.training.fine_tuning.LEAST_QUERIES", 12)
    first = training.train_audio(tracks, TINY, tmp_path / "first", read=made_sound)
    ruinous = dataclasses.replace(TINY, name="ruined", learning_rate=30.0, warmup=1)
    for name, known in (("named", tracks), ("unnamed", unnamed(tracks))):
        result = training.train_audio(
            known, ruinous, tmp_path / name, read=made_sound, init=first.model
        )
        assert result.gain is not None
        if name == "named":
            assert result.gain.real == (result.kept != "unchanged")
        assert result.kept in ("unchanged", "refitted")
        assert read_card(result.model).name == "ruined"
        if name == "unnamed" or result.kept == "unchanged":  # the network is frozen
            assert _weights(result.model) == _weights(first.model)


def test_no_steps_leave_the_network_and_still_bring_the_map_along(
    tracks: list[TrainingTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("musicu.embeddings.training.fine_tuning.LEAST_QUERIES", 12)
    first = training.train_audio(tracks, TINY, tmp_path / "first", read=made_sound)
    still = dataclasses.replace(TINY, steps=0)
    result = training.train_audio(
        tracks, still, tmp_path / "still", read=made_sound, init=first.model
    )
    assert result.kept in ("unchanged", "refitted")
    assert result.gain is not None
    assert result.gain.of.startswith("recordings of one artist")
    assert np.array_equal(
        load_encoder(result.model).network.embed.weight.detach().numpy(),
        load_encoder(first.model).network.embed.weight.detach().numpy(),
    )


def test_statistics_stand_beside_the_network_and_are_heard_alike(
    tracks: list[TrainingTrack], tmp_path: Path
) -> None:
    head = HeadConfig(dim=12, numbers=6)
    recipe = dataclasses.replace(TINY, statistics=True, head=head, window_count=4)
    result = training.train_audio(tracks, recipe, tmp_path / "run", read=made_sound)
    encoder = load_encoder(result.model)
    assert encoder.constants is not None
    embedder = Embedder.load(result.model)
    audio = crops.as_read(made_sound(tracks[4].path), embedder.windows)
    cache = open_or_build(tmp_path / "run/cache", [t.path for t in tracks], made_sound)
    learned = encoder.whitening.apply(
        encode_crops(encoder.network, cache, np.array([4]), recipe.frames, 4)[0]
    )
    ours = project(flat_statistics(audio), encoder.constants, learned[0])
    assert float(ours @ embedder.embed(audio)) > 0.9999


def test_where_nothing_is_named_recordings_become_neighbours_or_nothing_changes(
    tracks: list[TrainingTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = HeadConfig(dim=12, numbers=6)
    recipe = dataclasses.replace(TINY, statistics=True, head=head, window_count=4)
    first = training.train_audio(tracks, recipe, tmp_path / "first", read=made_sound)
    harmless = "musicu.embeddings.training.fine_tuning.HARMLESS"
    monkeypatch.setattr(harmless, -1.0)  # nothing can prove itself
    stayed = training.train_audio(
        unnamed(tracks), TINY, tmp_path / "stayed", read=made_sound, init=first.model
    )
    assert stayed.kept == "unchanged"
    assert stayed.gain is not None
    assert stayed.gain.of.startswith("what is near one half")
    assert _weights(stayed.model) == _weights(first.model)
    assert read_card(stayed.model).name == "tiny"
    assert read_card(stayed.model).files == ("model.onnx", "constants.safetensors")
    monkeypatch.setattr(harmless, 1.0)
    told = training.train_audio(
        unnamed(tracks), TINY, tmp_path / "told", read=made_sound, init=first.model
    )
    assert told.kept == "refitted"
    audios = [
        crops.as_read(made_sound(track.path), Embedder.load(told.model).windows) for track in tracks
    ]
    before = Embedder.load(first.model).embed_batch(audios)
    expected = smooth(before.astype(float), before.astype(float), WEIGHT)
    found = Embedder.load(told.model).embed_batch(audios)
    assert (found * expected).sum(axis=1).min() > 0.9999
    assert (found * before).sum(axis=1).min() < 0.9999
    about = read_card(told.model).about
    assert "nearest of 18 of its recordings" in about["summary"]
    assert about["training"].startswith("The network was frozen")
    again = training.train_audio(
        unnamed(tracks), TINY, tmp_path / "again", read=made_sound, init=told.model
    )
    assert read_card(again.model).files == read_card(told.model).files


def test_an_unreadable_recording_is_counted_not_lost(
    tracks: list[TrainingTrack], tmp_path: Path
) -> None:
    def read(path: Path) -> np.ndarray:
        if path.stem == "2-1":
            raise AudioError("it is torn")
        return made_sound(path)

    result = training.train_audio(tracks, TINY, tmp_path / "run", read=read)
    assert result.failures == {str(tracks[7].path): "it is torn"}


def test_too_little_to_learn_from_is_said(tracks: list[TrainingTrack], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="too few"):
        training.train_audio(tracks[:2], TINY, tmp_path / "run", read=made_sound)


def test_recipes_survive_toml(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(as_toml(TINY), encoding="utf-8")
    assert read_recipe(path) == TINY


def test_a_setting_that_does_not_exist_is_named() -> None:
    with pytest.raises(ModelError, match="stpes"):
        recipe_from({"stpes": 3}, "recipe.toml")
    with pytest.raises(ModelError, match=r"\[augment\].*loud"):
        recipe_from({"augment": {"loud": 3}}, "recipe.toml")


def test_learning_rate_rises_then_falls() -> None:
    recipe = dataclasses.replace(TINY, steps=100, warmup=10)
    rates = [trainer.schedule(step, recipe) for step in range(100)]
    assert rates[0] == pytest.approx(0.1, abs=0.01)
    assert max(rates) == pytest.approx(rates[9], abs=0.01)
    assert rates[-1] < 0.03


def test_rhythm_target_shows_the_period_of_a_pulse() -> None:
    logs = torch.full((1, 128, 80), -3.0)
    logs[:, ::16] = 0.0
    rhythm = rhythm_of(logs)[0]
    assert rhythm[:20].argmax().item() + SHORTEST_LAG == 16


def _free_port() -> int:
    """A port that nobody uses: two runs of the tests at once would meet on a fixed one."""
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        port: int = given.getsockname()[1]
        return port


@pytest.mark.slow
def test_two_processes_train_one_network(tracks: list[TrainingTrack], tmp_path: Path) -> None:
    """By torchrun, over gloo: both end with the same weights, and one of them writes."""
    script = tmp_path / "together.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "import numpy as np, torch\n"
        "from training_samples import TINY, made_sound\n"
        "from musicu.embeddings.training import train_audio as run, trainer\n"
        "from musicu.embeddings.training.parallel import Workers\n"
        "from musicu.embeddings.training.train_data import TrainingTrack\n"
        "paths = sorted(Path(sys.argv[1]).glob('*.wav'))\n"
        "tracks = [TrainingTrack(p.stem, p, p.stem[0]) for p in paths]\n"
        "told = []\n"
        "kept, learn = [], trainer.learn\n"
        "trainer.learn = lambda *a: kept.append(learn(*a)) or kept[0]\n"
        "run.train_audio(tracks, TINY, Path(sys.argv[2]), read=made_sound, report=told.append)\n"
        "rank = Workers.join('cpu').rank\n"
        "assert bool(told) == (rank == 0), told\n"
        "weights = torch.cat([p.detach().ravel() for p in kept[0].network.parameters()])\n"
        "np.save(Path(sys.argv[2]) / f'weights-{rank}.npy', weights.numpy())\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += [
        "--master-port",
        str(_free_port()),
        str(script),
        str(tmp_path),
        str(tmp_path / "run"),
    ]
    found = os.environ.get("PYTHONPATH", "")
    places = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent), found])
    subprocess.run(command, check=True, timeout=900, env=os.environ | {"PYTHONPATH": places})
    first, second = (np.load(tmp_path / f"run/weights-{rank}.npy") for rank in range(2))
    alone = training.train_audio(tracks, TINY, tmp_path / "alone", read=made_sound)
    assert np.array_equal(first, second)
    assert read_card(tmp_path / "run/model").dim == read_card(alone.model).dim
    assert _weights(tmp_path / "run/model") != _weights(alone.model)  # twice the pairs a step
    events = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in events if e["event"] == "validation"] == [3, 6]


@pytest.mark.slow
def test_the_short_recipe_learns_on_real_music(shared_music: Path, tmp_path: Path) -> None:
    with (shared_music / "tracks.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    tracks = [
        TrainingTrack(r["path"], shared_music / r["path"], r["artist"] or None, r["album"] or None)
        for r in rows
    ]
    recipe = TrainingRecipe(name="short", steps=250, held_out=0.2, average=0.98, validate_every=250)
    material, _ = training.gather(tracks, recipe, tmp_path, training._read)
    fresh = trainer.validate(trainer.new_learner(recipe).network, material, recipe)
    result = training.train_audio(tracks, recipe, tmp_path)
    assert result.score is not None
    assert result.score.artist > fresh.artist + 0.03
    assert result.score.track > fresh.track
