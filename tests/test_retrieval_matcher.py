"""Playlists, listens, paths and words mean one track: by what is sure before what is likely."""

from __future__ import annotations

import unicodedata
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from musicu.catalog.schema import TRACKS
from musicu.errors import QueryError
from musicu.ingest.path_list import absolute
from musicu.ingest.playlist_text import text_lines
from musicu.listening.importers.raw import raw_table
from musicu.listening.importers.reading import read_listens
from musicu.listening.listen_matching import WAYS, Matcher
from musicu.playlists import Entry, Playlist, match_playlist, read_playlist
from musicu.retrieval import LooseMatchWarning, Mention, TrackMatcher, find_track


def catalog(*rows: dict[str, Any]) -> pa.Table:
    full = [{"track_id": f"t{n}", "content_hash": f"h{n}", **row} for n, row in enumerate(rows)]
    return pa.Table.from_pylist(full, schema=TRACKS)


FILES = catalog(
    {"root": "/music", "path": "The xx/xx/01 - Intro.flac", "title": "Intro",
     "artists": ["The xx"], "duration_seconds": 128.0},
    {"root": "/music", "path": "Ann/Home.flac", "title": "Home", "artists": ["Ann"],
     "duration_seconds": 200.0},
    {"root": "/music", "path": "Björk/Post/Übung é.flac", "title": "Army",
     "artists": ["Björk"], "duration_seconds": 100.0},
    {"root": "/music", "path": "track02.flac", "title": "Two", "artists": ["Bo"]},
)  # fmt: skip


def by_all(table: pa.Table, **said: Any) -> tuple[str | None, str]:
    """The track and the way, on which playlists and listens agree."""
    entry = dict(said)
    match = TrackMatcher(table).find(Mention(**entry))
    found = match_playlist(Playlist(None, (Entry(**entry),)), table)[0]
    expected = None if match.row < 0 else table["track_id"][match.row].as_py()
    assert (found.row["track_id"] if found.row else None) == expected
    if "duration_seconds" not in said:  # listens have none
        listen = {
            "path": None if said.get("file") is None else str(said["file"]),
            "title": said.get("title"),
            "artist": ", ".join(said.get("artists", ())),
            "album": said.get("album"),
        }
        of_listen = Matcher(table).match(raw_table([listen]))
        assert (int(of_listen.row[0]), WAYS[of_listen.way[0]]) == (match.row, match.by)
    return expected, match.by


@pytest.mark.parametrize(
    "said",
    [
        {"file": Path("/others/Abba/01 - Intro.flac")},
        {"file": Path("/others/Abba/01 - Intro.flac"), "title": "Intro", "artists": ("Abba",)},
        {"file": Path("/others/Abba/01 - Intro.flac"), "title": "Intro", "artists": ("01",)},
        {"file": Path("/others/xx/01 - Intro.flac"), "title": "Intro", "artists": ("Abba",)},
        {"file": Path("/others/xx/01 - Intro.flac"), "title": "Intro", "artists": ("01",)},
        {"file": Path("/others/xx/01 - Intro.flac"), "duration_seconds": 30.0},
        {"file": Path("/others/track02.flac")},
        {"file": Path("/others/track02.flac"), "title": "track02"},
        {"file": Path("/others/music/track02.flac")},
        {"file": Path("/others/Home.flac"), "title": "Home", "duration_seconds": 200.0},
        {"file": "Home.flac"},
        {"file": "C:\\Home.flac"},
        {"file": Path("/others/Ann/Home.flac")},
    ],
)
def test_a_bare_file_name_is_no_identity(said: dict[str, Any]) -> None:
    assert by_all(FILES, **said) == (None, "")


