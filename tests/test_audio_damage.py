"""What is broken is salvaged or refused in words; nothing hangs, nothing is made up."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import soundfile as sf

from musicu.audio import read_audio
from musicu.audio.file_signature import not_audio
from musicu.errors import AudioError
from musicu.records import Windows

RATE = 48000
WINDOWS = Windows(0.5, 4)
KINDS = {
    "x.wav": ("WAV", "PCM_16"),
    "x.aiff": ("AIFF", "PCM_16"),
    "x.flac": ("FLAC", "PCM_16"),
    "x.mp3": ("MP3", "MPEG_LAYER_III"),
    "x.ogg": ("OGG", "VORBIS"),
    "x.opus": ("OGG", "OPUS"),
}


def write(path, seconds=8.0, container="WAV", subtype="PCM_16"):
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))
    sf.write(path, samples, RATE, subtype, format=container)
    return path


@pytest.fixture(params=KINDS)
def recording(request, tmp_path):
    return write(tmp_path / request.param, 8.0, *KINDS[request.param])


def test_half_a_file_gives_half_the_sound_and_says_so(recording):
    data = recording.read_bytes()
    recording.write_bytes(data[: len(data) // 2])
    for windows in (None, WINDOWS):
        audio = read_audio(recording, 22050, windows)
        assert not audio.complete
        assert 2.5 < audio.duration_seconds < 4.5
        assert audio.samples.std() > 0.05
    np.testing.assert_array_equal(audio.samples, read_audio(recording, 22050, WINDOWS).samples)


def test_a_tenth_missing_at_the_end_is_seen_by_windows_before_it(recording):
    data = recording.read_bytes()
    recording.write_bytes(data[: len(data) * 9 // 10])
    assert not read_audio(recording, 22050, Windows(0.25, 2)).complete


def test_windows_over_damage_are_those_of_what_can_be_read(recording):
    data = recording.read_bytes()
    recording.write_bytes(data[: len(data) // 2])
    whole, audio = read_audio(recording, 22050), read_audio(recording, 22050, WINDOWS)
    assert len(audio.starts) == 4
    for start, window in zip(audio.starts, audio.windows(), strict=True):
        at = round(start * 22050)
        np.testing.assert_allclose(window, whole.samples[at : at + len(window)], atol=1e-5)


def check_sound_or_error(path):
    """Only an AudioError may come out, or sound that is finite and long enough."""
    try:
        audio = read_audio(path, 22050, WINDOWS)
    except AudioError:
        return
    assert np.isfinite(audio.samples).all()
    assert len(audio.samples) >= 0.2 * 22050


def test_any_cut_is_sound_or_a_plain_error(recording):
    data = recording.read_bytes()
    for size in [1, 3, 4, 10, 27, 44, 60, 100, 500, 2000, len(data) // 7]:
        recording.write_bytes(data[:size])
        check_sound_or_error(recording)


def test_changed_bytes_are_sound_or_a_plain_error(recording):
    data = np.frombuffer(recording.read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(2)
    for _ in range(8):
        changed = data.copy()
        at = rng.integers(0, len(data), 40)
        changed[at] = rng.integers(0, 256, 40)
        recording.write_bytes(changed.tobytes())
        check_sound_or_error(recording)


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.19])
def test_too_short_is_refused_in_words(tmp_path, seconds):
    path = write(tmp_path / "x.wav", seconds)
    with pytest.raises(AudioError, match=r"too short: 0\.\d\d s of sound.*0\.2 s"):
        read_audio(path, 22050, WINDOWS)


def test_a_fifth_of_a_second_is_enough(tmp_path):
    assert len(read_audio(write(tmp_path / "x.wav", 0.2), 22050, WINDOWS).samples) == 4410


@pytest.mark.parametrize("total", [(1 << 36) - 1, 0], ids=["absurd", "unknown"])
def test_a_flac_length_that_is_absurd_or_missing_harms_nothing(tmp_path, total):
    path = write(tmp_path / "x.flac", 8.0, "FLAC")
    data = bytearray(path.read_bytes())
    fields = int.from_bytes(data[18:26], "big") >> 36 << 36 | total
    data[18:26] = fields.to_bytes(8, "big")
    path.write_bytes(data)
    audio = read_audio(path, 22050, WINDOWS)
    assert audio.duration_seconds == 8.0
    assert audio.starts == pytest.approx((0.75, 2.75, 4.75, 6.75), abs=1e-4)
    assert audio.complete == (total == 0)


def test_an_absurd_rate_is_refused(tmp_path):
    path = write(tmp_path / "x.wav", 1.0)
    data = bytearray(path.read_bytes())
    data[24:28] = (2_000_000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(AudioError, match="sample rate of 2000000 Hz"):
        read_audio(path, 22050)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (bytes(5000), "zero bytes"),
        (b"Dear listener,\n" * 50, "the file is text"),
        ("Grüße\n" * 50, "the file is text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "PNG picture"),
        (b"MThd" + bytes(99), "MIDI"),
        (b"PK\x03\x04" + bytes(99), "ZIP"),
        (b"ID3\x04\0\0\0\0\0\x0a" + bytes(10), "nothing but tags"),
        (bytes(range(1, 255)) * 9, "not audio|damaged"),
    ],
)
def test_what_is_no_sound_is_named(tmp_path, data, words):
    path = tmp_path / "x.mp3"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-16"))
    with pytest.raises(AudioError, match=words):
        read_audio(path, 22050)


def test_sound_is_not_taken_for_text():
    assert not_audio(b"\xff\xfb\x90\x64" + bytes(range(200))) is None


def test_damage_without_pyav_is_still_told_in_words(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    path = tmp_path / "x.wav"
    path.write_bytes(b"RIFF\x00\x01\x00\x00WAVEjunk")
    with pytest.raises(AudioError, match="WAV that is damaged or of a rare kind"):
        read_audio(path, 22050)


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    folder = tmp_path / "x.flac"
    folder.mkdir()
    with pytest.raises(AudioError, match="a folder"):
        read_audio(folder, 22050)
    with pytest.raises(AudioError, match="no such file"):
        read_audio(tmp_path / "missing.flac", 22050)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "loop.flac").symlink_to(tmp_path / "loop.flac")
    with pytest.raises(AudioError, match="cannot be opened"):
        read_audio(tmp_path / "loop.flac", 22050)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "x.wav")
    with pytest.raises(AudioError, match="a pipe or device"):
        read_audio(tmp_path / "x.wav", 22050)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no POSIX permissions")
def test_no_permission(tmp_path):
    path = write(tmp_path / "x.wav", 1.0)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(AudioError, match="no permission"):
        read_audio(path, 22050)
