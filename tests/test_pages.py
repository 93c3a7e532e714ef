"""The one renderer: what it lets through, and which files it replaces."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from musicu.errors import PageError, QueryError
from musicu.pages.document import KINDS, TEMPLATES, json_block, refuse_other_page, write_page
from musicu.pages.page_audio import AudioPlaces, copy_name, media_type

PACKAGE = Path(__file__).parent.parent / "musicu"
ATTACK = "</script><script>alert(1)</script>&amp;"


def text_of(kind: str) -> str:
    return f'<!doctype html><meta name="generator" content="musicu {kind}">'


def test_there_is_one_environment_and_every_template_has_its_page() -> None:
    makers = [p for p in PACKAGE.rglob("*.py") if "FileSystemLoader" in p.read_text("utf-8")]
    assert makers == [PACKAGE / "pages" / "document.py"]
    assert {p.parent for p in PACKAGE.rglob("*.jinja")} == {TEMPLATES}
    for kind, made_of in KINDS.items():
        text = (TEMPLATES / f"{kind}.html.jinja").read_text("utf-8")
        assert re.search(r'extends "(base|gallery)\.html\.jinja"', text)
        for name in made_of.styles:
            assert (TEMPLATES / f"{name}.css").is_file()
        for name in made_of.scripts:
            assert (TEMPLATES / f"{name}.js").is_file()


@pytest.mark.parametrize("file", sorted(TEMPLATES.glob("*.jinja")), ids=lambda p: p.name)
def test_no_template_calls_text_safe(file: Path) -> None:
    assert not re.search(r"\|\s*safe\b|autoescape|style=|\son\w+=", file.read_text("utf-8"))


def test_a_page_replaces_its_own_kind_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "new" / "index.html"
    write_page(page, "map", text_of("map"))
    write_page(page, "map", text_of("map") + "again")
    with pytest.raises(PageError, match=r"holds a map, .* choose another file or folder"):
        write_page(page, "gallery", text_of("gallery"))
    assert page.read_text("utf-8").endswith("again")


@pytest.mark.parametrize("text", ["<html>my own site</html>", "\xff\x00"])
def test_a_page_never_replaces_what_is_no_page_of_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.html").write_text(text, encoding="latin-1")
    with pytest.raises(PageError, match="something else"):
        refuse_other_page(tmp_path / "index.html", "gallery")


def test_an_empty_file_may_be_written(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    write_page(tmp_path / "index.html", "map", text_of("map"))


def test_no_tag_begins_or_ends_in_a_block_of_json() -> None:
    assert not set(json_block({"title": ATTACK})) & set("<>&")


def test_copies_bear_names_that_tell_nothing(tmp_path: Path) -> None:
    (tmp_path / "Artist - Title.MP3").write_bytes(b"sound")
    places = AudioPlaces("copied", tmp_path / "page")
    found = places.find(tmp_path / "Artist - Title.MP3", "../../t1")
    assert found.source == f"music/{copy_name('../../t1', Path('x.mp3'))}"
    assert (tmp_path / "page" / str(found.source)).read_bytes() == b"sound"
    assert places.find(tmp_path / "gone.mp3", "t2").why.startswith("its file cannot be read")
    assert places.find(None, "t3").why == ""


def test_formats_are_known_by_name_or_path() -> None:
    assert media_type("A/b.FLAC") == media_type(Path("b.flac")) == "audio/flac"
    assert media_type("a.wma") is None
    with pytest.raises(QueryError, match="'inline'"):
        AudioPlaces("inline", Path())  # type: ignore[arg-type]