@pytest.mark.parametrize(
    ("said", "track", "by"),
    [
        ({"file": Path("/others/xx/01 - Intro.flac"), "duration_seconds": 129.0}, "t0", "moved"),
        ({"file": Path("/o/xx/01 - Intro.flac"), "title": "Intro", "artists": ("XX, The",)},
         "t0", "moved"),
        ({"file": Path("/o/xx/01 - Intro.flac"), "title": "INTRO", "artists": ("the XX",)},
         "t0", "moved"),
        ({"file": Path("/others/The XX/xx/01 - intro.flac")}, "t0", "moved"),
        ({"file": "D:\\Media\\The xx\\xx\\01 - Intro.flac"}, "t0", "moved"),
        ({"file": "/music/track02.flac"}, "t3", "path"),
        ({"file": "/music/ann/../ANN/home.FLAC"}, "t1", "path"),
        ({"file": "file:///music/Bj%C3%B6rk/Post/%C3%9Cbung%20%C3%A9.flac"}, "t2", "path"),
        ({"file": "file://nas.local/music/Ann/Home.flac"}, "t1", "path"),
        ({"file": "/music/Bj%C3%B6rk/Post/%C3%9Cbung%20%C3%A9.flac"}, "t2", "path"),
        ({"file": unicodedata.normalize("NFD", "/music/Björk/Post/Übung é.flac")}, "t2", "path"),
        ({"file": unicodedata.normalize("NFD", "E:/x/Björk/Post/Übung é.flac")}, "t2", "moved"),
    ],
)  # fmt: skip
def test_a_path_is_found_however_it_is_written(said: dict[str, Any], track: str, by: str) -> None:
    assert by_all(FILES, **said) == (track, by)


def test_names_of_another_disk_are_found_whichever_way_accents_are_stored() -> None:
    name = "Björk/Post/Übung é.flac"
    for kind in ("NFC", "NFD"):
        table = catalog({"root": "/Volumes/m", "path": unicodedata.normalize(kind, name)})
        for other in ("NFC", "NFD"):
            file = unicodedata.normalize(other, f"/volumes/M/{name}")
            assert by_all(table, file=file) == ("t0", "path")
            assert find_track(table, file) == "t0"


def test_on_a_disk_that_tells_cases_apart_the_exact_file_is_meant() -> None:
    table = catalog({"root": "/m", "path": "A/x.flac"}, {"root": "/m", "path": "a/X.flac"})
    assert by_all(table, file="/m/A/x.flac") == ("t0", "path")
    assert by_all(table, file="/m/a/X.flac") == ("t1", "path")
    assert by_all(table, file="/m/a/x.flac") == (None, "")


SIGNS = ["Help", "Help!", "15", "1.5", "???", "!!!", "♥", "दिल", "दाल", "กา", "กี", "கல்", "கால்",
         "كتب", "كُتُب", "6 Ft. Under", "6"]  # fmt: skip
SIGNED = catalog(*({"title": title, "artists": ["Ann"], "path": f"{n}"}
                   for n, title in enumerate(SIGNS)))  # fmt: skip


@pytest.mark.parametrize("title", SIGNS)
def test_titles_whose_signs_matter_match_themselves(title: str) -> None:
    expected = f"t{SIGNS.index(title)}"
    for written in (title, unicodedata.normalize("NFD", title), title.upper()):
        assert by_all(SIGNED, title=written, artists=("ann",)) == (expected, "name")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_track(SIGNED, f"Ann - {title}") == expected


@pytest.mark.parametrize("title", SIGNS)
def test_titles_whose_signs_matter_match_no_other_but_loosely(title: str) -> None:
    others = [n for n, other in enumerate(SIGNS) if other != title]
    table = SIGNED.take(pa.array(others))
    loosely = {"Help": "Help!", "Help!": "Help"}
    if title not in loosely:
        assert by_all(table, title=title, artists=("Ann",)) == (None, "")
        return
    track = f"t{SIGNS.index(loosely[title])}"
    with pytest.warns(LooseMatchWarning, match=r"'Ann – Help!?' is taken for 'Ann – Help!?' \(t"):
        assert by_all(table, title=title, artists=("Ann",)) == (track, "loose name")
    with pytest.warns(LooseMatchWarning, match=f"'{title}' is taken for 'Ann – {loosely[title]}'"):
        assert find_track(table, title) == track


