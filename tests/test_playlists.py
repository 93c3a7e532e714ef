"""Playlists come back as they went out, lead to their files, and find their tracks again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from shelves_samples import table

from musicu.errors import CatalogError, QueryError, SourceError
from musicu.ingest.track_source import open_source
from musicu.playlists import (
    Entry,
    Playlist,
    match_playlist,
    place_tracks,
    read_playlist,
    write_playlist,
)

NAMES = ["plain.mp3", "50%41 #1? &.flac", "ü 漢 é.ogg", "a:b.mp3", "#1.wav", " end .mp3"]
FORMATS = ["m3u8", "m3u", "xspf", "jspf", "csv"]


def made(folder: Path, names: list[str] = NAMES) -> Playlist:
    entries = []
    for i, name in enumerate(names):
        file = folder / "music" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(f"sound {i}".encode())
        artists = ("Ann", "Bo & Cy") if i == 1 else ("Ann",)
        entries.append(
            Entry(
                file=file,
                title=f"Title <{i}> & more",
                artists=artists,
                album="An Album",
                duration_seconds=61.0 + i,
                isrc="GBAYE0601498",
                musicbrainz_recording_id="8f3471b5-7e6a-48da-86a9-c1c07a0f47ae",
                track_id=f"t{i}",
            )
        )
    return Playlist("A list", tuple(entries))


@pytest.mark.skipif(sys.platform == "win32", reason="such names do not exist there")
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("paths", ["relative", "absolute"])
def test_every_format_brings_every_file_back(tmp_path: Path, suffix: str, paths: str) -> None:
    playlist = made(tmp_path)
    out = tmp_path / "lists" / f"A list.{suffix}"
    write_playlist(playlist, out, paths=paths)  # type: ignore[arg-type]
    back = read_playlist(out)
    assert back.title == "A list"
    assert [entry.file for entry in back.entries] == [entry.file for entry in playlist.entries]
    assert [entry.title for entry in back.entries] == [entry.title for entry in playlist.entries]
    assert [entry.artist for entry in back.entries][1] in ("Ann, Bo & Cy",)
    assert [entry.duration_seconds for entry in back.entries] == [61.0, 62, 63, 64, 65, 66]


@pytest.mark.parametrize("suffix", ["xspf", "jspf", "csv"])
def test_formats_with_room_keep_ids_and_codes(tmp_path: Path, suffix: str) -> None:
    playlist = made(tmp_path, ["a.mp3", "b.mp3"])
    write_playlist(playlist, tmp_path / f"x.{suffix}")
    back = read_playlist(tmp_path / f"x.{suffix}").entries
    kept = ("isrc", "musicbrainz_recording_id", "track_id", "album")
    for before, after in zip(playlist.entries, back, strict=True):
        assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are Unicode")
@pytest.mark.parametrize("suffix", FORMATS)
def test_names_that_are_not_utf8_come_back(tmp_path: Path, suffix: str) -> None:
    playlist = made(tmp_path, ["caf\udce9.mp3"])
    write_playlist(playlist, tmp_path / f"x.{suffix}")
    (entry,) = read_playlist(tmp_path / f"x.{suffix}").entries
    assert entry.file is not None
    assert os.fsencode(entry.file) == os.fsencode(tmp_path / "music" / "caf\udce9.mp3")


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("C/song.mp3", "C/song.mp3"),
        ("file:///music/a%20b.mp3", "/music/a b.mp3"),
        ("file://localhost/music/a.mp3", "/music/a.mp3"),
        ("..\\up\\song.mp3", "../up/song.mp3"),
        ("http://radio.example/stream", "http://radio.example/stream"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX systems")
def test_m3u_of_other_programs_is_read(tmp_path: Path, line: str, place: str) -> None:
    text = f'\ufeff#EXTM3U\r\n#EXTINF:12 tvg-id="a,b",Zoë - Été\r\n{line}\r\n\r\nbare.mp3\r\n'
    (tmp_path / "x.m3u").write_text(text, encoding="utf-8", newline="")
    first, second = read_playlist(tmp_path / "x.m3u").entries
    expected = None if "://radio" in place else Path(os.path.normpath(tmp_path / place))
    assert (first.file, first.url) == (expected, place if expected is None else None)
    assert (first.artists, first.title, first.duration_seconds) == (("Zoë",), "Été", 12.0)
    assert second == Entry(file=tmp_path / "bare.mp3")


def test_old_m3u_is_read_in_its_own_characters(tmp_path: Path) -> None:
    (tmp_path / "x.m3u").write_bytes("#EXTINF:5,Zoë - Été\nÉté.mp3\n".encode("cp1252"))
    (entry,) = read_playlist(tmp_path / "x.m3u").entries
    assert (entry.title, entry.file) == ("Été", tmp_path / "Été.mp3")


def test_a_csv_playlist_is_a_source(tmp_path: Path) -> None:
    write_playlist(made(tmp_path, ["a.mp3", "b.mp3"]), tmp_path / "x.csv")
    found = list(open_source(tmp_path / "x.csv"))
    assert [one.track_id for one in found] == ["t0", "t1"]


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("x.xspf", b"<!DOCTYPE a [<!ENTITY b 'c'>]><playlist/>", "document type"),
        ("x.xspf", b"<html/>", "begins with <html>"),
        ("x.xspf", b"<playlist", "no XSPF playlist"),
        ("x.jspf", b"[1]", "no JSPF playlist"),
        ("x.csv", b"colour,taste\nred,sweet\n", "no column of paths"),
    ],
)
def test_what_is_no_playlist_is_refused(tmp_path: Path, name: str, data: bytes, match: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=match):
        read_playlist(tmp_path / name)


def test_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"'x\.txt' is no playlist"):
        write_playlist(Playlist("x", ()), tmp_path / "x.txt")


CATALOG = [
    {"track_id": "a", "root": "/music", "path": "Ann/Songs/One.flac", "title": "One",
     "artists": ["Ann"], "duration_seconds": 100.0, "isrc": "GBAYE0601498"},
    {"track_id": "b", "root": "/music", "path": "Ann/Songs/Two.flac", "title": "Two",
     "artists": ["Ann"], "duration_seconds": 200.0},
    {"track_id": "c", "root": "/music", "path": "Ann/Live/Two.flac", "title": "Two",
     "artists": ["Ann"], "duration_seconds": 320.0},
]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "track_id", "by"),
    [
        (Entry(file=Path("/music/Ann/Songs/Two.flac"), title="One"), "b", "path"),
        (Entry(track_id="c", title="One", artists=("Ann",)), "c", "id"),
        (Entry(isrc="gb-aye-06-01498"), "a", "code"),
        (Entry(file=Path("/mnt/disk/ann/Live/two.flac")), "c", "moved"),
        (Entry(title="TWO", artists=("Ann feat. Bo",), duration_seconds=198.0), "b", "name"),
        (Entry(title="Two", artists=("Bo, Ann",), duration_seconds=318.0), "c", "name"),
        (Entry(title="Two", artists=("Ann",), duration_seconds=20.0), None, None),
        (Entry(title="Three", artists=("Ann",)), None, None),
    ],
)
def test_entry_finds_its_track(entry: Entry, track_id: str | None, by: str | None) -> None:
    (found,) = match_playlist(Playlist(None, (entry,)), table(CATALOG))
    assert (found.row["track_id"] if found.row else None, found.by) == (track_id, by)


def test_files_are_copied_in_order_under_safe_names(tmp_path: Path) -> None:
    playlist = made(tmp_path, ["x.mp3", "y.flac", "z.ogg"])
    evil = replace(playlist.entries[2], title="../../con|\x00 .", artists=())
    playlist = Playlist("x", (*playlist.entries[:2], evil))
    placed = place_tracks(playlist, tmp_path / "card")
    assert [p.name for p in placed] == [
        "01 Ann - Title _0_ & more.mp3",
        "02 Ann, Bo & Cy - Title _1_ & more.flac",
        "03 _.._con_.ogg",
    ]
    assert all(p.parent == tmp_path / "card" for p in placed)
    assert [p.read_bytes() for p in placed] == [b"sound 0", b"sound 1", b"sound 2"]


def test_nothing_is_overwritten_and_nothing_is_done_twice(tmp_path: Path) -> None:
    playlist = made(tmp_path, ["x.mp3"])
    card = tmp_path / "card"
    card.mkdir()
    other = card / "01 Ann - Title _0_ & more.mp3"
    other.write_bytes(b"mine")
    (first,) = place_tracks(playlist, card)
    assert first.name == "01 Ann - Title _0_ & more (2).mp3"
    assert place_tracks(playlist, card) == [first]
    assert other.read_bytes() == b"mine"
    assert len(list(card.iterdir())) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links_lead_to_the_files(tmp_path: Path) -> None:
    playlist = made(tmp_path, ["x.mp3"])
    (link,) = place_tracks(playlist, tmp_path / "links", "link")
    assert link.readlink() == playlist.entries[0].file
    assert place_tracks(playlist, tmp_path / "links", "link") == [link]


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    playlist = Playlist("x", (Entry(file=tmp_path / "gone.mp3"),))
    with pytest.raises(CatalogError, match=r"gone\.mp3 is no longer there"):
        place_tracks(playlist, tmp_path / "card")


def test_the_command_converts_finds_and_gathers(demo_catalog: Path, tmp_path: Path) -> None:
    from musicu.catalog.catalog import Catalog

    rows = Catalog.open(demo_catalog).tracks().to_pylist()[:2]
    elsewhere = [{**row, "root": "/elsewhere/Music", "track_id": None} for row in rows]
    write_playlist(Playlist.of_tracks("x", elsewhere), tmp_path / "in.m3u8")
    command = [sys.executable, "-m", "musicu", "playlist", tmp_path / "in.m3u8", "--json"]
    command += ["--catalog", demo_catalog, "--to", tmp_path / "out.xspf", "--copy-to"]
    done = subprocess.run(
        [*map(str, command), str(tmp_path / "card")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["track_id"] for row in told] == [row["track_id"] for row in rows]
    assert {row["found_by"] for row in told} == {"moved"}
    assert len(list((tmp_path / "card").iterdir())) == 2
    back = read_playlist(tmp_path / "out.xspf").entries
    assert [entry.track_id for entry in back] == [row["track_id"] for row in rows]
