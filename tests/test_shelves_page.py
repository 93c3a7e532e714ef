"""The page: nothing from a tag or a file's name becomes markup, an address or a script."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelves_samples import table, vectors, write_tone

from musicu.catalog.locations import file_url
from musicu.catalog.words import clock, one_line
from musicu.errors import QueryError
from musicu.items.constraints import Constraints
from musicu.shelves import Shelf, build_shelf
from musicu.shelves.covers import MAX_BYTES, cover_of, drawn_cover, picture_type
from musicu.shelves.shelf import ShelfTrack
from musicu.shelves.shelf_page import render_shelf

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</title></style></script><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp; \x00\x1b[31m",
    "abc\u202ecba\u2066",
    "line\nbreak\r\nand\ttab",
    "x" * 10_000,
    "-->]]><!--",
]


class Parsed(HTMLParser):
    """A page's elements with the names of their attributes, its addresses, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.shape: list[tuple[str, ...]] = []
        self.addresses: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.inside: dict[str, str] = {}
        self.text = ""
        self._tag = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.shape.append((tag, *(name for name, _ in attrs)))
        self.attributes += [(name, value or "") for name, value in attrs]
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        self.shape.append((f"/{tag}",))
        self._tag = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        self.inside[self._tag] = self.inside.get(self._tag, "") + data

    def handle_comment(self, data: str) -> None:
        self.shape.append(("comment", data))


def shelf_of(count: int, root: str | None = "/music", **columns: Any) -> Shelf:
    """A shelf of `count` tracks after a seed; text columns are one value for all of them."""
    rows = [
        {
            "track_id": f"t{i}",
            "root": root,
            "path": f"a/{i}.mp3",
            "title": "T",
            "artists": [f"A{i}"],
            "album": "L",
            "genres": ["G"],
            "label": "B",
            "date": "2001",
        }
        | {name: value[i] if isinstance(value, list) else value for name, value in columns.items()}
        for i in range(count + 1)
    ]
    for row in rows:
        for name in ("artists", "genres"):
            row[name] = [row[name]] if isinstance(row[name], str) else row[name]
    ids = [row["track_id"] for row in rows]
    candidates = pa.table({"track_id": ids[1:], "score": [0.9 - i / 100 for i in range(count)]})
    space = vectors(ids, np.eye(count + 1, dtype=np.float32))
    rules = Constraints(max_per_artist=99, max_per_album=99)
    return build_shelf(candidates, table(rows), space, rules, seed="t0")


def page(shelf: Shelf, audio: Any = "relative") -> str:
    return render_shelf(shelf, Path("/pages"), audio, 10**6)[0]


PLAIN = Parsed(page(shelf_of(2)))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("column", ["title", "artists", "album"])
def test_hostile_tag_changes_no_element(column: str, text: str) -> None:
    found = Parsed(page(shelf_of(2, **{column: text})))
    assert found.shape == PLAIN.shape
    assert found.inside["script"] == PLAIN.inside["script"]


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_text_changes_an_element_or_an_address(text: str) -> None:
    found = Parsed(page(shelf_of(1, title=text, artists=text, album=f"L{text}")))
    plain = Parsed(page(shelf_of(1)))
    assert found.shape == plain.shape
    assert [a for a in found.addresses if not a.startswith("data:")] == [
        a for a in plain.addresses if not a.startswith("data:")
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_reason_changes_no_element(text: str) -> None:
    found = Parsed(page(shelf_of(2, genres=text[:200], label=text[:200])))
    assert found.shape == PLAIN.shape


def test_page_runs_and_loads_nothing_but_its_own() -> None:
    policy = next(value for name, value in PLAIN.attributes if name == "content" and "src" in value)
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        digest = hashlib.sha256(PLAIN.inside[element].encode()).digest()
        assert f"{directive} 'sha256-{base64.b64encode(digest).decode()}';" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not [name for name, _ in PLAIN.attributes if name.startswith("on") or name == "style"]
    for address in PLAIN.addresses:
        assert address.startswith(("data:image/", "#", "../music/a/"))


def test_text_of_a_tag_is_shown_on_one_bounded_line_in_reading_order() -> None:
    assert one_line("a\nb\x00\u202ec") == "a b c"
    assert one_line("x" * 10_000) == "x" * 299 + "…"
    assert one_line("e" + "\u0301" * 50) == "e" + "\u0301" * 3
    assert one_line("\ud800") == "\ufffd"
    assert one_line("family 👨‍👩‍👧 שלום") == "family 👨‍👩‍👧 שלום"


def test_clock_counts_hours_only_where_there_are_some() -> None:
    assert [clock(s) for s in (None, 0.4, 59.6, 185, 7384)] == [
        "",
        "0:00",
        "1:00",
        "3:05",
        "2:03:04",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "a b.mp3",
        "50%20#1?.mp3",
        "javascript:alert(1).mp3",
        "ü–漢.mp3",
        "a\nb.mp3",
        "//x/y.mp3",
        "\\.mp3",
    ],
)
def test_address_of_a_file_leads_back_to_it(name: str) -> None:
    url = file_url(PurePosixPath("/music") / name.lstrip("/"), PurePosixPath("/pages/here"))
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert unquote_to_bytes(url) == os.fsencode("../../music/" + name.lstrip("/"))


