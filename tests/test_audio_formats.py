"""Every format gives the sound that was written into it."""

from __future__ import annotations

import errno
import shutil
import subprocess

import numpy as np
import pytest
import soundfile as sf
import soxr

from musicu.audio import open_source, read_audio, read_segments
from musicu.errors import AudioError, MissingExtraError
from musicu.records import Windows

RATE = 44100
WINDOWS = Windows(0.5, 4)


def signal(seconds=6.0, channels=2, rate=RATE):
    """Tones that rise, so that every place sounds like no other; channels alike but for level."""
    t = np.arange(round(seconds * rate)) / rate
    tone = 0.4 * np.sin(2 * np.pi * (200 * t + 40 * t * t)) + 0.1 * np.sin(2 * np.pi * 1500 * t)
    return np.stack([tone * (1 - 0.1 * c) for c in range(channels)], axis=1).astype(np.float32)


def difference_db(a, b):
    n = min(len(a), len(b))
    noise = np.sqrt(np.mean((a[:n] - b[:n]) ** 2)) + 1e-12
    return 20 * np.log10(noise / np.sqrt(np.mean(b[:n] ** 2)))


SNDFILE = {
    "u8.wav": ("WAV", "PCM_U8", -35),
    "s16.wav": ("WAV", "PCM_16", -80),
    "s24.wav": ("WAV", "PCM_24", -120),
    "s32.wav": ("WAV", "PCM_32", -120),
    "float.wav": ("WAV", "FLOAT", -120),
    "double.wav": ("WAV", "DOUBLE", -120),
    "extensible.wav": ("WAVEX", "PCM_24", -120),
    "rf64.wav": ("RF64", "PCM_16", -80),
    "a.aiff": ("AIFF", "PCM_16", -80),
    "a.aifc": ("AIFF", "FLOAT", -120),
    "a.flac": ("FLAC", "PCM_16", -80),
    "a.mp3": ("MP3", "MPEG_LAYER_III", -25),
    "a.ogg": ("OGG", "VORBIS", -25),
    "a.opus": ("OGG", "OPUS", -20),
}


def write(path, samples, container, subtype, rate=RATE):
    sf.write(path, samples, 48000 if subtype == "OPUS" else rate, subtype, format=container)
    return path


@pytest.fixture(params=SNDFILE)
def recording(request, tmp_path):
    """A file in each format of the base install, its sound, its rate and its noise in dB."""
    container, subtype, noise_db = SNDFILE[request.param]
    rate = 48000 if subtype == "OPUS" else RATE
    samples = signal(rate=rate)
    return write(tmp_path / request.param, samples, container, subtype), samples, rate, noise_db


def test_whole_read_is_the_mean_of_the_channels(recording):
    path, samples, rate, noise_db = recording
    audio = read_audio(path, rate)
    assert difference_db(audio.samples, samples.mean(axis=1)) < noise_db
    assert audio.samples.dtype == np.float32
    assert audio.complete
    assert audio.duration_seconds == pytest.approx(6.0, abs=0.05)
    assert audio.edges == (0, len(audio.samples))


def test_windows_hold_what_the_whole_holds_there(recording):
    path, *_ = recording
    whole = read_audio(path, 22050)
    audio = read_audio(path, 22050, WINDOWS)
    assert audio.complete
    assert len(audio.starts) == 4
    for start, window in zip(audio.starts, audio.windows(), strict=True):
        at = round(start * 22050)
        np.testing.assert_allclose(window, whole.samples[at : at + len(window)], atol=2e-3)


