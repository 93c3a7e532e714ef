"""The encoder's front end: one in NumPy, one in torchaudio, and what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from musicu.embeddings import frontend


def _music(seconds: float = 6.0, seed: int = 0) -> np.ndarray:
    """Decaying chords over hiss, with quiet stretches."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * frontend.SAMPLE_RATE)) / frontend.SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * hz * t) for hz in (110.0, 277.2, 659.3, 3000.0))
    swell = np.exp(-3 * (t % 0.5))
    return (0.1 * tones * swell + 0.01 * rng.standard_normal(len(t))).astype(np.float32)


def test_numpy_and_torchaudio_agree() -> None:
    torch = pytest.importorskip("torch", reason="training needs torch")
    pytest.importorskip("torchaudio", reason="training needs torchaudio")
    from musicu.embeddings.training import frontend_torch

    samples = _music()
    ours = frontend.mel_power(samples)
    theirs = frontend_torch.MelPower()(torch.from_numpy(samples)[None])[0]
    assert theirs.shape == ours.shape
    logs = frontend.level_free_log(ours)
    twin = frontend_torch.level_free_log(theirs[None])[0].numpy()
    assert np.abs(logs - twin).max() < 1e-4


def test_gain_changes_nothing() -> None:
    samples = _music()
    loud = frontend.level_free_log(frontend.mel_power(samples))
    quiet = frontend.level_free_log(frontend.mel_power(samples * np.float32(10 ** (-12 / 20))))
    assert np.abs(loud - quiet).max() < 1e-4


def test_a_cut_on_the_grid_hears_what_the_whole_recording_hears() -> None:
    samples = _music()
    whole = frontend.mel_power(samples)
    cut = frontend.mel_power(samples[20 * frontend.HOP : 60 * frontend.HOP])
    np.testing.assert_allclose(cut, whole[20 : 20 + len(cut)], rtol=1e-4, atol=1e-6)


def test_frames_lie_inside_the_sound() -> None:
    assert len(frontend.mel_power(np.ones(91_136, np.float32))) == 88
    assert len(frontend.mel_power(np.ones(100, np.float32))) == 1


def test_silence_is_finite_and_constant() -> None:
    logs = frontend.level_free_log(frontend.mel_power(np.zeros(16_000, np.float32)))
    assert np.isfinite(logs).all()
    assert np.ptp(logs) == 0.0


def test_a_tone_lands_in_its_band() -> None:
    t = np.arange(32_000) / frontend.SAMPLE_RATE
    power = frontend.mel_power(np.sin(2 * np.pi * 1000.0 * t).astype(np.float32)).mean(axis=0)
    pytest.importorskip("torch", reason="the band centres live with the augmentation")
    from musicu.embeddings.training.augment import band_centres

    assert abs(band_centres()[power.argmax()] - 1000.0) < 30.0


@pytest.mark.parametrize(
    ("n", "starts"),
    [(128, [0]), (256, [0, 128]), (300, [0, 128, 172])],
)
def test_chunks_cover_the_sound_to_its_end(n: int, starts: list[int]) -> None:
    power = np.arange(n, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    chunks = frontend.cut_chunks(power, 128, 128)
    assert [int(c[0, 0]) for c in chunks] == starts
    assert all(len(c) == 128 for c in chunks)


def test_short_sound_is_repeated_to_fill_a_chunk() -> None:
    power = np.arange(50, dtype=np.float32)[:, None]
    chunk = frontend.cut_chunks(power, 128, 128)
    assert chunk.shape == (1, 128, 1)
    assert chunk[0, 49:52, 0].tolist() == [49.0, 0.0, 1.0]
