from __future__ import annotations

import base64
import json
import shutil
import struct
import subprocess
import time
import tracemalloc
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musicu.catalog.schema import METADATA
from musicu.errors import AudioError
from musicu.tags.fields import clean, read_tags

RATE = 48_000
RECORDING = "8f3471b5-7e6a-48da-86a9-c1c07a0f47ae"
ARTISTS = ["0383dadf-2a4e-4d10-a46a-e9e041da8eb3", "5b11f4ce-a62d-471e-81fc-a69a8278c7da"]


def ffmpeg(*arguments: object) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagged")
    noise = np.random.default_rng(1).normal(0, 0.1, (RATE, 2)).astype(np.float32)
    for name in ("wav", "flac", "mp3", "ogg", "aiff"):
        soundfile.write(folder / f"a.{name}", noise, RATE)
    soundfile.write(folder / "a.opus", noise, RATE, format="OGG", subtype="OPUS")
    return folder


# --- every format, as ffmpeg writes it -------------------------------------------------------

WRITTEN = {
    "title": "Título",
    "artist": "Crosby, Stills & Nash/Young",
    "album_artist": "Various",
    "album": "Album",
    "track": "3/12",
    "disc": "1/2",
    "date": "1997-05-21",
    "genre": "Rock; Folk",
    "composer": "Composer",
}
READ = {
    "title": "Título",
    "artists": ["Crosby, Stills & Nash/Young"],
    "album_artist": "Various",
    "album": "Album",
    "track_number": 3,
    "disc_number": 1,
    "date": "1997-05-21",
    "released": date(1997, 5, 21),
    "genres": ["Rock", "Folk"],
    "composers": ["Composer"],
}
FORMATS: dict[str, tuple[list[str], str, int | None]] = {
    "a.mp3": (["-b:a", "96k"], "mp3", None),
    "v23.mp3": (["-b:a", "96k", "-id3v2_version", "3"], "mp3", None),
    "a.flac": ([], "flac", 16),
    "a.ogg": (["-c:a", "libvorbis"], "vorbis", None),
    "a.opus": (["-c:a", "libopus"], "opus", None),
    "flac.oga": (["-c:a", "flac"], "flac", 16),
    "a.m4a": (["-c:a", "aac"], "aac", None),
    "alac.m4a": (["-c:a", "alac"], "alac", 16),
    "a.wma": (["-c:a", "wmav2"], "wmav2", None),
    "a.aiff": (["-write_id3v2", "1"], "pcm", 16),
    "a24.wav": (["-c:a", "pcm_s24le", "-ar", "96000"], "pcm", 24),
}


@pytest.mark.parametrize("name", FORMATS)
def test_what_ffmpeg_writes_is_read(sounds: Path, name: str, tmp_path: Path) -> None:
    options, codec, depth = FORMATS[name]
    tags = [word for key, value in WRITTEN.items() for word in ("-metadata", f"{key}={value}")]
    ffmpeg("-i", sounds / "a.wav", *tags, *options, tmp_path / name)
    found = read_tags(tmp_path / name)
    expected: dict[str, Any] = dict(READ)
    if name.endswith(".wav"):  # RIFF has no place for these
        for column in ("album_artist", "disc_number", "composers"):
            del expected[column]
    assert {column: found.get(column) for column in expected} == expected
    assert (found["codec"], found.get("bit_depth")) == (codec, depth)
    probe = json.loads(
        subprocess.run(
            ["ffprobe", "-v", "error", "-show_streams", "-of", "json", tmp_path / name],
            capture_output=True,
            check=True,
        ).stdout
    )["streams"][0]
    assert found["sample_rate"] == int(probe["sample_rate"])
    assert found["channels"] == probe["channels"]
    assert found["duration_seconds"] == pytest.approx(float(probe["duration"]), abs=0.06)
    assert set(found) <= set(METADATA.names)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.opus", "a.aiff"])
def test_untagged_files_give_properties_only(sounds: Path, name: str) -> None:
    found = read_tags(sounds / name)
    assert found["duration_seconds"] == pytest.approx(1.0, abs=0.06)
    assert (found["sample_rate"], found["channels"]) == (RATE, 2)
    assert "title" not in found
    assert "artists" not in found


