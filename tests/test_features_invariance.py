"""What may be done to a recording without its tempo, key and loudness changing, and by how much.

Budgets: tempo 0.5 %, key none, loudness 0.2 LU and its range 1 LU, brightness 5 %.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import soundfile as sf
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tonal_samples import chords, drums

from musicu.features import Descriptors, describe, key_of, tempo_of
from musicu.features.key import TONICS

RATE, LOW_RATE = 44_100, 22_050
Sound = NDArray[np.float32]


@cache
def band(tonic: int = 9, mode: str = "minor", cents: float = 0.0) -> Sound:
    """Drums at 112 beats a minute and a cadence, two channels that differ a little.

    Nothing lies over 11 kHz, which other rates and low-rate codecs would take away.
    """
    beat = drums(112, 12.0)
    harmony = chords(tonic, mode, 12.0, cents, each=120 / 112)
    n = min(len(beat), len(harmony))
    planes = np.stack([gain * beat[:n] + harmony[:n] for gain in (0.5, 0.3)], axis=1)
    return np.asarray(soxr.resample(planes, LOW_RATE, RATE), np.float32)


def coded(sound: Sound, kind: str, subtype: str, level: float) -> Sound:
    file = io.BytesIO()
    sf.write(file, sound, RATE, format=kind, subtype=subtype, compression_level=level)
    file.seek(0)
    return np.asarray(sf.read(file, dtype="float32", always_2d=True)[0])


CHANGES: dict[str, Callable[[Sound], tuple[Sound, int]]] = {
    "30 dB softer": lambda s: (s * np.float32(10**-1.5), RATE),
    "48 kHz": lambda s: (soxr.resample(s, RATE, 48_000), 48_000),
    "22 kHz": lambda s: (soxr.resample(s, RATE, 22_050), 22_050),
    "MP3 of about 128 kbit/s": lambda s: (coded(s, "MP3", "MPEG_LAYER_III", 0.5), RATE),
    "Vorbis of about 128 kbit/s": lambda s: (coded(s, "OGG", "VORBIS", 0.6), RATE),
    "2 s of silence before": lambda s: (np.concatenate([np.zeros((2 * RATE, 2)), s]), RATE),
    "channels swapped": lambda s: (s[:, ::-1], RATE),
    "inverted": lambda s: (-s, RATE),
    "a constant offset": lambda s: (s + np.float32(0.1), RATE),
}


@cache
def plain() -> Descriptors:
    return describe(band(), RATE)


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_musician_hears_stays(name: str) -> None:
    found, before = describe(*CHANGES[name](band())), plain()
    assert found.tempo_bpm == pytest.approx(before.tempo_bpm, rel=0.005)
    assert found.key == before.key == "A minor"
    level = -30.0 if name == "30 dB softer" else 0.0
    assert before.loudness_lufs is not None
    assert found.loudness_lufs == pytest.approx(before.loudness_lufs + level, abs=0.2)
    if not name.startswith("2 s of silence"):  # the way in from silence belongs to the range
        assert found.loudness_range_lu == pytest.approx(before.loudness_range_lu, abs=1.0)
    assert found.brightness_hz == pytest.approx(before.brightness_hz, rel=0.05)
    assert found.tempo_confidence == pytest.approx(before.tempo_confidence, abs=0.15)
    assert found.key_confidence == pytest.approx(before.key_confidence, abs=0.2)


def test_mono_of_stereo_keeps_tempo_and_key() -> None:
    found = describe(band().mean(axis=1), RATE)
    assert found.tempo_bpm == pytest.approx(plain().tempo_bpm, rel=0.005)
    assert found.key == plain().key


@settings(max_examples=4, deadline=None)
@given(semitones=st.integers(-6, 6), mode=st.sampled_from(["major", "minor"]))
def test_transposing_by_semitones_moves_the_key_by_as_many(semitones: int, mode: str) -> None:
    before, after = (key_of(band(2, mode, 100.0 * n), RATE) for n in (0, semitones))
    assert before.tonic is not None
    assert after.tonic == TONICS[(TONICS.index(before.tonic) + semitones) % 12]
    assert after.mode == before.mode == mode


@settings(max_examples=3, deadline=None)
@given(factor=st.floats(0.93, 1.07))
def test_playing_faster_moves_the_tempo_by_as_much(factor: float) -> None:
    faster = soxr.resample(band(), RATE * factor, RATE)
    before, after = tempo_of(band(), RATE), tempo_of(faster, RATE)
    assert before.bpm is not None
    assert after.bpm == pytest.approx(before.bpm * factor, rel=0.005)


def test_five_percent_faster_is_five_percent_in_tempo() -> None:
    before, after = plain().tempo_bpm, tempo_of(soxr.resample(band(), RATE * 1.05, RATE), RATE).bpm
    assert before is not None
    assert after == pytest.approx(1.05 * before, rel=0.003)


def syllables(seconds: float = 12.0, seed: int = 0) -> Sound:
    """Speech-like: voiced bursts of gliding pitch and hiss, of uneven lengths and pauses."""
    rng = np.random.default_rng(seed)
    sound, at = np.zeros(round(seconds * RATE)), 0.2
    while at < seconds - 0.5:
        n = round(rng.uniform(0.08, 0.3) * RATE)
        hz = rng.uniform(95, 170) * np.linspace(1.0, rng.uniform(0.8, 1.2), n)
        phase = 2 * np.pi * np.cumsum(hz) / RATE
        voice = sum(np.sin(k * phase) / k for k in range(1, 20))
        hiss = rng.normal(0, 0.5, n) if rng.random() < 0.3 else 0.0
        place = round(at * RATE)
        sound[place : place + n] += np.hanning(n) * (voice * (rng.random() < 0.8) + hiss)
        at += n / RATE + rng.choice([0.02, 0.1, 0.5], p=[0.6, 0.3, 0.1])
    return (0.2 * sound / np.abs(sound).max()).astype(np.float32)


def test_speech_has_neither_a_sure_beat_nor_a_sure_key() -> None:
    found = [describe(syllables(seed=seed), RATE) for seed in range(3)]
    assert np.mean([one.tempo_confidence for one in found]) < 0.5  # type: ignore[arg-type]
    assert np.mean([one.key_confidence for one in found]) < 0.5  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(2))
def test_noise_has_neither_a_sure_beat_nor_a_sure_key(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.1, 12 * RATE).astype(np.float32)
    found = describe(noise, RATE)
    assert found.tempo_confidence is not None
    assert found.key_confidence is not None
    assert max(found.tempo_confidence, found.key_confidence) < 0.5


def test_clipping_keeps_tempo_and_key() -> None:
    found = describe(np.clip(6.0 * band(), -1.0, 1.0), RATE)
    assert found.tempo_bpm == pytest.approx(plain().tempo_bpm, rel=0.005)
    assert found.key == plain().key