@pytest.mark.skipif(sys.platform == "win32", reason="names there are always Unicode")
def test_address_keeps_bytes_that_are_not_utf8() -> None:
    file = Path(os.fsdecode(b"/music/caf\xe9.mp3"))
    assert file_url(file, Path("/music")) == "caf%E9.mp3"
    assert file_url(file) == "file:///music/caf%E9.mp3"


def test_address_on_windows() -> None:
    file = PureWindowsPath("D:\\My Music\\a#b.mp3")
    assert file_url(file, PureWindowsPath("D:\\pages")) == "../My%20Music/a%23b.mp3"
    assert file_url(file, PureWindowsPath("C:\\pages")) == "file:///D:/My%20Music/a%23b.mp3"


def test_format_that_browsers_lack_is_said_to_be_so() -> None:
    shelf = shelf_of(2, path=["s.mp3", "a.wma", "b.aiff"])
    text, problems = render_shelf(shelf, Path("/pages"), "relative", 0)
    assert problems == [
        "A1 - T: most browsers do not play WMA",
        "A2 - T: most browsers do not play AIFF",
    ]
    assert text.count("<audio") == 1
    assert "Most browsers do not play WMA" in text


def test_tracks_without_files_still_make_a_page() -> None:
    text, problems = render_shelf(shelf_of(1, root=None), Path("/pages"), "relative", 0)
    assert problems == []  # a table of tracks has no files, and says so of none of them
    assert "<audio" not in text


def test_embedded_page_holds_the_sound_and_says_what_it_left_out(tmp_path: Path) -> None:
    names = ["0.wav", "1.wav", "2.wav", "gone.wav"]
    for name in names[:3]:
        write_tone(tmp_path / name, 220, 2.0 if name == "1.wav" else 0.5)
    shelf = shelf_of(3, root=str(tmp_path), path=names)
    problems = shelf.to_html(tmp_path / "page.html", audio="embedded", embed_limit_bytes=20_000)
    found = Parsed((tmp_path / "page.html").read_text(encoding="utf-8"))
    sounds = [a for a in found.addresses if a.startswith("data:audio/wav;base64,")]
    files = [(tmp_path / name).read_bytes() for name in ("0.wav", "2.wav")]
    assert [base64.b64decode(sound.split(",")[1]) for sound in sounds] == files
    assert problems[0].startswith("A1 - T: left out")
    assert problems[1].startswith("A3 - T: its file cannot be read")
    assert "cannot be played on this page" in found.text
    assert str(tmp_path) not in found.text + "".join(found.addresses)


def test_unknown_way_to_place_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="audio is 'inline'"):
        shelf_of(1).to_html(tmp_path / "page.html", audio="inline")  # type: ignore[arg-type]


def png(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * ((side + 1) * side if side < 99 else 9))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def jpeg(side: int) -> bytes:
    frame = struct.pack(">BHHB", 8, side, side, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (png(4), "image/png"),
        (jpeg(300), "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (png(30_000), None),
        (jpeg(30_000), None),
        (b"\xff\xd8\xff", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (png(4) + b"\0" * MAX_BYTES, None),
        (b"<svg onload=alert(1)>", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_only_real_pictures_of_bounded_size_are_shown(data: bytes, kind: str | None) -> None:
    assert picture_type(data) == kind


def tagged(path: Path, picture: bytes) -> ShelfTrack:
    """A file with nothing but an ID3 tag that holds a picture."""
    body = b"\x00image/png\x00\x03\x00" + picture
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\x00\x00" + size + frame)
    return ShelfTrack({"track_id": "t", "root": str(path.parent), "path": path.name})


def test_picture_in_the_file_is_the_cover(tmp_path: Path) -> None:
    cover = cover_of(tagged(tmp_path / "a.mp3", png(4)))
    assert not cover.drawn
    assert base64.b64decode(cover.url.removeprefix("data:image/png;base64,")) == png(4)


@pytest.mark.parametrize("picture", [b"<svg/>", png(30_000), b""])
def test_picture_that_is_none_gives_way_to_a_drawn_cover(tmp_path: Path, picture: bytes) -> None:
    cover = cover_of(tagged(tmp_path / "a.mp3", picture))
    assert cover.drawn
    assert cover.url.startswith("data:image/svg+xml;base64,")


def test_file_that_cannot_be_read_has_a_drawn_cover(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"fLaC" + b"\xff" * 40)
    for name in ("a.flac", "missing.mp3"):
        row = {"track_id": "t", "root": str(tmp_path), "path": name}
        assert cover_of(ShelfTrack(row)).drawn


def test_drawn_cover_depends_on_the_album_and_holds_none_of_its_text() -> None:
    assert drawn_cover("one") == drawn_cover("one")
    drawings = {drawn_cover(f"album {i} <script>") for i in range(50)}
    assert len(drawings) == 50
    assert not any("script" in drawing for drawing in drawings)