def test_a_variable_bitrate_without_a_header_is_measured(sounds: Path, tmp_path: Path) -> None:
    quiet, loud = np.zeros((RATE * 20, 1)), np.random.default_rng(2).normal(0, 0.2, (RATE * 20, 1))
    soundfile.write(tmp_path / "v.wav", np.concatenate([quiet, loud]), RATE)
    ffmpeg("-i", tmp_path / "v.wav", "-q:a", "2", "-write_xing", "0", tmp_path / "v.mp3")
    assert read_tags(tmp_path / "v.mp3")["duration_seconds"] == pytest.approx(40, rel=0.05)


@pytest.mark.parametrize("form", [["-rf64", "always"], ["-ac", "6"], ["-c:a", "pcm_f32le"]])
def test_wide_extensible_and_float_wav(sounds: Path, form: list[str], tmp_path: Path) -> None:
    ffmpeg("-i", sounds / "a.wav", *form, tmp_path / "w.wav")
    found = read_tags(tmp_path / "w.wav")
    assert found["duration_seconds"] == pytest.approx(1.0)
    assert found["channels"] == (6 if "6" in form else 2)
    assert found["codec"] == ("float" if "pcm_f32le" in form else "pcm")


# --- ID3, made by hand -----------------------------------------------------------------------


def synchsafe(value: int) -> bytes:
    return bytes(value >> shift & 127 for shift in (21, 14, 7, 0))


def frame(name: str, body: bytes, version: int = 4, flags: int = 0) -> bytes:
    if version == 2:
        return name.encode() + len(body).to_bytes(3, "big") + body
    size = synchsafe(len(body)) if version == 4 else struct.pack(">I", len(body))
    return name.encode() + size + bytes((0, flags)) + body


def id3(*frames: bytes, version: int = 4, flags: int = 0, before: bytes = b"") -> bytes:
    body = before + b"".join(frames) + bytes(32)
    return b"ID3" + bytes((version, 0, flags)) + synchsafe(len(body)) + body


def tagged(sounds: Path, tag: bytes, after: bytes = b"") -> dict[str, Any]:
    file = sounds / "tagged.mp3"
    file.write_bytes(tag + (sounds / "a.mp3").read_bytes() + after)
    return read_tags(file)


def txxx(name: str, *values: str) -> bytes:
    return frame("TXXX", b"\3" + "\0".join([name, *values]).encode())


def test_id3v24_with_several_values(sounds: Path) -> None:
    found = tagged(
        sounds,
        id3(
            frame("TIT2", b"\1" + "Ünï".encode("utf-16")),
            frame("TPE1", b"\3AC/DC\0Simon & Garfunkel"),
            frame("TCON", b"\x0317\0Ambient\0Some Genre"),
            frame("TDRC", b"\x001997-05-21T10:00:00"),
            frame("TDOR", b"\x001969"),
            frame("TBPM", b"\x00128"),
            frame("TKEY", b"\x00F#m"),
            frame("TLAN", b"\x00eng"),
            frame("TSRC", b"\x00us-abc-01-00001"),
            frame("TPUB", b"\x00Label"),
            frame("TCMP", b"\x001"),
            frame("UFID", b"http://musicbrainz.org\0" + RECORDING.encode()),
            txxx("MusicBrainz Album Id", ARTISTS[0].upper()),
            txxx("MusicBrainz Artist Id", *ARTISTS),
            txxx("replaygain_track_gain", "-6.20 dB"),
            txxx("REPLAYGAIN_TRACK_PEAK", "0.987654"),
            txxx("replaygain_album_gain", "+1,5 dB"),
        ),
    )
    wanted = {
        "title": "Ünï",
        "artists": ["AC/DC", "Simon & Garfunkel"],
        "genres": ["Rock", "Ambient", "Some Genre"],
        "date": "1997-05-21",
        "original_date": "1969",
        "bpm_tag": 128.0,
        "key_tag": "F#m",
        "language": "eng",
        "isrc": "USABC0100001",
        "label": "Label",
        "compilation": True,
        "musicbrainz_recording_id": RECORDING,
        "musicbrainz_album_id": ARTISTS[0],
        "musicbrainz_artist_ids": ARTISTS,
        "replaygain_track_gain_db": -6.2,
        "replaygain_track_peak": 0.987654,
        "replaygain_album_gain_db": 1.5,
    }
    assert {name: found[name] for name in wanted} == wanted


