"""Loudness and true peak on the conformance signals of EBU Tech 3341 and 3342, and on music.

The signals are made after table 1 of Tech 3341 (2023) and of Tech 3342 (2021), whose numbers the
tests carry, with the tables' tolerances: 0.1 LU for loudness, 1 LU for its range (we hold ours to
0.1), +0.2 and -0.4 dB for true peak. Signals 7 and 8 (5 and 6) are programmes of the EBU.
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from musicu.features.describing import describe
from musicu.features.extractors import true_peak_of
from musicu.features.loudness import (
    Loudness,
    LoudnessMeter,
    channel_weights,
    k_weighting,
    measure,
    sliding_powers,
)
from musicu.features.steps import StepSums

RATE = 48_000


def tones(*parts: tuple[float, float], rate: int = RATE, hz: float = 1000.0) -> NDArray[np.float32]:
    """A sine at (level in dBFS, seconds) after another, float32 [n]; the phase runs on."""
    gain = np.concatenate([np.full(round(s * rate), 10.0 ** (db / 20.0)) for db, s in parts])
    return (gain * np.sin(2 * np.pi * hz * np.arange(len(gain)) / rate)).astype(np.float32)


def heard(planes: NDArray[np.float32], rate: int = RATE, block: int = 40_000) -> Loudness:
    meter = LoudnessMeter(rate, len(planes))
    for start in range(0, planes.shape[1], block):
        meter.update(planes[:, start : start + block])
    return meter.loudness()


def stereo(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([sound, sound])


def noise(seconds: float, rate: int = RATE, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)).astype(np.float32)


def test_the_filter_at_48_khz_is_the_one_of_the_standard() -> None:
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    shelf += [1.0, -1.69065929318241, 0.73248077421585]
    high_pass = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(k_weighting(48_000), [shelf, high_pass], atol=1e-8)


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 88_200, 192_000])
def test_a_tone_is_as_loud_at_every_sample_rate(rate: int) -> None:
    found = heard(stereo(tones((-23, 5), rate=rate)), rate)
    assert found.integrated_lufs == pytest.approx(-23.0, abs=0.1)
    assert found.momentary_max_lufs == pytest.approx(-23.0, abs=0.1)


def test_rates_that_k_weighting_cannot_serve_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8000 Hz, not 4000"):
        LoudnessMeter(4000, 1)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
    ids=["1", "2", "3", "4", "5"],
)
def test_tech_3341_integrated(parts: list[tuple[float, float]], expected: float) -> None:
    assert heard(stereo(tones(*parts))).integrated_lufs == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("lfe", [False, True], ids=["5.0", "5.1"])
def test_tech_3341_6_surround_channels_have_their_weights(lfe: bool) -> None:
    left, centre, side = (tones((db, 20)) for db in (-28, -24, -30))
    planes = [left, left, centre, *([tones((-6, 20), hz=80)] if lfe else []), side, side]
    assert heard(np.stack(planes)).integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_channels_of_unknown_places_count_alike() -> None:
    assert channel_weights(3).tolist() == [1.0] * 3
    assert channel_weights(12).tolist() == [1.0] * 12


def test_tech_3341_9_short_term_loudness_stays() -> None:
    meter = LoudnessMeter(RATE, 2)
    meter.update(stereo(tones(*[(-20, 1.34), (-30, 1.66)] * 5)))
    levels = -0.691 + 10 * np.log10(sliding_powers(meter.powers(), 300))
    assert np.abs(levels + 23.0).max() < 0.1


@pytest.mark.parametrize("offset", np.arange(20) * 0.15)
def test_tech_3341_10_loudest_three_seconds_wherever_they_lie(offset: float) -> None:
    found = heard(stereo(tones((-200, offset), (-23, 3), (-200, 1))))
    assert found.short_term_max_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("seconds", "step", "length"), [(3.0, 0.15, 300), (0.4, 0.02, 40)], ids=["11", "14"]
)
def test_tech_3341_11_and_14_follow_a_stair_of_tones(
    seconds: float, step: float, length: int
) -> None:
    stair = [
        part
        for i in range(20)
        for part in ((-200.0, i * step), (-38.0 + i, seconds), (-200.0, seconds - i * step))
    ]
    meter = LoudnessMeter(RATE, 2)
    meter.update(stereo(tones(*stair)))
    levels = -0.691 + 10 * np.log10(sliding_powers(meter.powers(), length) + 1e-20)
    each = round(2 * seconds * 100)  # hundredths from one stair to the next
    # the windows that end while a tone and the silence around it sound
    ends = np.arange(21) * each - length
    highest = [levels[max(a, 0) : b].max() for a, b in itertools.pairwise(ends)]
    np.testing.assert_allclose(highest, np.arange(-38.0, -18.0), atol=0.1)


def test_tech_3341_12_momentary_loudness_stays() -> None:
    meter = LoudnessMeter(RATE, 2)
    meter.update(stereo(tones(*[(-20, 0.18), (-30, 0.22)] * 25)))
    levels = -0.691 + 10 * np.log10(sliding_powers(meter.powers(), 40))
    assert np.abs(levels + 23.0).max() < 0.1


@pytest.mark.parametrize("offset", np.arange(20) * 0.02)
def test_tech_3341_13_loudest_moment_wherever_it_lies(offset: float) -> None:
    found = heard(stereo(tones((-200, offset), (-23, 0.4), (-200, 1))))
    assert found.momentary_max_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("divisor", "phase", "amplitude", "expected"),
    [(4, 0, 0.5, -6.0), (4, 45, 0.5, -6.0), (6, 60, 0.5, -6.0), (8, 67.5, 0.5, -6.0),
     (4, 45, 1.41, 3.0)],
    ids=["15", "16", "17", "18", "19"],
)  # fmt: skip
def test_tech_3341_true_peak_of_tones(
    divisor: int, phase: float, amplitude: float, expected: float
) -> None:
    n = np.arange(RATE)
    fade = np.minimum(1.0, np.minimum(n, n[::-1]) / 480)
    tone = amplitude * fade * np.sin(2 * np.pi * n / divisor + np.radians(phase))
    peak = true_peak_of(np.stack([tone, tone], axis=1), RATE)
    assert peak is not None
    assert -0.4 <= peak - expected <= 0.2


@pytest.mark.parametrize("offset", [0, 1, 2, 3], ids=["20", "21", "22", "23"])
def test_tech_3341_true_peak_of_one_period_between_the_samples(offset: int) -> None:
    # at four times the rate: a sine of rate / 6, with one period of rate / 4 twice as high in it
    low, high = np.arange(24 * 400) * 2 * np.pi / 24, np.arange(16) * 2 * np.pi / 16
    fine = np.concatenate([0.5 * np.sin(low), np.sin(high), 0.5 * np.sin(low)])
    ramp = np.minimum(np.arange(len(fine)), 1920) / 1920  # 10 ms
    held_back = signal.firwin(1023, 0.25)
    tone = signal.fftconvolve(fine * ramp * ramp[::-1], held_back, mode="same")[offset::4]
    peak = true_peak_of(np.stack([tone, tone], axis=1), RATE)
    assert peak is not None
    assert -0.4 <= peak <= 0.2


def test_the_wave_may_rise_after_the_last_sample() -> None:
    n = np.arange(400)
    cut = np.sin(2 * np.pi * n / 4 + np.radians(45))
    peak = true_peak_of(cut, RATE)
    assert peak is not None
    assert peak >= 20 * np.log10(np.abs(cut).max())


def test_silence_has_no_peak() -> None:
    assert true_peak_of(np.zeros(1000), RATE) is None


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-20, 20), (-30, 20)], 10.0),
        ([(-20, 20), (-15, 20)], 5.0),
        ([(-40, 20), (-20, 20)], 20.0),
        ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15.0),
    ],
    ids=["1", "2", "3", "4"],
)
def test_tech_3342_loudness_range(parts: list[tuple[float, float]], expected: float) -> None:
    # the standard allows 1 LU
    assert heard(stereo(tones(*parts))).range_lu == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("seconds", "known"),
    [(0.2, (False, False, False)), (1.0, (True, False, False)), (4.0, (True, True, True))],
)
def test_what_is_too_short_has_no_loudness(seconds: float, known: tuple[bool, ...]) -> None:
    found = heard(stereo(tones((-20, seconds))))
    values = (found.momentary_max_lufs, found.short_term_max_lufs, found.range_lu)
    assert tuple(value is not None for value in values) == known
    assert (found.integrated_lufs is not None) == known[0]


def test_silence_has_no_loudness() -> None:
    assert heard(np.zeros((2, 5 * RATE), np.float32)) == Loudness(None, None, None, None)
    assert measure(np.empty(0)) == Loudness(None, None, None, None)


def test_one_channel_is_three_decibels_softer_than_two() -> None:
    sound = noise(5)
    one, two = heard(sound[None]).integrated_lufs, heard(stereo(sound)).integrated_lufs
    assert one is not None
    assert two == pytest.approx(one + 10 * np.log10(2), abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(gain_db=st.floats(-30, 10), block=st.integers(1000, 100_000))
def test_loudness_follows_the_gain_whatever_the_blocks(gain_db: float, block: int) -> None:
    sound = np.stack([noise(6, 8000), noise(6, 8000, seed=1)])
    sound *= np.linspace(0.1, 1.0, sound.shape[1], dtype=np.float32)
    plain = heard(sound, 8000, 10**9)
    gained = heard(sound * np.float32(10 ** (gain_db / 20)), 8000, block)
    for name in ("integrated_lufs", "momentary_max_lufs", "short_term_max_lufs"):
        assert getattr(gained, name) == pytest.approx(getattr(plain, name) + gain_db, abs=1e-3)
    assert gained.range_lu == pytest.approx(plain.range_lu, abs=1e-3)


@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(0, 1000), max_size=10), length=st.floats(1.0, 300.0, width=32))
def test_step_sums_are_those_of_the_whole(cuts: list[int], length: float) -> None:
    values = np.random.default_rng(0).normal(size=(2, 1000))
    sums = StepSums(2, length)
    edges = [0, *sorted(cuts), 1000]
    for begin, end in itertools.pairwise(edges):
        sums.add(values[:, begin:end])
    bounds = np.round(np.arange(0, 1000 / length + 1) * length).astype(int)
    bounds = bounds[bounds <= 1000]
    expected = [values[:, a:b].sum(axis=1) for a, b in itertools.pairwise(bounds)]
    found = sums.full()
    assert found.shape == (2, len(expected))
    if expected:
        np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-9)
    np.testing.assert_allclose(sums.total(), values.sum(axis=1), atol=1e-9)


def ffmpeg_says(path: Path) -> dict[str, float]:
    """Integrated loudness, loudness range and true peak after FFmpeg's filter ebur128."""
    command = ["ffmpeg", "-nostats", "-hide_banner", "-i", str(path), "-af"]
    command += ["ebur128=peak=true", "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    told = told[told.rindex("Summary:") :]
    names = {"loudness_lufs": "I:", "loudness_range_lu": "LRA:", "true_peak_dbtp": "Peak:"}
    found = {name: re.search(rf"{word} +(-?[\d.]+)", told) for name, word in names.items()}
    return {name: float(match[1]) for name, match in found.items() if match}


needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg to compare with")
# FFmpeg prints one decimal
TOLERANCE = {"loudness_lufs": 0.1, "loudness_range_lu": 0.2, "true_peak_dbtp": 0.2}


@needs_ffmpeg
def test_music_is_as_loud_as_ffmpeg_says(shared_music: Path) -> None:
    for path in sorted(shared_music.rglob("*.opus"))[60::250]:
        ours = describe(path)
        for name, value in ffmpeg_says(path).items():
            assert getattr(ours, name) == pytest.approx(value, abs=TOLERANCE[name] + 0.05), path


@needs_ffmpeg
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [32_000, 44_100, 96_000])
def test_noise_in_any_channels_is_as_loud_as_ffmpeg_says(
    tmp_path: Path, rate: int, channels: int
) -> None:
    planes = [noise(8, rate, seed) * np.linspace(0.2, 1, 8 * rate) for seed in range(channels)]
    sf.write(tmp_path / "noise.wav", np.stack(planes, axis=1), rate)
    ours = describe(tmp_path / "noise.wav")
    for name, value in ffmpeg_says(tmp_path / "noise.wav").items():
        assert getattr(ours, name) == pytest.approx(value, abs=TOLERANCE[name] + 0.05)
