"""MP3 behind tags and junk, with and without a header that tells its length."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile as sf

from musicu.audio import read_audio
from musicu.audio.mp3_stream import open_stream, tags_end
from musicu.records import Windows
from musicu.tags.formats.mpeg import first_frame, parse_frame

RATE = 44100


def encode(seconds=6.0):
    """Variable bit rate: quiet first, so that the first frame says little of the others."""
    t = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(t))
    samples = (0.3 * np.sin(2 * np.pi * 440 * t) + 0.2 * noise) * (t > seconds / 2)
    out = io.BytesIO()
    with sf.SoundFile(
        out, "w", RATE, 1, "MPEG_LAYER_III", format="MP3",
        bitrate_mode="VARIABLE", compression_level=0.3,
    ) as file:  # fmt: skip
        file.write(samples)
    data = out.getvalue()
    return data[tags_end(io.BytesIO(data)) :]


MP3 = encode()
FIRST = parse_frame(MP3[:4])
BARE = MP3[FIRST.length :]  # without the Xing frame


def id3(version, body):
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3" + bytes((version, 0, 0)) + size + body


def ape(length=2000):
    fields = (2000, 32 + length, 0, 0xA0000000)
    head = b"APETAGEX" + b"".join(n.to_bytes(4, "little") for n in fields) + bytes(8)
    foot = head[:20] + (0x80000000).to_bytes(4, "little") + bytes(8)
    return head + bytes(length) + foot


ART = id3(4, b"APIC" + bytes(1000) + b"\xff\xfb\x90\x64" * 5_000_000)
JUNK = np.random.default_rng(1).integers(0, 255, 5000, dtype=np.uint8).tobytes()  # no 0xff
AROUND = {
    "nothing": (b"", b""),
    "ID3v2.2": (id3(2, b"TT2\0\0\x05\0abcd" + bytes(100)), b""),
    "ID3v2.3": (id3(3, bytes(500)), b""),
    "ID3v2.4 with a footer's flag clear": (id3(4, bytes(500)), b""),
    "several ID3 tags": (id3(3, bytes(50)) + id3(4, bytes(60)) + id3(2, bytes(7)), b""),
    "20 MB of album art full of frame headers": (ART, b""),
    "ID3v1": (b"", b"TAG" + bytes(125)),
    "APE and ID3v1 behind": (b"", ape() + b"TAG" + bytes(125)),
    "APE before": (ape(), b""),
    "junk before": (JUNK, b""),
    "zeros before": (bytes(30000), b""),
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("header", [True, False])
def test_sound_is_the_same_whatever_lies_around_it(tmp_path, around, header):
    before, behind = AROUND[around]
    plain, path = tmp_path / "plain.mp3", tmp_path / "x.mp3"
    plain.write_bytes(MP3 if header else BARE)
    path.write_bytes(before + (MP3 if header else BARE) + behind)
    for windows in (None, Windows(0.5, 4)):
        expected, audio = read_audio(plain, RATE, windows), read_audio(path, RATE, windows)
        assert audio.complete
        np.testing.assert_array_equal(audio.samples, expected.samples)


def test_variable_rate_without_header_has_its_full_length(tmp_path):
    path = tmp_path / "x.mp3"
    path.write_bytes(BARE)
    with sf.SoundFile(io.BytesIO(BARE)) as file:
        assert file.frames < 5.5 * RATE or file.frames > 6.5 * RATE  # what libsndfile guesses
    audio = read_audio(path, RATE)
    assert audio.duration_seconds == pytest.approx(6.0, abs=0.06)
    assert audio.complete


def test_reading_in_blocks_is_reading_at_once(tmp_path):
    path = tmp_path / "x.mp3"
    path.write_bytes(MP3)
    at_once, _ = sf.read(path, dtype="float32")
    np.testing.assert_allclose(read_audio(path, RATE).samples, at_once, atol=1e-6)


@pytest.mark.parametrize("data", [MP3, BARE], ids=["header", "bare"])
def test_a_cut_file_gives_its_first_part(tmp_path, data):
    path = tmp_path / "x.mp3"
    path.write_bytes(data[: len(data) * 3 // 4 + 5])
    for windows in (None, Windows(0.5, 4)):
        audio = read_audio(path, RATE, windows)
        assert not audio.complete
        assert 3.0 < audio.duration_seconds < 5.5


@pytest.mark.parametrize(
    ("header", "samples", "size"),
    [
        ("fffb9064", 1152, 417),  # MPEG-1 layer III, 128 kbit/s, 44.1 kHz
        ("fffb9264", 1152, 418),  # with padding
        ("fff384c4", 576, 192),  # MPEG-2 layer III, 64 kbit/s, 24 kHz
        ("fffda000", 1152, 626),  # MPEG-1 layer II, 192 kbit/s, 44.1 kHz
        ("ffff1400", 384, 32),  # MPEG-1 layer I, 32 kbit/s, 48 kHz
    ],
)
def test_frame_headers_are_read_as_the_standard_says(header, samples, size):
    frame = parse_frame(bytes.fromhex(header))
    assert (frame.samples, frame.length) == (samples, size)


@pytest.mark.parametrize("header", ["00000000", "fffb0064", "fffbf064", "fffb9c64", "ffea9064"])
def test_what_is_no_frame_header_is_refused(header):
    assert parse_frame(bytes.fromhex(header)) is None


def test_one_lonely_frame_header_is_not_believed():
    data = JUNK + b"\xff\xfb\x90\x64" + bytes(5000)
    assert first_frame(io.BytesIO(data), 0, len(data)) is None
    assert open_stream(io.BytesIO(data), len(data)) is None
