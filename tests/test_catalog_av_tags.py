"""Files that only FFmpeg reads have the length and tags that they were given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from music import tune

from musicu.audio.av_source import AvSource
from musicu.catalog.catalog import Catalog
from musicu.pipeline.run import embed
from musicu.tags.fields import read_tags

av = pytest.importorskip("av", reason="PyAV, the extra `av`, is not installed")

RATE, SECONDS = 44_100, 5.0
TAGS = {"title": "Tïtle", "artist": "Ann; Bob", "album": "Songs", "date": "2001", "track": "3/9"}
#: Name, codec, container, its options, whether FFmpeg writes tags into it.
FILES = [
    ("a.m4a", "aac", "ipod", {}, True),
    ("fragments.m4a", "aac", "mp4", {"movflags": "frag_keyframe+empty_moov"}, True),
    ("a.mka", "aac", "matroska", {}, True),
    ("a.weba", "aac", "matroska", {}, True),
    ("a.aac", "aac", "adts", {}, False),
    ("a.ac3", "ac3", "ac3", {}, False),
    ("a.eac3", "eac3", "eac3", {}, False),
    ("a.wv", "wavpack", "wv", {}, True),
    ("a.tta", "tta", "tta", {}, True),
    ("a.caf", "alac", "caf", {}, True),
]


def write(path: Path, codec: str, container: str, options: dict[str, str]) -> Path:
    samples = np.repeat(tune(1, SECONDS, RATE)[None], 2, axis=0)
    with av.open(str(path), "w", format=container, options=options) as out:
        stream = out.add_stream(codec, rate=RATE)
        stream.layout = "stereo"
        out.metadata.update(TAGS)
        for start in range(0, samples.shape[1], 1024):
            block = np.ascontiguousarray(samples[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("name", "codec", "container", "options", "tagged"), FILES)
def test_length_format_and_tags_are_read(
    tmp_path: Path, name: str, codec: str, container: str, options: dict[str, str], tagged: bool
) -> None:
    told = read_tags(write(tmp_path / name, codec, container, options))
    assert told["duration_seconds"] == pytest.approx(SECONDS, abs=0.06)
    assert (told["sample_rate"], told["channels"], told["codec"]) == (RATE, 2, codec)
    assert told["bitrate_kbps"] > 20
    if tagged:
        assert (told["title"], told["artists"], told["album"]) == ("Tïtle", ["Ann", "Bob"], "Songs")
        assert (told["track_number"], told["date"]) == (3, "2001")


def test_tags_that_are_not_utf8_are_read_with_replacement_characters(tmp_path: Path) -> None:
    path = write(tmp_path / "a.m4a", "aac", "ipod", {})
    path.write_bytes(path.read_bytes().replace("Tïtle".encode(), b"T\xef\xfftle"))
    with path.open("rb") as file:
        fields = AvSource(file, "M4A").fields
    assert fields[0]["title"] == "T\ufffd\ufffdtle"


def test_a_filter_by_length_finds_them(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    for name, codec, container, options, _ in FILES[:6]:
        write(tmp_path / "music" / name, codec, container, options)
    embed(tmp_path / "music", tmp_path / "out", model="musicu-stats-v1", jobs=1)
    seconds = Catalog.open(tmp_path / "out").tracks()["duration_seconds"].to_pylist()
    assert len(seconds) == 6
    assert all(value is not None and 4.9 < value < 5.1 for value in seconds)


def test_without_the_extra_the_base_install_still_reads_its_own_tags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.mka", "aac", "matroska", {})
    monkeypatch.setattr("musicu.audio.av_source.has_av", lambda: False)
    assert "duration_seconds" not in read_tags(file)
