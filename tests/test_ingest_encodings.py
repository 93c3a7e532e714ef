"""Text of any program is read: what says its encoding by it, the rest by a guess that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from musicu.ingest.encodings import GuessedEncodingWarning, encoding_of
from musicu.ingest.playlist_text import text_lines
from musicu.ingest.table import read_table
from musicu.listening.importers.reading import read_listens

NAMES = {
    "cp1252": ["Björk,“Jóga” – It’s", "Ólafur Arnalds,Þú ert jörðin", "¿Dónde está?", "naïve"],
    "cp1251": ["Кино,Группа крови", "Аквариум", "Земфира,Хочешь?"],
    "cp932": ["椎名林檎,丸の内サディスティック", "きゃりーぱみゅぱみゅ"],
    "gb18030": ["周杰伦,青花瓷", "邓丽君,月亮代表我的心"],
    "cp949": ["방탄소년단,봄날", "아이유,좋은 날"],
    "big5": ["周杰倫,青花瓷", "鄧麗君,月亮代表我的心"],
}


@pytest.mark.parametrize("encoding", NAMES)
def test_a_code_page_is_guessed_from_which_letters_stand_together(encoding: str) -> None:
    for text in [*NAMES[encoding], "\n".join(NAMES[encoding])]:
        assert encoding_of([text.encode(encoding)]) == encoding, text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_unicode_is_no_guess_with_or_without_its_mark(encoding: str) -> None:
    text = "artist,title\nBjörk,Jóga\n"
    data = text.encode(encoding)
    assert data.decode(encoding_of([data])) == text


def test_a_letter_that_lies_in_two_blocks_is_utf_8() -> None:
    first, second = "ó".encode()[:1], "ó".encode()[1:]
    assert encoding_of([b"a" * 10 + first, second + b"b"]) == "utf-8-sig"
    assert encoding_of([b"a" * 10 + first]) != "utf-8-sig"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le"])
@pytest.mark.parametrize("header", ["artist,title,timestamp\n", ""])
def test_tables_of_listens_in_any_encoding_keep_every_name(
    tmp_path: Path, encoding: str, header: str
) -> None:
    row = "Björk,Jóga,2024-05-31 20:46\n" if header else "Björk,Post,Jóga,31 May 2016 20:46\n"
    file = tmp_path / "plays.csv"
    file.write_bytes((header + row).encode(encoding))
    (batch,) = read_listens(file) if encoding != "cp1252" else _said(file)
    assert batch["artist"].to_pylist() == ["Björk"]
    assert batch["title"].to_pylist() == ["Jóga"]


def _said(file: Path) -> list:  # type: ignore[type-arg]
    with pytest.warns(GuessedEncodingWarning, match="read as Windows-1252"):
        return list(read_listens(file))


def test_a_name_far_into_a_table_decides_its_encoding(tmp_path: Path) -> None:
    file = tmp_path / "plays.csv"
    many = b"artist,title\n" + b"Ann,Song\n" * 300_000
    file.write_bytes(many + "Björk,Jóga\n".encode("cp1252"))
    with pytest.warns(GuessedEncodingWarning):
        table = read_table(file)
    assert table["artist"][-1].as_py() == "Björk"


@pytest.mark.parametrize("ending", [".json", ".scrobbler.log", ".jsonl"])
def test_other_files_of_listens_are_read_in_their_code_page(tmp_path: Path, ending: str) -> None:
    play = {"ts": "2024-05-31T20:46:00Z", "ms_played": 60_000}
    names = {"master_metadata_track_name": "Jóga", "master_metadata_album_artist_name": "Björk"}
    text = json.dumps([play | names] if ending == ".json" else play | names, ensure_ascii=False)
    if ending == ".scrobbler.log":
        text = "#AUDIOSCROBBLER/1.1\nBjörk\tPost\tJóga\t1\t200\tL\t1717188360\t\n"
    file = tmp_path / f"x{ending}"
    file.write_bytes(text.encode("cp1252"))
    (batch,) = _said(file)
    assert batch["artist"].to_pylist() == ["Björk"]


def test_a_playlist_of_several_programs_is_read_line_by_line() -> None:
    data = "Jóga.flac\n".encode() + "Ágætis.flac\n".encode("cp1252")
    assert text_lines(data)[:2] == ["Jóga.flac", "Ágætis.flac"]
    assert text_lines("Кино/Группа крови.mp3".encode("cp1251")) == ["Кино/Группа крови.mp3"]
