"""Key, mode and tuning of sounds whose key is known."""

from __future__ import annotations

import numpy as np
import pytest
from tonal_samples import RATE, chords, drums

from musicu.features.extractors import key_of
from musicu.features.harmony import chord_shares, key_features, profile_fit
from musicu.features.key import TONICS, camelot, key_of_pitches
from musicu.features.pitches import PitchStream, fine_pitches
from musicu.features.tuning import chroma, tuning


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("tonic", range(12))
def test_key_of_a_cadence_is_found(tonic: int, mode: str) -> None:
    key = key_of(chords(tonic, mode), RATE)
    assert (key.tonic, key.mode) == (TONICS[tonic], mode)
    assert key.confidence > 0.4


def test_transposing_moves_the_key_features_by_as_much() -> None:
    low, high = (fine_pitches(chords(tonic, "minor")) for tonic in (2, 3))
    tables = [key_features(chroma(fine, tuning(fine).cents)) for fine in (low, high)]
    likeness = np.corrcoef(np.roll(tables[0], 1, axis=0).ravel(), tables[1].ravel())[0, 1]
    assert likeness > 0.95
    rolled = key_features(np.roll(chroma(low, 0.0), 5, axis=2))
    np.testing.assert_allclose(
        rolled, np.roll(key_features(chroma(low, 0.0)), 5, axis=0), atol=1e-9
    )


@pytest.mark.parametrize("cents", [-40.0, -15.0, 0.0, 20.0, 40.0])
def test_tuning_is_found_and_does_not_change_the_key(cents: float) -> None:
    key = key_of(chords(4, "major", cents=cents), RATE)
    assert key.tuning_cents == pytest.approx(cents, abs=4.0)
    assert (key.tonic, key.mode) == ("E", "major")


def test_level_and_silence_in_front_have_no_influence() -> None:
    sound = chords(7, "minor")
    plain = key_of(sound, RATE)
    quiet = key_of(sound * 0.01, RATE)
    late = key_of(np.concatenate([np.zeros(2 * RATE, np.float32), sound]), RATE)
    assert plain.tonic == quiet.tonic == late.tonic == "G"
    assert plain.mode == quiet.mode == late.mode == "minor"
    assert quiet.confidence == pytest.approx(plain.confidence, abs=0.02)
    assert late.confidence == pytest.approx(plain.confidence, abs=0.15)


@pytest.mark.parametrize("rate", [44_100, 48_000, 16_000])
def test_sample_rate_has_little_influence(rate: int) -> None:
    key = key_of(chords(9, "major", rate=rate), rate)
    assert (key.tonic, key.mode) == ("A", "major")


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_low_confidence(seed: int) -> None:
    noise = 0.1 * np.random.default_rng(seed).standard_normal(15 * RATE)
    key = key_of(noise.astype(np.float32), RATE)
    assert key.confidence < 0.5
    assert key.strength < 0.1


def test_drums_alone_have_low_confidence() -> None:
    assert key_of(drums(110), RATE).confidence < 0.5


@pytest.mark.parametrize("n", [100, 10 * RATE])
def test_silence_has_no_key(n: int) -> None:
    key = key_of(np.zeros(n, np.float32), RATE)
    assert (key.tonic, key.mode, key.camelot, key.tuning_cents) == (None, None, None, None)
    assert (key.confidence, key.strength) == (0.0, 0.0)


def test_pieces_of_any_size_give_the_same_key() -> None:
    sound = chords(1, "minor", 40.0)
    stream = PitchStream()
    for start in range(0, len(sound), 23_456):
        stream.update(sound[start : start + 23_456])
    assert key_of_pitches(stream.finish()) == key_of(sound, RATE)


def test_camelot_numbers_neighbours_by_fifths() -> None:
    wheel = {"8B": (0, 0), "9B": (7, 0), "7B": (5, 0), "8A": (9, 1), "1A": (8, 1), "12B": (4, 0)}
    assert {camelot(*key): key for key in wheel.values()} == wheel
    assert len({camelot(t, m) for t in range(12) for m in range(2)}) == 24


def test_triads_are_told_apart() -> None:
    frames = np.zeros((5, 12))
    frames[:, [2, 6, 9]] = 1.0
    shares = chord_shares(frames).mean(axis=0)
    assert np.unravel_index(np.argmax(shares), shares.shape) == (0, 2)
    frames = np.zeros((5, 12))
    frames[:, [2, 5, 9]] = 1.0
    shares = chord_shares(frames).mean(axis=0)
    assert np.unravel_index(np.argmax(shares), shares.shape) == (1, 2)


@pytest.mark.parametrize("midi", [40, 45, 57, 69, 81])
def test_a_tone_has_its_pitch_class(midi: int) -> None:
    t = np.arange(4 * RATE) / RATE
    tone = (0.1 * np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * t)).astype(np.float32)
    fine = fine_pitches(tone)[2:-2].sum(axis=(0, 1))
    assert abs(int(np.argmax(fine)) - midi % 12 * 10) <= 1


def test_a_profile_fits_its_own_key_best() -> None:
    scale = np.zeros((40, 2, 12))
    scale[:, 1, [2, 4, 6, 7, 9, 11, 1]] = 1.0  # D major
    scale[:, :, [2, 6, 9]] += 1.0
    fit = profile_fit(scale)
    assert fit.shape == (12, 2)
    assert np.unravel_index(np.argmax(fit), fit.shape) == (2, 0)
    np.testing.assert_allclose(profile_fit(np.roll(scale, 3, axis=2)), np.roll(fit, 3, axis=0))
