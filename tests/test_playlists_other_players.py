"""Playlists that other players write are read, and shares lead to the files that lie here."""

from __future__ import annotations

import contextlib
import plistlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from musicu.errors import SourceError
from musicu.playlists import read_playlist, write_playlist
from musicu.playlists.entries import Playlist
from musicu.playlists.playlist_files import parse_playlist

NAMES = ["Björk/Jóga/01 - Jóga.flac", "Art & Ist/Al#bum 100%/02 It’s “Q”.flac"]


def pls(names: list[str]) -> bytes:
    files = [f"File{i}=../{n}\nTitle{i}=A{i} - T{i}\nLength{i}=4" for i, n in enumerate(names, 1)]
    return "\r\n".join(["[Playlist]", *files, "NumberOfEntries=2", "Version=2"]).encode()


def wpl(names: list[str]) -> bytes:
    rows = [n.replace("/", "\\").replace("&", "&amp;") for n in names]
    media = "".join(f'<media src="..\\{row}" cid="x"/>' for row in rows)
    head = '<?wpl version="1.0"?><smil><head><title>Mine</title></head>'
    return f"{head}<body><seq>{media}</seq></body></smil>".encode()


def asx(names: list[str]) -> bytes:
    entries = "".join(
        f"<Entry><Title>T{i}</Title><Author>A{i}</Author><REF HREF='../{n}'/></Entry>"
        for i, n in enumerate(names, 1)
    )  # with a bare "&", which is no XML
    return f'<ASX Version="3.0"><Title>Mine</Title>{entries}</ASX>'.encode("utf-16")


def nml(names: list[str]) -> bytes:
    keys = [n.replace("&", "&amp;").replace("/", "/:") for n in names]
    songs = "".join(
        f'<ENTRY TITLE="T{i}" ARTIST="A{i}"><LOCATION VOLUME="C:" '
        f'DIR="/:{key.rpartition("/:")[0]}/:" FILE="{key.rpartition("/:")[2]}"/></ENTRY>'
        for i, key in enumerate(keys, 1)
    )
    rows = "".join(f'<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="C:/:{key}"/></ENTRY>' for key in keys)
    return (
        f'<NML VERSION="19"><COLLECTION>{songs}</COLLECTION><PLAYLISTS><NODE TYPE="PLAYLIST" '
        f'NAME="Mine"><PLAYLIST>{rows}</PLAYLIST></NODE></PLAYLISTS></NML>'
    ).encode()


def itunes(names: list[str]) -> bytes:
    tracks = {
        str(i): {"Name": f"T{i}", "Artist": f"A{i}", "Total Time": 4000,
                 "Location": f"file://localhost/C:/{quote(name)}"}
        for i, name in enumerate(names, 1)
    }  # fmt: skip
    items = [{"Track ID": i} for i in (1, 2)]
    return plistlib.dumps(
        {
            "Tracks": tracks,
            "Playlists": [{"Name": "Library"}, {"Name": "Mine", "Playlist Items": items}],
        }
    )


def itunes_text(names: list[str]) -> bytes:
    rows = [f"T{i}\tA{i}\tC:\\{n}" for i, n in enumerate(names, 1)]
    return "\r".join(["Name\tArtist\tLocation", *rows]).encode("utf-16")


FORMATS: dict[str, Callable[[list[str]], bytes]] = {
    ".pls": pls, ".wpl": wpl, ".asx": asx, ".nml": nml, ".xml": itunes, ".txt": itunes_text,
}  # fmt: skip


@pytest.mark.parametrize("ending", FORMATS)
def test_every_entry_has_its_place_and_its_names(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"lists/x{ending}"
    file.parent.mkdir()
    file.write_bytes(FORMATS[ending](NAMES))
    found = read_playlist(file)
    for entry, name in zip(found.entries, NAMES, strict=True):
        assert str(entry.file).replace("\\", "/").endswith(name)
    if ending != ".wpl":
        assert [(e.artist, e.title) for e in found.entries] == [("A1", "T1"), ("A2", "T2")]
    assert found.title == ("x" if ending in (".pls", ".txt") else "Mine")


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[playlist", b"<a", b"\0\1\2", b"{}"])
def test_what_is_no_playlist_is_refused_or_empty(ending: str, data: bytes) -> None:
    with contextlib.suppress(SourceError):
        assert parse_playlist(data, Path(f"x{ending}"), Path()).entries == ()


@pytest.mark.parametrize(
    "scheme", ["smb://user:pw@nas/music", "nfs://10.0.0.1/vol", "davs://x.org/m"]
)
def test_an_address_on_a_share_is_a_path_there_and_is_written_as_it_was(
    tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "x.m3u8").write_text(f"{scheme}/A/B/c.flac\n")
    found = read_playlist(tmp_path / "x.m3u8")
    assert str(found.entries[0].file).replace("\\", "/").endswith("A/B/c.flac")
    write_playlist(Playlist(None, found.entries), tmp_path / "y.m3u8")
    assert f"{scheme}/A/B/c.flac" in (tmp_path / "y.m3u8").read_text()


def test_a_quoted_line_is_the_path_in_it(tmp_path: Path) -> None:
    (tmp_path / "x.m3u").write_text('"a/b c.mp3"\n')
    assert read_playlist(tmp_path / "x.m3u").entries[0].file == tmp_path / "a/b c.mp3"


@pytest.mark.parametrize("ending", [".nml", ".xspf"])
def test_xml_of_an_unknown_encoding_is_an_error(ending: str) -> None:
    data = b'<?xml version="1.0" encoding="UTTTF"?><NML/>'
    with pytest.raises(SourceError, match="unknown encoding"):
        parse_playlist(data, Path(f"x{ending}"), Path())
