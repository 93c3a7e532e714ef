"""Augmentation: what it changes, what it must not, and that it follows its generator."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from musicu.embeddings import frontend  # noqa: E402
from musicu.embeddings.training.augment import Draws, augment, band_centres, warp  # noqa: E402
from musicu.embeddings.training.recipe import AugmentConfig  # noqa: E402

STILL = AugmentConfig(
    pitch_semitones=0.0,
    tempo=0.0,
    equalise_db=0.0,
    compress=0.0,
    band_limit_chance=0.0,
    codec_chance=0.0,
    noise_chance=0.0,
    reverb_chance=0.0,
    mix_chance=0.0,
    mask_chance=0.0,
)
ALWAYS = AugmentConfig(
    band_limit_chance=1.0,
    codec_chance=1.0,
    noise_chance=1.0,
    reverb_chance=1.0,
    mix_chance=1.0,
    mask_chance=1.0,
)


def _draws(n: int, seed: int = 0) -> Draws:
    return Draws(np.random.default_rng(seed), n)


def _power(n: int = 4, frames: int = 150) -> np.ndarray:
    rng = np.random.default_rng(5)
    return (10 ** rng.uniform(-3, 1, (n, frames, frontend.N_MELS))).astype(np.float32)


def test_no_strength_is_the_front_end() -> None:
    power = _power()
    logs = torch.from_numpy(np.log10(power))
    out = augment(warp(logs, 128, _draws(4), STILL), _draws(4), STILL)
    expected = frontend.level_free_log(power[:, :128])
    assert np.abs(out.numpy() - expected).max() < 1e-3


def test_the_same_generator_gives_the_same_windows() -> None:
    logs = torch.from_numpy(np.log10(_power()))
    once, again, other = (
        augment(warp(logs, 128, _draws(4, s), ALWAYS), _draws(4, s), ALWAYS) for s in (1, 1, 2)
    )
    assert torch.equal(once, again)
    assert not torch.allclose(once, other)


def test_the_strongest_is_finite_and_leaves_the_input_alone() -> None:
    logs = torch.from_numpy(np.log10(_power(8)))
    logs[0] = -10.0  # silence
    before = logs.clone()
    out = augment(warp(logs, 128, _draws(8), ALWAYS), _draws(8), ALWAYS)
    assert torch.isfinite(out).all()
    assert out.shape == (8, 128, frontend.N_MELS)
    assert torch.equal(logs, before)


def test_pitch_moves_a_tone_by_as_much_as_it_says() -> None:
    config = AugmentConfig(pitch_semitones=4.0, tempo=0.0)
    centres = band_centres()
    logs = torch.full((64, 130, frontend.N_MELS), -5.0)
    logs[:, :, 40] = 0.0
    moved = warp(logs, 128, _draws(64), config)[:, 0].argmax(dim=1).numpy()
    semitones = 12 * np.log2(centres[moved] / centres[40])
    assert np.abs(semitones).max() < 4.6
    assert semitones.max() > 2.5
    assert semitones.min() < -2.5


def test_tempo_moves_an_onset_by_as_much_as_it_says() -> None:
    config = AugmentConfig(pitch_semitones=0.0, tempo=0.1)
    logs = torch.full((64, 145, frontend.N_MELS), -5.0)
    logs[:, 100:, :] = 0.0
    onsets = (warp(logs, 128, _draws(64), config)[:, :, 0] < -2.5).sum(dim=1).numpy()
    assert onsets.min() == pytest.approx(100 / 1.1, abs=2)
    assert onsets.max() == pytest.approx(100 / 0.9, abs=2)


def test_level_of_the_input_does_not_matter() -> None:
    logs = torch.from_numpy(np.log10(_power()))
    loud = augment(warp(logs, 128, _draws(4), ALWAYS), _draws(4), ALWAYS)
    quiet = augment(warp(logs - 2.4, 128, _draws(4), ALWAYS), _draws(4), ALWAYS)
    assert (loud - quiet).abs().max() < 1e-2
