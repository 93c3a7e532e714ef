"""Width and mono compatibility of known channels; silence and fades at both ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from musicu.features.loudness import LoudnessMeter
from musicu.features.silence import Silence, fade_out, measure_silence
from musicu.features.stereo import UNKNOWN, Stereo, StereoMeter

RATE = 22_050


def noise(seed: int, seconds: float = 4.0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def heard(left: NDArray[np.float32], right: NDArray[np.float32], block: int = 10_000) -> Stereo:
    meter = StereoMeter(RATE)
    for start in range(0, len(left), block):
        meter.update(np.stack([left[start : start + block], right[start : start + block]]))
    return meter.stereo()


def test_equal_channels_are_mono() -> None:
    found = heard(noise(0), noise(0))
    assert found.width == pytest.approx(0.0, abs=1e-6)
    assert found.correlation == found.correlation_low == pytest.approx(1.0, abs=1e-6)
    assert found.mono_change_db == pytest.approx(0.0, abs=1e-5)
    assert found.balance_db == pytest.approx(0.0, abs=1e-6)


def test_unrelated_channels_lose_three_decibels_in_mono() -> None:
    found = heard(noise(0), noise(1))
    assert found.width == pytest.approx(0.5, abs=0.01)
    assert found.correlation == pytest.approx(0.0, abs=0.02)
    assert found.mono_change_db == pytest.approx(-3.01, abs=0.1)


def test_an_inverted_channel_leaves_nothing_in_mono() -> None:
    found = heard(noise(0), -noise(0))
    assert found == Stereo(1.0, pytest.approx(-1.0), pytest.approx(-1.0), -60.0, pytest.approx(0.0))


def test_one_silent_channel_has_no_correlation() -> None:
    found = heard(noise(0), np.zeros_like(noise(0)))
    assert (found.correlation, found.correlation_low, found.balance_db) == (None, None, 60.0)
    assert found.width == pytest.approx(0.5)
    assert heard(np.zeros_like(noise(0)), noise(0)).balance_db == -60.0


def test_silence_has_no_width() -> None:
    silence = np.zeros(RATE, np.float32)
    assert heard(silence, silence) == UNKNOWN
    assert StereoMeter(RATE).stereo() == UNKNOWN


def test_a_constant_offset_is_not_heard() -> None:
    plain, shifted = heard(noise(0), noise(1)), heard(noise(0) + np.float32(0.3), noise(1))
    assert shifted.width == pytest.approx(plain.width, abs=1e-4)
    assert shifted.correlation == pytest.approx(plain.correlation, abs=1e-4)


def test_a_tenth_of_the_time_in_opposite_phase_shows_in_the_low_correlation() -> None:
    left, right = noise(0, 20.0), noise(0, 20.0)
    right[: len(right) // 10] *= -1
    found = heard(left, right)
    assert found.correlation == pytest.approx(0.8, abs=0.02)
    assert found.correlation_low == pytest.approx(-1.0, abs=0.01)


def test_a_channel_twice_as_strong_is_six_decibels_louder() -> None:
    assert heard(2 * noise(0), noise(1)).balance_db == pytest.approx(6.02, abs=0.1)


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(0.01, 10.0), mixed=st.floats(-1.0, 1.0), block=st.integers(500, 50_000))
def test_neither_the_level_nor_the_blocks_matter(gain: float, mixed: float, block: int) -> None:
    left = noise(0)
    right = (mixed * left + (1 - abs(mixed)) * noise(1)).astype(np.float32)
    plain, gained = (
        heard(left, right),
        heard(left * np.float32(gain), right * np.float32(gain), block),
    )
    assert gained.width == pytest.approx(plain.width, abs=1e-4)
    assert gained.mono_change_db == pytest.approx(plain.mono_change_db, abs=1e-2)
    assert gained.correlation == pytest.approx(plain.correlation, abs=1e-4)


def powers(signal: NDArray[np.float32]) -> NDArray[np.float64]:
    meter = LoudnessMeter(RATE, 1)
    meter.update(signal[None])
    return meter.powers()


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * RATE), np.float32)


@settings(max_examples=15, deadline=None)
@given(before=st.floats(0.0, 5.0), after=st.floats(0.0, 5.0), gain=st.floats(0.01, 5.0))
def test_silence_at_both_ends_is_measured_at_any_level(
    before: float, after: float, gain: float
) -> None:
    sound = np.concatenate([silence(before), noise(0) * np.float32(gain), silence(after)])
    edges = measure_silence(powers(sound))
    assert edges.silence_start_seconds == pytest.approx(before, abs=0.02)
    assert edges.silence_end_seconds == pytest.approx(after, abs=0.05)
    assert edges.fade_out_seconds == 0.0


def test_noise_under_sixty_decibels_counts_as_silence() -> None:
    sound = np.concatenate([noise(1, 2.0) * np.float32(10**-3.3), noise(0)])
    assert measure_silence(powers(sound)).silence_start_seconds == pytest.approx(2.0, abs=0.02)


def test_where_nothing_sounds_there_are_no_edges() -> None:
    nothing = Silence(None, None, None)
    assert measure_silence(powers(silence(3.0))) == nothing
    assert measure_silence(np.empty(0)) == nothing


def beats(seconds: float) -> NDArray[np.float32]:
    """Noise that comes and goes by 10 dB twice a second."""
    t = np.arange(round(seconds * RATE)) / RATE
    return (noise(0, seconds) * 10 ** (0.25 * np.sin(4 * np.pi * t))).astype(np.float32)


@pytest.mark.parametrize("seconds", [4.0, 8.0, 15.0])
@pytest.mark.parametrize("shape", ["linear", "exponential"])
def test_a_fade_is_found_with_about_its_length(seconds: float, shape: str) -> None:
    rest = np.linspace(1.0, 0.0, round(seconds * RATE), dtype=np.float32)
    gain = rest if shape == "linear" else 10.0 ** (-3.0 * (1.0 - rest))
    sound = beats(30.0)
    sound[-len(gain) :] *= gain
    assert fade_out(powers(sound)) == pytest.approx(seconds, rel=0.3)


def test_what_stops_or_ends_softly_does_not_fade() -> None:
    assert fade_out(powers(beats(30.0))) == 0.0
    soft = beats(30.0)
    soft[-10 * RATE :] *= 0.05
    assert fade_out(powers(soft)) == 0.0
    assert fade_out(powers(beats(1.0))) == 0.0