def test_reading_twice_gives_the_same_samples(recording):
    path, *_ = recording
    first, second = (read_audio(path, 16000, WINDOWS).samples for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_segments_laid_end_to_end_are_the_whole(recording):
    path, *_ = recording
    segments = [segment.samples for segment in read_segments(path, 22050, 0.5)]
    np.testing.assert_array_equal(np.concatenate(segments), read_audio(path, 22050).samples)


@pytest.mark.parametrize(
    ("rate", "channels"), [(8000, 1), (11025, 2), (22050, 2), (48000, 6), (96000, 8), (192000, 2)]
)
def test_rates_and_channels(tmp_path, rate, channels):
    samples = signal(2.0, channels, rate)
    path = write(tmp_path / "x.wav", samples, "WAV", "FLOAT", rate)
    audio = read_audio(path, 22050)
    expected = soxr.resample(samples.mean(axis=1), rate, 22050)
    assert abs(len(audio.samples) - 44100) <= 1
    assert difference_db(audio.samples[100:-100], expected[100:-100]) < -90


@pytest.mark.parametrize(
    ("source_rate", "rate"),
    [(8000, 22050), (22050, 22050), (44100, 16000), (44100, 44101), (48000, 22050), (96000, 16000)],
)
def test_resampled_windows_are_cut_from_the_resampled_whole(tmp_path, source_rate, rate):
    path = write(tmp_path / "x.wav", signal(rate=source_rate), "WAV", "FLOAT", source_rate)
    whole, audio = read_audio(path, rate), read_audio(path, rate, WINDOWS)
    for start, window in zip(audio.starts, audio.windows(), strict=True):
        at = round(start * rate)
        np.testing.assert_allclose(window, whole.samples[at : at + len(window)], atol=1e-5)


def test_what_is_no_number_becomes_silence_and_nothing_else_changes(tmp_path):
    samples = signal(1.0) + 0.7  # beyond full scale, and with an offset
    samples[1000, 0], samples[2000], samples[3000, 1] = np.nan, np.inf, -np.inf
    audio = read_audio(write(tmp_path / "x.wav", samples, "WAV", "FLOAT"), RATE)
    expected = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).mean(axis=1)
    np.testing.assert_allclose(audio.samples, expected, atol=1e-7)


def test_what_is_no_sample_becomes_silence(tmp_path):
    samples = signal(1.0)
    samples[1000, 0], samples[2000] = 1e37, -1e12
    audio = read_audio(write(tmp_path / "x.wav", samples, "WAV", "FLOAT"), RATE)
    expected = np.where(np.abs(samples) > 2, 0.0, samples).mean(axis=1)
    np.testing.assert_allclose(audio.samples, expected, atol=1e-7)


@pytest.mark.parametrize("windows", [None, WINDOWS])
def test_integers_written_as_floats_are_brought_to_full_scale(tmp_path, windows):
    samples = signal()
    short = read_audio(write(tmp_path / "s.wav", samples * 2.0**15, "WAV", "FLOAT"), RATE, windows)
    full = read_audio(write(tmp_path / "f.wav", samples, "WAV", "FLOAT"), RATE, windows)
    long = read_audio(write(tmp_path / "l.wav", samples * 2.0**31, "WAV", "FLOAT"), RATE, windows)
    assert np.array_equal(short.samples, full.samples * np.float32(2.0**15))
    assert 0.5 < np.abs(long.samples).max() <= 1.0
    ratio = np.abs(long.samples).max() / np.abs(full.samples).max()
    assert np.array_equal(long.samples, full.samples * np.float32(ratio))


def test_a_recording_behind_a_tag_is_read_where_the_system_has_no_files_in_memory(
    tmp_path, monkeypatch
):
    def refuse(_):
        raise OSError(errno.EMFILE, "too many open files")

    path = write(tmp_path / "x.flac", signal(1.0), "FLAC", "PCM_16")
    path.write_bytes(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + path.read_bytes())
    expected = read_audio(path, RATE)
    monkeypatch.setattr("os.memfd_create", refuse, raising=False)
    assert np.array_equal(read_audio(path, RATE).samples, expected.samples)


def test_content_decides_and_not_the_name(tmp_path):
    path = write(tmp_path / "x.mp3", signal(1.0), "FLAC", "PCM_16")
    assert read_audio(path, RATE).duration_seconds == 1.0


@pytest.mark.parametrize(
    "name", [b"caf\xe9\xff.flac", b"new\nline.flac", "\U0001f3b5.flac".encode()]
)
def test_odd_names(tmp_path, name):
    plain = write(tmp_path / "x.flac", signal(1.0), "FLAC", "PCM_16")
    try:
        odd = plain.rename(tmp_path / name.decode(errors="surrogateescape"))
    except OSError:
        pytest.skip("this file system refuses such names")
    assert read_audio(odd, RATE).duration_seconds == 1.0


