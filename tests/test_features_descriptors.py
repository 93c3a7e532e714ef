"""What is said of a recording: known sounds, strange ones, and the promises of the set."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from music import tune
from numpy.typing import NDArray

from musicu.errors import AudioError
from musicu.features.activity import danceability, energy, onset_rate
from musicu.features.describing import DescriptorExtractor, describe
from musicu.features.descriptors import (
    NAMES,
    SET_NAME,
    Descriptors,
    descriptors_schema,
    reference_page,
)
from musicu.features.mono import MonoMixer
from musicu.features.onsets import onset_bands
from musicu.features.spectrum import SpectrumMeter
from musicu.records import Audio

RATE = 22_050
PAGE = Path(__file__).parent.parent / "docs" / "descriptors.md"
#: What an inverted or doubled channel, or another level, may change, beside the loudness itself.
SOUND = ("brightness_hz", "flatness", "percussive_share", "onset_rate", "danceability")


def noise(seconds: float = 4.0, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def sine(hz: float, seconds: float = 4.0) -> NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(
        np.float32
    )


def clicks(period: float, seconds: float = 20.0) -> NDArray[np.float32]:
    samples = noise(seconds) * np.float32(1e-4)
    for start in np.arange(0.5, seconds - 0.1, period):
        samples[round(start * RATE) :][:200] += 0.5 * noise(200 / RATE) / np.float32(0.1)
    return samples


def numbers(found: Descriptors) -> dict[str, float]:
    """The known numbers but for tempo and key, whose own tests hold them."""
    return {
        name: value
        for name, value in found.document().items()
        if isinstance(value, float) and not name.startswith(("tempo_", "key_", "tuning_"))
    }


def assert_sound(found: Descriptors) -> None:
    """Nothing is NaN or infinite, and everything goes into the table."""
    values = [value for value in found.document().values() if isinstance(value, float)]
    assert all(map(math.isfinite, values))
    row = {"content_hash": "x", **found.document()}
    assert pa.Table.from_pylist([row], schema=descriptors_schema()).num_rows == 1


STRANGE = {
    "silence": np.zeros((3 * RATE, 2)),
    "one sample": np.eye(1, 3 * RATE, RATE).T,
    "a blip of 0.2 s": sine(1000, 0.2),
    "constant offset": np.full((3 * RATE, 2), 0.5),
    "noise": noise(3.0),
    "full-scale square": np.sign(sine(100, 3.0)),
    "inverted channel": np.stack([noise(3.0), -noise(3.0)], axis=1),
    "one channel silent": np.stack([noise(3.0), 0 * noise(3.0)], axis=1),
    "very soft": noise(3.0) * 1e-7,
    "very loud": noise(3.0) * 1e4,
    "integers of 32 bits": noise(3.0) * 2.0**31,
    "not numbers": np.where(np.arange(3 * RATE) % 1000, noise(3.0), np.nan),
    "six channels": np.stack([noise(3.0, seed) for seed in range(6)], axis=1),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_sounds_have_sensible_values_or_none(name: str) -> None:
    assert_sound(describe(STRANGE[name], RATE))


def test_of_silence_nothing_is_known_but_its_length() -> None:
    found = describe(STRANGE["silence"], RATE).document()
    assert {name for name, value in found.items() if value is not None} == {
        "heard_seconds",
        "complete",
    }


def test_an_inverted_channel_is_heard_all_the_same() -> None:
    one, pair = describe(noise(3.0), RATE), describe(STRANGE["inverted channel"], RATE)
    for name in SOUND:
        assert getattr(pair, name) == pytest.approx(getattr(one, name), rel=1e-4), name
    assert pair.stereo_width == 1.0


def test_clipping_raises_the_loudness_and_shrinks_the_crest() -> None:
    signal = tune(1, 6.0)
    plain, clipped = describe(signal, RATE), describe(np.clip(8 * signal, -0.5, 0.5), RATE)
    assert clipped.crest_db is not None
    assert plain.crest_db is not None
    assert clipped.crest_db < plain.crest_db - 3
    assert clipped.plr_db is not None
    assert plain.plr_db is not None
    assert clipped.plr_db < plain.plr_db - 3


@pytest.mark.parametrize("seconds", [0.05, 0.19])
def test_what_is_shorter_than_a_fifth_of_a_second_is_refused(seconds: float) -> None:
    with pytest.raises(AudioError, match=r"too short: 0\.\d+ s"):
        describe(sine(440, seconds), RATE)


def test_samples_need_a_rate_and_a_whole_recording() -> None:
    with pytest.raises(AudioError, match="sample_rate"):
        describe(noise())
    with pytest.raises(AudioError, match="4000 Hz"):
        describe(noise(), 4000)
    windows = Audio(noise(2.0), RATE, (0, RATE, 2 * RATE), (0.0, 5.0), 7.0)
    with pytest.raises(AudioError, match="whole recordings"):
        describe(windows)


def test_a_file_its_samples_and_its_audio_are_described_alike(tmp_path: Path) -> None:
    signal = tune(3, 5.0)
    sf.write(tmp_path / "tune.wav", signal, RATE, subtype="FLOAT")
    from_file = describe(tmp_path / "tune.wav")
    assert from_file == describe(signal, RATE) == describe(Audio.of(signal, RATE))
    assert from_file == describe(str(tmp_path / "tune.wav"))


def test_the_sizes_of_blocks_do_not_matter() -> None:
    signal = np.stack([np.tile(tune(seed, 4.0, 44_100), 9) for seed in (1, 2)], axis=1)
    whole = numbers(describe(signal, 44_100))
    extractor = DescriptorExtractor(44_100, 2)
    cuts = np.sort(np.random.default_rng(0).integers(0, len(signal), 60))
    for part in np.split(signal, cuts):
        extractor.update(np.ascontiguousarray(part.T))
    for name, value in numbers(extractor.finish()).items():
        assert value == pytest.approx(whole[name], rel=1e-3, abs=1e-3), name


@settings(max_examples=8, deadline=None)
@given(gain_db=st.floats(-30.0, 6.0), seed=st.integers(0, 5))
def test_only_levels_follow_the_level(gain_db: float, seed: int) -> None:
    signal = tune(seed, 6.0)
    plain = numbers(describe(signal, RATE))
    gained = numbers(describe(signal * np.float32(10 ** (gain_db / 20)), RATE))
    for name, value in plain.items():
        if name.endswith(("_lufs", "_dbtp")):
            assert gained[name] == pytest.approx(value + gain_db, abs=0.01), name
        else:
            assert gained[name] == pytest.approx(value, rel=0.01, abs=0.01), name


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 20))
def test_the_same_sound_in_two_channels_is_only_louder(seed: int) -> None:
    signal = tune(seed, 5.0)
    one = numbers(describe(signal, RATE))
    two = numbers(describe(np.stack([signal, signal], axis=1), RATE))
    louder = {"loudness_lufs": 3.01, "momentary_max_lufs": 3.01, "short_term_max_lufs": 3.01}
    louder |= {"plr_db": -3.01, "energy": 3.01 / 12 / 3}
    for name, value in one.items():
        if name == "energy":
            assert 0.0 <= two[name] - value <= louder[name] + 1e-3
        else:
            assert two[name] == pytest.approx(value + louder.get(name, 0.0), abs=0.01), name


@pytest.mark.parametrize("rate", [16_000, 32_000, 44_100, 48_000, 96_000])
def test_the_sample_rate_hardly_matters(rate: int) -> None:
    import soxr

    signal = soxr.resample(tune(4, 8.0, 48_000), 48_000, 16_000)  # nothing above 8 kHz
    plain = describe(signal, 16_000)
    other = describe(soxr.resample(signal, 16_000, rate), rate)
    for name, budget in {  # the bilinear transform bends the shelf a little more at 16 kHz
        "loudness_lufs": 0.15, "true_peak_dbtp": 0.1, "brightness_hz": 30.0, "flatness": 0.02,
        "percussive_share": 0.02, "onset_rate": 0.26, "danceability": 0.03,
    }.items():  # fmt: skip
        assert getattr(other, name) == pytest.approx(getattr(plain, name), abs=budget), name


def test_brightness_of_a_sine_is_its_frequency() -> None:
    for hz in (300.0, 1000.0, 4000.0):
        assert describe(sine(hz), RATE).brightness_hz == pytest.approx(hz, rel=0.01)


def test_brightness_equals_librosas_centroid() -> None:
    librosa = pytest.importorskip("librosa", reason="librosa serves as the oracle for centroids")
    signal = noise() + sine(700.0)
    expected = librosa.feature.spectral_centroid(y=signal, sr=RATE, n_fft=2048, hop_length=512)
    # librosa's frame has also what lies over 10 kHz and under 40 Hz: some of white noise
    assert describe(signal, RATE).brightness_hz == pytest.approx(expected[0, 4:-4].mean(), rel=0.1)
    hushed = librosa.feature.spectral_centroid(y=sine(700.0), sr=RATE)[0, 4:-4].mean()
    assert describe(sine(700.0), RATE).brightness_hz == pytest.approx(hushed, rel=0.01)


def test_noise_is_flat_and_a_tone_is_not() -> None:
    assert describe(noise(), RATE).flatness == pytest.approx(1.0, abs=0.03)
    # noise through a filter is noise still
    coloured = np.cumsum(noise()).astype(np.float32)
    assert describe(coloured, RATE).flatness == pytest.approx(1.0, abs=0.1)
    assert describe(sine(500), RATE).flatness == pytest.approx(0.0, abs=0.12)


def test_clicks_are_percussive_and_tones_are_not() -> None:
    struck, held = describe(clicks(0.5), RATE), describe(sine(500), RATE)
    assert struck.percussive_share is not None
    assert struck.percussive_share > 0.95
    assert held.percussive_share == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("period", [0.25, 0.5, 1.0])
def test_onsets_are_counted(period: float) -> None:
    found = describe(clicks(period), RATE)
    assert found.onset_rate == pytest.approx(1.0 / period, rel=0.06)


def test_held_tones_have_no_onsets() -> None:
    strength = onset_bands(sine(440, 10.0))
    assert onset_rate(strength, 10.0) == pytest.approx(0.0, abs=0.11)
    assert onset_rate(strength, 0.0) is None


def test_beats_at_a_dancing_pace_are_danceable_and_chance_is_not() -> None:
    steady = danceability(onset_bands(clicks(0.5, 40.0)))
    chance = clicks(100.0, 40.0)
    for start in np.random.default_rng(3).uniform(0.5, 39.0, 80):
        chance[round(start * RATE) :][:200] += 0.5
    random = danceability(onset_bands(chance))
    assert steady is not None
    assert random is not None
    assert steady > 0.9
    assert random < 0.5
    assert danceability(np.zeros((5000, 6), np.float32)) is None


def test_energy_is_the_mean_of_its_parts() -> None:
    assert energy(0.0, 500.0, 20.0) == 0.0
    assert energy(8.0, 4000.0, 8.0) == 1.0
    assert energy(4.0, 1414.2, 14.0) == pytest.approx(0.5, abs=1e-4)
    assert energy(20.0, 100.0, 30.0) == pytest.approx(1 / 3)
    assert energy(None, 1000.0, 10.0) is None


def test_pieces_of_any_size_have_one_spectrum() -> None:
    signal = np.tile(tune(5, 5.0), 7)
    whole, pieces = SpectrumMeter(), SpectrumMeter()
    whole.update(signal)
    for start in range(0, len(signal), 7001):
        pieces.update(signal[start : start + 7001])
    assert whole.finish() == pieces.finish()


def test_mixing_keeps_what_channels_share() -> None:
    planes = np.stack([noise(1.0), noise(1.0, 1)])
    mixer = MonoMixer(RATE)
    np.testing.assert_allclose(mixer.mix(planes), planes.mean(axis=0), atol=1e-7)
    assert len(mixer.finish()) == 0


def test_every_column_says_what_it_is() -> None:
    schema = descriptors_schema()
    assert schema.names == ["content_hash", *NAMES]  # of the record, and of the definitions
    for name in NAMES:
        about = schema.field(name).metadata
        assert set(about) == {b"definition", b"unit", b"range", b"source"}
        assert about[b"definition"].endswith(b".")
        assert about[b"range"]
    assert SET_NAME == "musicu-descriptors-v2"


def test_the_reference_page_is_the_schemas() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page()


def test_a_file_cut_short_is_described_as_incomplete(tmp_path: Path) -> None:
    sf.write(tmp_path / "whole.flac", tune(1, 8.0), RATE)
    data = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) // 2])
    assert describe(tmp_path / "whole.flac").complete
    cut = describe(tmp_path / "cut.flac")
    assert not cut.complete
    assert 2.0 < cut.heard_seconds < 6.0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no resource usage on Windows")
def test_three_hours_are_heard_in_bounded_memory() -> None:
    import resource

    minute = np.stack([np.tile(tune(seed, 4.0, 44_100), 15) for seed in (1, 2)])
    extractor = DescriptorExtractor(44_100, 2)
    extractor.update(minute)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(179):
        extractor.update(minute)
    found = extractor.finish()
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert found.heard_seconds == pytest.approx(10_800.0)
    assert grown_mb < 300
