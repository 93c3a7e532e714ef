from __future__ import annotations

import shutil
import struct
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicu.errors import AudioError
from musicu.tags.content import content_hash
from musicu.tags.formats import matroska
from musicu.tags.formats.extent import find_extent

RATE = 48_000
WRITTEN = ("wav", "flac", "mp3", "ogg", "opus", "aiff")
MADE_BY_FFMPEG = {
    "vbr.mp3": ["-q:a", "4"],
    "plain.mp3": ["-b:a", "96k", "-write_xing", "0"],
    "a.m4a": ["-c:a", "aac"],
    "alac.m4a": ["-c:a", "alac"],
    "a.wma": ["-c:a", "wmav2"],
    "flac.oga": ["-c:a", "flac"],
    "a.rf64": ["-f", "wav", "-rf64", "always"],
    "six.wav": ["-ac", "6"],
    "a.wv": ["-c:a", "wavpack"],
    "a.aac": ["-c:a", "aac"],
    "vorbis.mka": ["-c:a", "libvorbis"],
    "flac.mka": ["-c:a", "flac"],
    "opus.weba": ["-c:a", "libopus", "-f", "webm"],
    "pcm.mka": ["-c:a", "pcm_s16le"],
    "a.caf": ["-c:a", "pcm_s16be"],
}
COPIED = [*(f"a.{name}" for name in WRITTEN), *MADE_BY_FFMPEG]


