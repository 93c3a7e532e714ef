"""Training as a GPU does it, forced on a CPU: front end on the device, mixed precision."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("onnxscript", reason="training needs onnxscript")
pytest.importorskip("torchaudio", reason="training needs torchaudio")

from training_samples import TINY, made_sound, made_tracks, unnamed  # noqa: E402

from musicu.embeddings.training import train_audio as training  # noqa: E402
from musicu.embeddings.training import trainer  # noqa: E402
from musicu.embeddings.training.checkpoint import save_checkpoint  # noqa: E402
from musicu.embeddings.training.precision import compute_type, scaler_for  # noqa: E402
from musicu.embeddings.training.sound_cache import SoundCache, as_logs, open_cache  # noqa: E402
from musicu.embeddings.training.train_data import TrainingTrack  # noqa: E402
from musicu.errors import ModelError  # noqa: E402

SMALL = dataclasses.replace(TINY, steps=4, tracks=4, validate_every=4)


@pytest.fixture
def tracks(tmp_path: Path) -> list[TrainingTrack]:
    return unnamed(made_tracks(tmp_path, artists=4, each=2))


def _noisy(path: Path) -> np.ndarray:
    """A made recording without digital silence in any band, as 16 bits do not keep it."""
    clean = made_sound(path)
    noise = np.random.default_rng(0).standard_normal(len(clean))
    return (clean + 0.02 * noise).astype(np.float32)


def test_the_front_end_on_the_device_hears_what_the_cached_one_heard(
    tracks: list[TrainingTrack], tmp_path: Path
) -> None:
    paths = [track.path for track in tracks]
    cached, sound = (
        open_cache(tmp_path / "cache", paths, _noisy, kind, "cpu") for kind in ("cached", "device")
    )
    assert isinstance(sound, SoundCache)
    assert np.array_equal(cached.lengths(), sound.lengths())
    at, steps = np.array([1, 5]), np.array([7, 30])
    logs = [as_logs(c.cut(c.offsets[at] + steps, 40), "cpu") for c in (cached, sound)]
    assert logs[0].shape == logs[1].shape == (2, 40, 80)
    levels = [x - x.mean(dim=(1, 2), keepdim=True) for x in logs]  # sound is kept at full level
    assert (levels[0] - levels[1]).abs().quantile(0.99) < 0.05
    np.testing.assert_allclose(sound.power(1)[7:47], 10 ** logs[1][0].numpy(), rtol=1e-3, atol=1e-8)


def test_training_on_sound_learns_what_training_on_frames_does(
    tracks: list[TrainingTrack], tmp_path: Path
) -> None:
    losses: dict[str, list[float]] = {"cached": [], "device": []}
    for kind, kept in losses.items():
        recipe = dataclasses.replace(SMALL, front_end=kind)

        def note(event: dict[str, Any], kept: list[float] = kept) -> None:
            kept.extend([event["loss"]] if event["event"] == "step" else [])

        training.train_audio(tracks, recipe, tmp_path / kind, read=_noisy, report=note)
    assert (tmp_path / "device/cache-sound/sound.i16").is_file()
    assert not (tmp_path / "device/cache").exists()
    assert losses["device"] == pytest.approx(losses["cached"], abs=0.05)


def test_sound_is_for_gpus_and_catalogs_with_room_for_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="front_end is 'gpu'"):
        open_cache(tmp_path, [], _noisy, "gpu", "cpu")
    path = tmp_path / "1-0.wav"
    path.write_bytes(b"made when read")
    kinds = [
        type(open_cache(tmp_path / str(many), [path] * many, _noisy, "auto", device)).__name__
        for many, device in ((1, "cpu"), (1, "cuda:0"))
    ]
    assert kinds == ["WindowsCache", "SoundCache"]


def test_auto_precision_is_plain_on_a_cpu() -> None:
    assert compute_type("auto", "cpu") == torch.float32
    assert compute_type("bfloat16", "cpu") == torch.bfloat16
    assert not scaler_for("bfloat16", "cpu").is_enabled()
    assert scaler_for("float16", "cpu").is_enabled()
    with pytest.raises(ModelError, match="precision is 'double'"):
        compute_type("double", "cpu")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_computes_less_exactly_and_goes_on_alike(
    precision: str, tracks: list[TrainingTrack], tmp_path: Path
) -> None:
    seen: dict[str, list[torch.Tensor]] = {}
    for kind in ("float32", precision):
        recipe = dataclasses.replace(SMALL, precision=kind)
        material, _ = training.gather(tracks, recipe, tmp_path / kind, _noisy)
        learner = trainer.new_learner(recipe)
        types: list[torch.dtype] = []
        hook = learner.network.embed.register_forward_hook(
            lambda _m, _i, out, types=types: types.append(out.dtype)
        )
        learner = trainer.learn(learner, material, recipe, tmp_path / kind, lambda _: None)
        hook.remove()
        assert set(types) == {getattr(torch, kind)}
        scaled = learner.scaler.state_dict()
        seen[kind] = [p.detach().clone() for p in learner.network.parameters()]
        assert all(p.dtype == torch.float32 for p in seen[kind])
    apart = [float((a - b).abs().max()) for a, b in zip(*seen.values(), strict=True)]
    assert 0 < max(apart) < 0.2

    half = dataclasses.replace(recipe, stop_at=2)
    learner = trainer.learn(trainer.new_learner(half), material, half, tmp_path, lambda _: None)
    save_checkpoint(tmp_path, learner, trainer._mark(recipe, material))
    learner = trainer.learn(trainer.new_learner(recipe), material, recipe, tmp_path, lambda _: None)
    for one, other in zip(learner.network.parameters(), seen[precision], strict=True):
        assert torch.equal(one, other)
    assert learner.scaler.state_dict() == scaled
    assert bool(scaled) == (precision == "float16")