def test_native_channels_are_at_hand(tmp_path):
    samples = signal(1.0, channels=6)
    with open_source(write(tmp_path / "x.wav", samples, "WAV", "FLOAT")) as source:
        assert source.seek(100)
        np.testing.assert_array_equal(source.read(50), samples[100:150])
        assert (source.channels, source.frames, source.sample_rate) == (6, RATE, RATE)


# What only FFmpeg writes or reads ------------------------------------------------------------

FFMPEG = {
    "aac.m4a": ["-c:a", "aac"],
    "alac.m4a": ["-c:a", "alac"],
    "adts.aac": ["-c:a", "aac", "-f", "adts"],
    "a.wma": ["-c:a", "wmav2"],
    "a.wv": ["-c:a", "wavpack"],
    "a.mka": ["-c:a", "flac", "-f", "matroska"],
    "a.webm": ["-c:a", "libopus"],
    "a.ac3": ["-c:a", "ac3"],
    "ogg_flac.oga": ["-c:a", "flac", "-f", "ogg"],
    "vbr.mp3": ["-c:a", "libmp3lame", "-q:a", "4"],
    "vbr_no_header.mp3": ["-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0"],
    "a.mp2": ["-c:a", "mp2"],
}
BASE = ("ogg_flac.oga", "vbr.mp3", "vbr_no_header.mp3", "a.mp2")


def ffmpeg(*arguments):
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg, which makes and checks this file, is not installed")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.fixture(scope="module", params=FFMPEG)
def encoded(request, tmp_path_factory):
    """A file of each kind that FFmpeg writes."""
    if request.param not in BASE:
        pytest.importorskip("av", reason="PyAV, the extra `av`, is not installed")
    folder = tmp_path_factory.mktemp("encoded")
    source = write(folder / "source.wav", signal(), "WAV", "PCM_16")
    ffmpeg("-i", source, *FFMPEG[request.param], folder / request.param)
    return folder / request.param


def test_length_and_sound_agree_with_ffmpeg(encoded):
    path = encoded
    mono = np.frombuffer(ffmpeg("-i", path, "-f", "f32le", "-"), dtype=np.float32)
    mono = mono.reshape(-1, 2).mean(axis=1)
    with open_source(path) as source:
        rate = source.sample_rate
    audio = read_audio(path, rate)
    assert audio.complete
    late = len(mono) - len(audio.samples)
    assert 0 <= late <= 1152  # libmpg123 drops an MP3 decoder's delay, FFmpeg not always
    agreement = [
        np.corrcoef(audio.samples[2000:-2000], mono[2000 + k :][: len(audio.samples) - 4000])[0, 1]
        for k in {0, late}
    ]
    assert max(agreement) > 0.999


def test_windows_are_within_a_millisecond_of_the_whole(encoded):
    whole, audio = read_audio(encoded, RATE), read_audio(encoded, RATE, WINDOWS)
    assert audio.complete
    assert len(audio.starts) == 4
    for start, window in zip(audio.starts, audio.windows(), strict=True):
        at = round(start * RATE)
        shifts = [whole.samples[at + k : at + k + len(window)] for k in range(-44, 45)]
        assert max(np.corrcoef(window, shifted)[0, 1] for shifted in shifts) > 0.99


@pytest.mark.parametrize("start", [b"\x00\x00\x00\x20ftypM4A ", b"\x1a\x45\xdf\xa3", b"wvpk"])
def test_without_pyav_the_failure_names_format_and_extra(tmp_path, monkeypatch, start):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    path = tmp_path / "x.mp3"
    path.write_bytes(start + bytes(1000))
    with pytest.raises(MissingExtraError, match=r'(M4A|Matroska|WavPack).*"musicu\[av\]"'):
        read_audio(path, RATE)


def test_a_playlist_in_disguise_opens_nothing(tmp_path):
    write(tmp_path / "other.flac", signal(1.0), "FLAC", "PCM_16")
    path = tmp_path / "x.mp3"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.flac\n")
    with pytest.raises(AudioError, match="not audio: the file is text"):
        read_audio(path, RATE)
