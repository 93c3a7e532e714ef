"""Whether somebody sings: from a stream in pieces of any size, in bounded memory."""

from __future__ import annotations

import numpy as np
import pytest
from music import tune

from musicu.embeddings.songs import floored, songs_input
from musicu.embeddings.voice_meter import VoiceMeter, vocal_probability
from musicu.features.describing import describe
from musicu.features.descriptors import NAMES_V1
from musicu.features.powers import SAMPLE_RATE
from musicu.records import Audio


def heard(samples: np.ndarray, piece: int) -> float | None:
    meter = VoiceMeter()
    for start in range(0, len(samples), piece):
        meter.update(samples[start : start + piece])
    return meter.finish()


def test_the_size_of_the_pieces_does_not_matter() -> None:
    samples = tune(1, 14.0, SAMPLE_RATE)
    whole = heard(samples, len(samples))
    assert whole is not None
    assert 0.0 <= whole <= 1.0
    assert heard(samples, 1_000) == heard(samples, 100_000) == whole


def test_a_short_sound_is_what_the_model_reads_of_it() -> None:
    samples = tune(2, 2.5, SAMPLE_RATE)
    (power,) = floored(Audio.of(samples, SAMPLE_RATE))
    assert heard(samples, 4_096) == vocal_probability(songs_input(power))


def test_of_less_than_a_second_nothing_is_said() -> None:
    assert heard(tune(1, 0.9, SAMPLE_RATE), 4_096) is None


def test_level_does_not_matter() -> None:
    samples = tune(3, 9.0, SAMPLE_RATE)
    quiet = heard(samples * np.float32(0.1), 5_000)
    assert quiet == pytest.approx(heard(samples, 5_000), abs=5e-3)  # of a network in 8 bits


def test_silence_beside_sound_does_not_count() -> None:
    samples = tune(4, 13.0, SAMPLE_RATE)
    meter = VoiceMeter()
    meter.update(samples[: 3 * 91_136])
    alone = meter.finish()
    meter.update(np.zeros(4 * 91_136, np.float32))
    assert meter.finish() == alone


def test_what_is_kept_of_a_long_recording_is_bounded_and_evenly_spread() -> None:
    meter = VoiceMeter()
    for number in range(75):  # a second of level `number` would be too much: noise suffices
        level = np.float32(1 + number)
        meter.update(level * np.ones(91_136, np.float32) * np.sin(np.arange(91_136) / 9))
    kept = [float(np.sqrt(piece.mean())) for piece in meter._pieces]
    places = np.round(np.array(kept) / kept[0]).astype(int) - 1
    assert 8 <= len(places) <= 16
    assert set(np.diff(places)) == {8}


def test_the_first_set_says_the_same_but_for_the_voice() -> None:
    samples = tune(5, 6.0, SAMPLE_RATE)
    full, first = (describe(samples, SAMPLE_RATE, voice=voice) for voice in (True, False))
    assert full.vocal_probability is not None
    assert first.vocal_probability is None
    assert all(getattr(full, name) == getattr(first, name) for name in NAMES_V1)
