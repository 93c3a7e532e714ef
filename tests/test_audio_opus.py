"""Ogg Opus with wrong granule positions comes through whole."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from musicu.audio import read_audio
from musicu.audio.ogg_repair import complete_pages, page_checksum
from musicu.audio.opus import opus_packet_samples, repair_opus
from musicu.audio.splice import Splice
from musicu.records import Windows

RATE = 48000


def plain_checksum(data):
    """RFC 3533's CRC, bit by bit."""
    register = 0
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1) ^ (0x04C11DB7 if register >> 31 else 0)
            register &= 0xFFFFFFFF
    return register


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Eight seconds of Opus as libsndfile writes it."""
    t = np.arange(8 * RATE) / RATE
    path = tmp_path_factory.mktemp("opus") / "good.opus"
    tone = (0.4 * np.sin(2 * np.pi * (200 * t + 30 * t * t))).astype(np.float32)
    sf.write(path, np.stack([tone, tone], axis=1), RATE, format="OGG", subtype="OPUS")
    return path.read_bytes()


def with_granules(data, change):
    """The file with page k's granule position g made change(k, g, last page?)."""
    pages, out = list(complete_pages(io.BytesIO(data))), b""
    for k, page in enumerate(pages):
        granule = change(k, page.granule, page.ends) if k > 1 else page.granule
        stamp = granule.to_bytes(8, "little", signed=True)
        blank = page.header[:6] + stamp + page.header[14:22] + bytes(4) + page.header[26:]
        blank += page.lacing + page.body
        out += blank[:22] + page_checksum(blank).to_bytes(4, "little") + blank[26:]
    return out


CHANGES = {
    "middle pages too early": lambda k, g, last: g if last or k % 3 else g - 400,
    "middle pages too late": lambda k, g, last: g if last or k % 3 else g + 400,
    "all pages early from the third on": lambda k, g, last: g if last or k < 4 else g - 488,
    "cut out of a longer stream": lambda k, g, last: g + 10**7,
    "begins a little late": lambda k, g, last: g if last else g + 488,
}


@given(st.binary(max_size=400))
def test_checksum_is_the_one_of_the_standard(data):
    assert page_checksum(data) == plain_checksum(data)


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"", 0),
        (b"\x00", 480),  # SILK, 10 ms
        (b"\x18", 2880),  # SILK, 60 ms
        (b"\x68", 960),  # hybrid, 20 ms
        (b"\x80", 120),  # CELT, 2.5 ms
        (b"\xf9", 1920),  # two frames of 20 ms
        (b"\xfb\x83", 2880),  # three frames of 20 ms
        (b"\xfb", 0),
    ],
)
def test_packet_length_is_told_by_its_first_bytes(packet, samples):
    assert opus_packet_samples(packet) == samples


def test_a_right_file_is_left_alone(good):
    repair = repair_opus(io.BytesIO(good), len(good))
    assert repair.file is None
    assert repair.whole


@pytest.mark.parametrize("change", CHANGES)
def test_wrong_positions_give_the_sound_of_the_right_file(tmp_path, good, change):
    right, wrong = tmp_path / "right.opus", tmp_path / "wrong.opus"
    right.write_bytes(good)
    wrong.write_bytes(with_granules(good, CHANGES[change]))
    for windows in (None, Windows(1.0, 4)):
        expected, audio = (read_audio(path, RATE, windows) for path in (right, wrong))
        assert audio.complete
        assert audio.starts == expected.starts
        np.testing.assert_allclose(audio.samples, expected.samples, atol=3e-3)


def test_the_made_damage_is_one_that_stops_libsndfile(good):
    damaged = with_granules(good, CHANGES["middle pages too early"])
    with pytest.raises(sf.LibsndfileError, match="malformed"):
        sf.read(io.BytesIO(damaged))


def test_twelve_bytes_a_wrong_page_differ(good):
    damaged = with_granules(good, CHANGES["middle pages too early"])
    repair = repair_opus(io.BytesIO(damaged), len(damaged))
    assert isinstance(repair.file, Splice)
    assert repair.file.read() == good


@pytest.mark.parametrize("also", ["chained", "cut"])
def test_what_is_not_one_whole_stream_says_so(tmp_path, good, also):
    path = tmp_path / "x.opus"
    if also == "chained":
        second = bytearray(good)
        for page in complete_pages(io.BytesIO(good)):
            second[page.offset + 14 : page.offset + 18] = b"next"
        path.write_bytes(good + bytes(second))
    else:
        path.write_bytes(good[: len(good) // 2])
    audio = read_audio(path, RATE, Windows(0.5, 4))
    assert not audio.complete
    assert audio.duration_seconds == pytest.approx(8 if also == "chained" else 4, abs=1.5)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.integers(0, 30))), st.data())
def test_splice_reads_like_the_bytes_laid_end_to_end(pieces, data):
    source = bytes(range(64))
    spliced, expected = Splice(io.BytesIO(source)), b""
    for own, offset, length in pieces:
        piece = source[offset : offset + length]
        expected += piece
        if own:
            spliced.add_bytes(piece)
        else:
            spliced.add_file(offset, length)
    assert spliced.read() == expected
    at = data.draw(st.integers(0, len(expected) + 2))
    assert spliced.seek(at) == at
    assert spliced.read(9) == expected[at : at + 9]
    assert spliced.seek(0, io.SEEK_END) == len(expected)
    assert spliced.seek(-len(expected) - 1, io.SEEK_CUR) == len(expected)