def ffmpeg(*arguments: object) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of noise over a tone, in the formats that libsndfile writes."""
    folder = tmp_path_factory.mktemp("sounds")
    noise = np.random.default_rng(1).normal(0, 0.1, (RATE, 2)).astype(np.float32)
    noise += 0.3 * np.sin(np.arange(RATE) / 20)[:, None].astype(np.float32)
    for name in WRITTEN:
        form = {"form": "OPUS"} if name == "opus" else {}
        soundfile.write(
            folder / f"a.{name}",
            noise,
            RATE,
            format="OGG" if form else None,
            subtype=form.get("form"),
        )
    return folder


def made(sounds: Path, name: str) -> Path:
    """A sound in any of the formats, made when it is first asked for."""
    file = sounds / name
    if not file.exists():
        form = ["-f", "wav"] if name.endswith("rf64") else []
        ffmpeg("-i", sounds / "a.wav", *MADE_BY_FFMPEG[name], *form, file)
    return file


def changed(file: Path, data: bytes, name: str = "changed") -> Path:
    copy = file.with_name(f"{name}{file.suffix}")
    copy.write_bytes(data)
    return copy


@pytest.mark.parametrize("name", COPIED)
def test_a_retagged_and_renamed_file_keeps_its_hash(
    sounds: Path, name: str, tmp_path: Path
) -> None:
    file = made(sounds, name)
    forms = {"rf64": ["-f", "wav"], "aac": ["-write_id3v2", "1"], "weba": ["-f", "webm"]}
    form = forms.get(name.split(".")[1], [])
    copy = tmp_path / f"renamed.{name.split('.')[1]}"
    tags = ["-metadata", "title=Another", "-metadata", "comment=" + "x" * 5000]
    ffmpeg("-i", file, "-map", "0:a", "-c", "copy", *tags, *form, copy)
    assert copy.read_bytes() != file.read_bytes()
    assert content_hash(copy) == content_hash(file)


def test_matroska_in_other_clusters_or_of_unknown_size_keeps_its_hash(
    sounds: Path, tmp_path: Path
) -> None:
    file = made(sounds, "vorbis.mka")
    for form in (["-cluster_time_limit", "200"], ["-live", "1"]):
        copy = tmp_path / "copy.mka"
        ffmpeg("-i", file, "-c", "copy", *form, "-f", "matroska", copy)
        assert content_hash(copy) == content_hash(file)


def _places(file: Path, size: int) -> list[int]:
    """Three places in the sound; the blocks of Matroska have headers among it."""
    if file.suffix not in (".mka", ".weba"):
        return [size // 2, size * 3 // 4, size * 9 // 10]
    with file.open("rb") as opened:
        parts = list(matroska.audio_parts(opened, find_extent(opened)))
    spans = [part for part in parts if isinstance(part, tuple)]
    return [sum(spans[len(spans) * n // 4]) // 2 for n in (1, 2, 3)]


@pytest.mark.parametrize("name", COPIED)
def test_one_flipped_byte_of_sound_gives_another_hash(sounds: Path, name: str) -> None:
    file = made(sounds, name)
    data = file.read_bytes()
    hashes = {content_hash(file)}
    for place in _places(file, len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1
        hashes.add(content_hash(changed(file, bytes(flipped), "flip")))
    assert len(hashes) == 4


@pytest.mark.parametrize("name", COPIED)
def test_a_file_cut_anywhere_has_a_hash(sounds: Path, name: str) -> None:
    file = made(sounds, name)
    data = file.read_bytes()
    for size in (0, 1, 3, 7, 11, 20, 45, 60, 130, 700, len(data) // 3, len(data) - 5):
        found = content_hash(changed(file, data[:size], "cut"))
        assert len(found) == 32
        assert found == content_hash(file) or size < len(data)
    assert content_hash(changed(file, data[: len(data) // 2], "cut")) != content_hash(file)


def id3(size: int) -> bytes:
    """An ID3v2.4 tag with a picture of zeros."""
    frame = b"APIC" + synchsafe(size) + b"\0\0" + bytes(size)
    return b"ID3\4\0\0" + synchsafe(len(frame) + 100) + frame + bytes(100)


def synchsafe(value: int) -> bytes:
    return bytes(value >> shift & 127 for shift in (21, 14, 7, 0))


def ape(items: int) -> bytes:
    body = struct.pack("<II", items - 6, 0) + b"Title\0" + b"x" * (items - 6)
    head = struct.pack("<IIII8x", 2000, len(body) + 32, 1, 0xA0000000)
    foot = struct.pack("<IIII8x", 2000, len(body) + 32, 1, 0x80000000)
    return b"APETAGEX" + head + body + b"APETAGEX" + foot


def lyrics3() -> bytes:
    body = b"LYRICSBEGININD0000200LYR00005hello"
    return body + b"%06dLYRICS200" % len(body)


ID3V1 = b"TAG" + bytes(125)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (id3(10), b""),
        (id3(300_000) + id3(5), b""),
        (id3(10) + bytes(5000), ID3V1),
        (b"", ape(50)),
        (b"", ape(50) + ID3V1),
        (b"", lyrics3() + ID3V1),
        (id3(10), ape(500) + lyrics3() + ID3V1),
        (b"", b"LYRICSBEGINhelloLYRICSEND" + ID3V1),
    ],
)
def test_tags_around_mp3_are_not_hashed(sounds: Path, before: bytes, after: bytes) -> None:
    file = sounds / "a.mp3"
    assert content_hash(changed(file, before + file.read_bytes() + after)) == content_hash(file)


def test_the_frame_that_counts_mp3_frames_is_not_hashed(sounds: Path) -> None:
    file = made(sounds, "vbr.mp3")
    data = bytearray(file.read_bytes())
    place = data.find(b"Xing")
    assert place > 0
    data[place + 8] ^= 1
    assert content_hash(changed(file, bytes(data))) == content_hash(file)


def test_blocks_of_flac_are_not_hashed(sounds: Path) -> None:
    file = sounds / "a.flac"
    data = file.read_bytes()
    picture = b"\x06" + (70_000).to_bytes(3, "big") + bytes(70_000)
    info = bytearray(data[4:42])
    info[0] &= 0x7F
    rest = data[42:] if not data[4] & 0x80 else b"\x81\0\0\0" + data[42:]
    same = b"fLaC" + bytes(info) + picture + rest
    assert content_hash(changed(file, same)) == content_hash(file)
    assert content_hash(changed(file, id3(10) + same)) == content_hash(file)


def repaged(data: bytes, most: int, serial: int) -> bytes:
    """An Ogg stream with its packets laid out over other pages (checksums left at zero)."""
    lengths: list[int] = []
    body = b""
    place = 0
    while place < len(data):
        lacing = data[place + 27 : place + 27 + data[place + 26]]
        place += 27 + len(lacing)
        lengths += lacing
        body += data[place : place + sum(lacing)]
        place += sum(lacing)
    out = b""
    place = start = 0
    for number in range(0, len(lengths), most):
        piece = lengths[number : number + most]
        place = start + sum(piece)
        kind = 2 if number == 0 else 0
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, kind, number, serial, number, 0, len(piece))
        out += head + bytes(piece) + body[start:place]
        start = place
    return out


@pytest.mark.parametrize("name", ["a.ogg", "a.opus", "flac.oga"])
@pytest.mark.parametrize("most", [1, 7, 255])
def test_pages_of_ogg_are_not_hashed(sounds: Path, name: str, most: int) -> None:
    file = made(sounds, name)
    other = changed(file, repaged(file.read_bytes(), most, 77))
    assert content_hash(other) == content_hash(file)


def test_junk_between_pages_is_passed_over(sounds: Path) -> None:
    file = sounds / "a.opus"
    data = file.read_bytes()
    place = data.rfind(b"OggS")
    other = changed(file, data[:place] + b"junk" * 9 + b"OggX" + data[place:])
    assert content_hash(other) == content_hash(file)


def test_chunks_of_wav_are_not_hashed(sounds: Path) -> None:
    file = sounds / "a.wav"
    data = file.read_bytes()
    note = b"LIST" + struct.pack("<I", 17) + b"INFOINAM" + struct.pack("<I", 5) + b"hello\0"
    other = data[:12] + note + data[12:] + b"junk" + struct.pack("<I", 2) + b"xx"
    assert content_hash(changed(file, other)) == content_hash(file)


def test_a_wav_that_was_never_finished_is_hashed_to_its_end(sounds: Path) -> None:
    file = sounds / "a.wav"
    data = bytearray(file.read_bytes())
    place = data.find(b"data")
    for size in (0, 0xFFFFFFFF):
        struct.pack_into("<I", data, place + 4, size)
        assert content_hash(changed(file, bytes(data))) == content_hash(file)


def test_the_place_of_the_mp4_description_does_not_count(sounds: Path, tmp_path: Path) -> None:
    file = made(sounds, "a.m4a")
    ffmpeg("-i", file, "-c", "copy", "-movflags", "+faststart", tmp_path / "fast.m4a")
    data = (tmp_path / "fast.m4a").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert content_hash(tmp_path / "fast.m4a") == content_hash(file)


def test_the_same_sound_in_two_formats_has_two_hashes(sounds: Path) -> None:
    assert len({content_hash(sounds / f"a.{name}") for name in WRITTEN}) == len(WRITTEN)


def test_the_sample_rate_counts(sounds: Path) -> None:
    file = sounds / "a.wav"
    data = bytearray(file.read_bytes())
    struct.pack_into("<I", data, 24, 44_100)
    assert content_hash(changed(file, bytes(data))) != content_hash(file)


def test_memory_stays_small(tmp_path: Path) -> None:
    (tmp_path / "big.wav").write_bytes(
        b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"data"
        b"\xff\xff\xff\xff" + bytes(30_000_000)
    )  # fmt: skip
    tracemalloc.start()
    content_hash(tmp_path / "big.wav")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_what_cannot_be_read_is_an_audio_error(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read: No such file"):
        content_hash(tmp_path / "nothing.mp3")
    with pytest.raises(AudioError, match="cannot be read"):
        content_hash(tmp_path)