def test_artists_go_before_artist(sounds: Path) -> None:
    found = tagged(sounds, id3(frame("TPE1", b"\3A feat. B"), txxx("ARTISTS", "A", "B")))
    assert found["artists"] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "genres"),
    [
        ("(17)", ["Rock"]),
        ("(17)(6)", ["Rock", "Grunge"]),
        ("(4)Eurodisco", ["Disco", "Eurodisco"]),
        ("(17)Rock", ["Rock"]),
        ("((Odd) name", ["(Odd) name"]),
        ("(RX)", ["Remix"]),
        ("191", ["Psybient"]),
        ("(139)", ["Crossover"]),
        ("(255)", None),
        ("Pop/Funk", ["Pop/Funk"]),
    ],
)
def test_genres_by_number(sounds: Path, text: str, genres: list[str] | None) -> None:
    assert tagged(sounds, id3(frame("TCON", b"\0" + text.encode()))).get("genres") == genres


def test_id3v23_year_and_day_and_extended_header(sounds: Path) -> None:
    frames = [frame("TYER", b"\x001997", 3), frame("TDAT", b"\x002105", 3)]
    extended = struct.pack(">I", 6) + bytes(6)
    found = tagged(sounds, id3(*frames, version=3, flags=0x40, before=extended))
    assert found["date"] == "1997-05-21"
    assert found["released"] == date(1997, 5, 21)


def test_id3v22(sounds: Path) -> None:
    frames = [
        frame("TT2", b"\0Title", 2),
        frame("PIC", bytes(500), 2),
        frame("TP1", b"\1" + "Ärtist".encode("utf-16"), 2),
        frame("TRK", b"\x0003/12", 2),
        frame("TXX", b"\0ISRC\0USABC0100001", 2),
    ]
    found = tagged(sounds, id3(*frames, version=2))
    assert (found["title"], found["artists"]) == ("Title", ["Ärtist"])
    assert (found["track_number"], found["isrc"]) == (3, "USABC0100001")


def test_unsynchronised_tags(sounds: Path) -> None:
    whole = b"".join([frame("TIT2", b"\1\xff\xfeT\0", 3), frame("TALB", b"\0Album", 3)])
    found = tagged(sounds, id3(whole.replace(b"\xff", b"\xff\0"), version=3, flags=0x80))
    assert (found["title"], found["album"]) == ("T", "Album")
    title = frame("TIT2", b"\1\xff\xfeT\0".replace(b"\xff", b"\xff\0"), flags=2)
    found = tagged(sounds, id3(title, frame("TALB", b"\0Album")))
    assert (found["title"], found["album"]) == ("T", "Album")


def test_compressed_frames_and_the_sizes_of_old_itunes(sounds: Path) -> None:
    text = b"\0" + b"Long title " * 20
    zipped = struct.pack(">I", len(text)) + zlib.compress(text)
    assert tagged(sounds, id3(frame("TIT2", zipped, 3, 0x80), version=3))["title"].startswith(
        "Long"
    )
    plain = b"TIT2" + struct.pack(">I", len(text)) + b"\0\0" + text  # 221 is no synchsafe integer
    found = tagged(sounds, id3(plain, frame("TALB", b"\0Album")))
    assert found["title"].startswith("Long")
    assert found["album"] == "Album"