def test_what_is_spelled_better_goes_before_what_is_spelled_loosely() -> None:
    titles = ["Rio", "RÍO", "Río", "Río (Remastered 2011)", "Río (Live)"]
    table = catalog(*({"title": title, "artists": ["Ann"]} for title in titles))

    def found(rows: list[int], title: str) -> tuple[str, str]:
        part = table.take(pa.array(rows))
        match = TrackMatcher(part).find(Mention(title=title, artists=("Ann",)))
        return titles[rows[match.row]], match.by

    assert found([0, 1, 2, 3, 4], "Río") == ("Río", "name")
    assert found([0, 1, 3, 4], "Río") == ("RÍO", "name")
    assert found([0, 3, 4], "Río") == ("Río (Remastered 2011)", "name")
    assert found([0, 4], "Río") == ("Rio", "loose name")
    assert TrackMatcher(table.slice(4)).find(Mention(title="Río", artists=("Ann",))).row == -1


def test_a_summary_of_listens_names_what_was_taken_for_what() -> None:
    matcher = Matcher(SIGNED.slice(1, 1))
    matcher.match(raw_table([{"artist": "Ann", "title": "Help"}] * 3))
    assert dict(matcher.taken) == {("Ann – Help", "Ann – Help!"): 3}


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16", b""), ("utf-16-le", b""),
     ("utf-16-be", b""), ("utf-32", b""), ("cp1252", b"")],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_playlist_is_read_in_any_encoding_by_all_who_read_one(
    tmp_path: Path, encoding: str, mark: bytes, end: str
) -> None:
    lines = ["#EXTM3U", '#extinf:61 tvg-id="a,b" x="Ann – c",Zoë’s Band - “Été”, Part 2']
    lines += ["Zoë’s Band/Best/Été.flac", "two.flac", ""]
    (tmp_path / "x.m3u").write_bytes(mark + end.join(lines).encode(encoding))
    first, second = read_playlist(tmp_path / "x.m3u").entries
    assert (first.artists, first.title) == (("Zoë’s Band",), "“Été”, Part 2")
    assert (first.file, first.duration_seconds) == (tmp_path / lines[2], 61.0)
    assert second == Entry(file=tmp_path / "two.flac")
    (rows,) = read_listens(tmp_path / "x.m3u")
    assert rows["title"].to_pylist() == ["“Été”, Part 2", None]
    assert rows["path"].to_pylist() == [str(first.file), str(second.file)]


def test_a_list_that_is_of_no_encoding_is_read_line_by_line() -> None:
    data = "Été\n".encode() + "Été ’\n".encode("cp1252") + b"\x81\n\xff"
    assert text_lines(data) == ["Été", "Été ’", "\x81", "ÿ"]


@pytest.mark.parametrize(
    "written", ["{}", "file://{}", "file://host{}", "file:{}", "{}".replace("/", "\\")]
)
@pytest.mark.parametrize("kind", ["NFC", "NFD"])
@pytest.mark.parametrize("escaped", [False, True])
def test_a_place_leads_to_the_file_that_is_there(
    tmp_path: Path, written: str, kind: Any, escaped: bool
) -> None:
    from urllib.parse import quote

    file = tmp_path / unicodedata.normalize("NFC", "Björk") / "100% & é #1.flac"
    file.parent.mkdir()
    file.write_bytes(b"")
    text = unicodedata.normalize(kind, str(file))
    if written.startswith("file") or escaped:
        text = quote(text)
    text = written.format(text)
    assert Path(absolute(text, tmp_path)) == Path(absolute(Path(text), tmp_path)) == file
    (tmp_path / "x.m3u").write_text(text, encoding="utf-8")
    assert read_playlist(tmp_path / "x.m3u").entries[0].file == file


@pytest.mark.parametrize("words", ["Home.flac", "home", "Ann/Home.flac", "/music/Ann/HOME.flac"])
def test_who_types_a_file_means_it(words: str) -> None:
    assert find_track(FILES, words) == "t1"


@pytest.mark.parametrize("words", ["\udcff.mp3", "a/\ud800%FF", "file:%FF%00/\udcff", "%", "\0/x"])
def test_words_that_are_no_text_are_refused_in_words(words: str) -> None:
    with pytest.raises(QueryError, match="no track is like"):
        find_track(FILES, words)
    assert TrackMatcher(FILES).find(Mention(file=words, title=words, artists=(words,))).row == -1


def test_who_types_a_path_of_another_file_gets_no_namesake() -> None:
    with pytest.raises(QueryError):
        find_track(FILES, "/others/Bo/track02.flac")
