"""Fingerprints survive what copies go through, and faults are what was done to the signal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from music import RATE, piece, tune
from numpy.typing import NDArray

from musicu.audio.encoding import CODECS, write_sound
from musicu.audit.fingerprint_comparison import best_comparison
from musicu.errors import AudioError
from musicu.features.faults import FaultMeter, Faults
from musicu.features.fingerprint_codes import HOP, Fingerprint, FingerprintMeter
from musicu.features.fingerprinting import fingerprint, fingerprints_schema

Samples = NDArray[np.float32]


def hear(samples: Samples, piece: int = 65_536) -> Fingerprint:
    meter = FingerprintMeter()
    for start in range(0, len(samples), piece):
        meter.update(samples[start : start + piece])
    return meter.finish()


def error(a: Samples, b: Samples) -> float:
    return best_comparison(hear(a), hear(b), np.arange(-30, 31), 0.2).error


def test_pieces_do_not_matter() -> None:
    samples = piece(1, 12.0)
    whole, pieces = hear(samples), hear(samples, 1000)
    assert (whole.codes == pieces.codes).all()
    assert (whole.marks == pieces.marks).all()


def test_level_changes_no_marked_bit() -> None:
    a, b = hear(piece(1, 12.0)), hear(piece(1, 12.0) * np.float32(0.5))
    assert not ((a.codes ^ b.codes) & a.marks & b.marks).any()


@pytest.mark.parametrize("cut", [HOP // 2, 10_000, 3 * RATE])
def test_a_trim_is_found_as_an_offset(cut: int) -> None:
    samples = piece(1, 20.0)
    best = best_comparison(hear(samples), hear(samples[cut:]), np.arange(-30, 31), 0.2)
    assert best.offset == pytest.approx(cut / HOP, abs=1)
    assert best.error < 0.1
    assert best.alike == 1.0


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_codecs_leave_it_recognisable(tmp_path: Path, codec: str) -> None:
    samples = np.repeat(piece(1, 12.0, 24_000), 2)
    write_sound(samples, tmp_path / "a", CODECS[codec])
    sf.write(tmp_path / "b.wav", samples, 48_000)
    a, b = (fingerprint(tmp_path / name) for name in ("a", "b.wav"))
    prints = [
        Fingerprint(*(np.array(row[n], np.uint32) for n in ("codes", "marks"))) for row in (a, b)
    ]
    assert best_comparison(*prints, np.arange(-3, 4), 0.2).error < 0.1


def test_other_music_differs_in_about_half_of_the_bits() -> None:
    errors = [error(piece(1, 12.0), piece(seed, 12.0)) for seed in range(2, 8)]
    assert min(errors) > 0.35


def test_silence_and_what_is_too_short_say_nothing() -> None:
    assert not hear(np.zeros(RATE * 3, np.float32)).marks.any()
    assert len(hear(np.zeros(100, np.float32)).codes) == 0


def test_a_file_gives_every_column(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.stack([tune(1), tune(1)], axis=1), RATE)
    row = fingerprint(tmp_path / "a.wav")
    assert {"content_hash", *row} == set(fingerprints_schema().names)
    assert row["heard_seconds"] == pytest.approx(2.0)
    sf.write(tmp_path / "b.wav", tune(1, 0.1), RATE)
    with pytest.raises(AudioError, match="too short"):
        fingerprint(tmp_path / "b.wav")


def faults(planes: Samples, rate: int = RATE) -> Faults:
    meter = FaultMeter(rate, len(planes))
    for start in range(0, planes.shape[1], 7001):
        meter.update(np.ascontiguousarray(planes[:, start : start + 7001], dtype=np.float32))
    return meter.finish()


def sine(level: float, seconds: float = 2.0) -> Samples:
    t = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 220 * t)).astype(np.float32)[None]


def test_a_sine_has_the_level_of_a_sine() -> None:
    found = faults(sine(0.5))
    assert found.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert found.level_dbfs == pytest.approx(-9.03, abs=0.01)
    assert found.clipped_share == 0.0


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_clipped_share_is_the_share_of_flat_tops(gain: float) -> None:
    loud = sine(1.5)
    clipped = np.clip(loud, -1, 1)
    assert faults(clipped * np.float32(gain)).clipped_share == pytest.approx(
        float((np.abs(loud) > 1).mean()), abs=0.02
    )


def test_a_square_wave_is_not_clipped() -> None:
    assert faults(np.sign(sine(1.0)) * np.float32(0.9)).clipped_share == 0.0


def test_channels_are_compared() -> None:
    left, right = tune(1)[None], tune(2)[None]
    same = faults(np.concatenate([left, left]))
    assert same.side_db == pytest.approx(-120.0)
    assert same.channel_db == pytest.approx(0.0)
    assert faults(np.concatenate([left, 0 * left])).channel_db == pytest.approx(-120.0)
    assert (faults(np.concatenate([left, right])).side_db or 0) > -10
    assert faults(left).side_db is None


def test_silence_is_measured_at_both_ends() -> None:
    quiet = np.zeros((1, RATE), np.float32)
    found = faults(np.concatenate([quiet, quiet, sine(0.5), quiet], axis=1))
    assert found.silence_start_seconds == pytest.approx(2.0, abs=0.13)
    assert found.silence_end_seconds == pytest.approx(1.0, abs=0.13)
    nothing = faults(quiet)
    assert (nothing.level_dbfs, nothing.peak_dbfs) == (None, None)
    assert nothing.silence_start_seconds == pytest.approx(1.0)