def test_a_bomb_of_a_frame_is_not_inflated(sounds: Path) -> None:
    zipped = struct.pack(">I", 50_000_000) + zlib.compress(b"\0" + bytes(50_000_000))
    tracemalloc.start()
    found = tagged(sounds, id3(frame("TIT2", zipped, 3, 0x80), frame("TALB", b"\0A", 3), version=3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["album"] == "A"
    assert peak < 10_000_000


def test_one_damaged_frame_costs_itself_only(sounds: Path) -> None:
    broken = frame("TXXX", b"\1\xff")
    found = tagged(sounds, id3(frame("TIT2", b"\0Title"), broken, frame("TALB", b"\0Album")))
    assert (found["title"], found["album"]) == ("Title", "Album")


def test_id3v1_and_ape_fill_what_is_missing(sounds: Path) -> None:
    old = (
        b"TAG" + b"Old title".ljust(30, b"\0") + b"Old artist".ljust(30) + b"Album".ljust(30, b"\0")
    )
    old += b"1997" + bytes(28) + b"\0\7" + bytes([17])
    assert len(old) == 128
    item = b"-3.50 dB"
    items = struct.pack("<II", len(item), 0) + b"REPLAYGAIN_TRACK_GAIN\0" + item
    foot = b"APETAGEX" + struct.pack("<IIII8x", 2000, len(items) + 32, 1, 0)
    found = tagged(sounds, id3(frame("TIT2", b"\0New title")), items + foot + old)
    assert (found["title"], found["artists"]) == ("New title", ["Old artist"])
    assert (found["track_number"], found["genres"], found["date"]) == (7, ["Rock"], "1997")
    assert found["replaygain_track_gain_db"] == -3.5


def test_hygiene(sounds: Path) -> None:
    found = tagged(
        sounds,
        id3(
            frame("TIT2", b"\3  a\x07b\r\nc \xef\xbb\xbf"),
            frame("TALB", b"\3 \x01 "),
            frame("TRCK", b"\0A1"),
            frame("TPOS", b"\x000/0"),
            frame("TBPM", b"\0fast"),
            frame("TDRC", b"\x000000"),
            frame("TSRC", b"\0not one"),
        ),
    )
    assert found["title"] == "a b c"
    empty = {"album", "track_number", "disc_number", "bpm_tag", "date", "released", "isrc"}
    assert not empty & set(found)


@given(st.text(st.characters(codec=None)))
def test_clean_text_can_be_stored(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert "\0" not in cleaned
    assert cleaned == clean(cleaned)


# --- Vorbis comments -------------------------------------------------------------------------


def comments(*texts: str) -> bytes:
    data = [text.encode() for text in texts]
    parts = [struct.pack("<I", len(text)) + text for text in data]
    return struct.pack("<I", 0) + struct.pack("<I", len(data)) + b"".join(parts)


def flac_with(sounds: Path, body: bytes) -> Path:
    data = (sounds / "a.flac").read_bytes()
    info = bytearray(data[4:42])
    info[0] &= 0x7F
    block = b"\x84" + len(body).to_bytes(3, "big") + body
    frames = data.index(b"\xff\xf8", 42)
    file = sounds / "tagged.flac"
    file.write_bytes(b"fLaC" + bytes(info) + block + data[frames:])
    return file


def opus_with(sounds: Path, body: bytes) -> Path:
    """An Opus file whose comment packet is `OpusTags` and the body."""
    data = (sounds / "a.opus").read_bytes()
    second = data.index(b"OggS", 4)
    third = data.index(b"OggS", second + 4)
    packet = b"OpusTags" + body
    lacing = [255] * (len(packet) // 255) + [len(packet) % 255]
    pages = b""
    place = 0
    for start in range(0, len(lacing), 255):
        piece = lacing[start : start + 255]
        head = b"OggS\0\0" + struct.pack("<q", -1) + data[14:18] + bytes(8) + bytes([len(piece)])
        pages += head + bytes(piece) + packet[place : place + sum(piece)]
        place += sum(piece)
    file = sounds / "tagged.opus"
    file.write_bytes(data[:second] + pages + data[third:])
    return file


def test_vorbis_comments(sounds: Path) -> None:
    file = flac_with(
        sounds,
        comments(
            "TITLE=Title",
            "artist=A feat. B",
            "ARTISTS=A",
            "ARTISTS=B",
            "ALBUM ARTIST=Various",
            "GENRE=Rock",
            "genre=Folk",
            "TRACKNUMBER=03",
            "ORGANIZATION=Label",
            "YEAR=1997",
            "ORIGINALDATE=1969-07",
            "INITIALKEY=Am",
            "COMPILATION=0",
            f"MUSICBRAINZ_TRACKID={RECORDING}",
            f"MUSICBRAINZ_ARTISTID={ARTISTS[0]}",
            f"MUSICBRAINZ_ARTISTID={ARTISTS[1]}",
            "no equals sign",
        ),
    )
    found = read_tags(file)
    assert found["artists"] == ["A", "B"]
    assert found["genres"] == ["Rock", "Folk"]
    assert (found["album_artist"], found["label"]) == ("Various", "Label")
    assert (found["date"], found["original_date"]) == ("1997", "1969-07")
    assert found["musicbrainz_recording_id"] == RECORDING
    assert found["musicbrainz_artist_ids"] == ARTISTS
    assert (found["key_tag"], found["track_number"]) == ("Am", 3)
    assert found["compilation"] is False
    assert found["duration_seconds"] == pytest.approx(1.0)


def test_r128_gain_of_opus_becomes_replaygain(sounds: Path) -> None:
    file = opus_with(sounds, comments("R128_TRACK_GAIN=-2560", "R128_ALBUM_GAIN=256", "title=T"))
    found = read_tags(file)
    assert found["replaygain_track_gain_db"] == -5.0  # -10 dB to -23 LUFS, -18 is 5 dB more
    assert found["replaygain_album_gain_db"] == 6.0
    assert found["title"] == "T"
    assert found["duration_seconds"] == pytest.approx(1.0, abs=0.01)


def test_comments_cut_short_keep_what_came_before(sounds: Path) -> None:
    body = comments("TITLE=Title", "ALBUM=Album", "ARTIST=Artist")
    found = read_tags(flac_with(sounds, body[:-4]))
    assert (found["title"], found["album"]) == ("Title", "Album")
    assert "artists" not in found


# --- size and damage -------------------------------------------------------------------------

ART = 20_000_000


def with_art(sounds: Path, kind: str) -> Path:
    picture = bytes(ART)
    if kind == "mp3":
        tag = id3(frame("APIC", picture), frame("TIT2", b"\0Title"))
        (sounds / "art.mp3").write_bytes(tag + (sounds / "a.mp3").read_bytes())
        return sounds / "art.mp3"
    text = "METADATA_BLOCK_PICTURE=" + base64.b64encode(picture[: ART // 5]).decode()
    return opus_with(sounds, comments(text, "TITLE=Title"))


@pytest.mark.parametrize("kind", ["mp3", "opus"])
def test_large_pictures_are_passed_over(sounds: Path, kind: str) -> None:
    file = with_art(sounds, kind)
    tracemalloc.start()
    start = time.process_time()
    found = read_tags(file)
    seconds = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    file.unlink()
    assert found["title"] == "Title"
    assert peak < 2_000_000
    assert seconds < 2


def test_an_empty_file_and_text_have_no_tags(tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "text.mp3").write_text("this is no music\n" * 1000)
    assert read_tags(tmp_path / "empty.mp3") == {}
    assert read_tags(tmp_path / "text.mp3") == {}


def test_what_cannot_be_read_is_an_audio_error(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read"):
        read_tags(tmp_path / "nothing.mp3")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.opus", "a.aiff"])
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_is_never_more_than_missing_tags(
    sounds: Path, name: str, data: st.DataObject
) -> None:
    whole = bytearray((sounds / name).read_bytes()[:6000])
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, 300))] = data.draw(st.integers(0, 255))
    file = sounds / "damaged"
    file.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    assert set(read_tags(file)) <= set(METADATA.names)


@pytest.mark.parametrize("name", ["a.m4a", "a.wma"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_in_containers_of_others(sounds: Path, name: str, data: st.DataObject) -> None:
    file = sounds / f"t{name}"
    if not file.exists():
        tags = ["-metadata", "title=T", "-metadata", "publisher=P", "-movflags", "+faststart"]
        ffmpeg("-i", sounds / "a.wav", *(tags if name == "a.m4a" else tags[:4]), file)
    whole = bytearray(file.read_bytes()[:6000])
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, 3000))] = data.draw(st.integers(0, 255))
    (sounds / "damaged").write_bytes(whole)
    assert set(read_tags(sounds / "damaged")) <= set(METADATA.names)
