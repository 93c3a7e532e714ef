"""The page in a real browser, from the disk: it plays, answers to keys, and runs nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from shelves_samples import table, vectors, write_tone

from musicu.items.constraints import Constraints
from musicu.shelves import Shelf, build_shelf

if sys.platform == "win32":
    pytest.skip("the debugging pipe needs POSIX descriptors", allow_module_level=True)

from browser import Browser, find_chromium

ATTACK = '"><img src=x onerror="window.hit=1"><script>window.hit=1</script>'


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium here (set MUSICU_CHROMIUM to its path)")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def make_shelf(folder: Path) -> Shelf:
    """A seed, an Ogg and a WAV file with awkward names, a text that claims to be sound."""
    names = ["seed.wav", "50%20 #1? ü.ogg", "a/b 'c\".wav", "broken.mp3", "last.wav"]
    for name in (names[0], names[2], names[4]):
        write_tone(folder / name, 330, 0.6)
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
    soundfile.write(folder / names[1], tone, 16000, format="OGG", subtype="VORBIS")
    (folder / names[3]).write_text("not sound")
    rows = [
        {"track_id": f"t{i}", "root": str(folder), "path": name, "title": f"Title {i} {ATTACK}"}
        for i, name in enumerate(names)
    ]
    ids = [row["track_id"] for row in rows]
    candidates = pa.table({"track_id": ids[1:], "score": [0.9, 0.8, 0.7, 0.6]})
    space = vectors(ids, np.eye(5, dtype=np.float32))
    return build_shelf(candidates, table(rows), space, Constraints(diversity=0), seed="t0")


def opened(browser: Browser, page: Path) -> None:
    browser.events.clear()
    browser.open(page.as_uri())


def played(browser: Browser, place: int) -> None:
    box = f"document.querySelectorAll('[data-track]')[{place}]"
    browser.wait_for(f"{box}.classList.contains('current') && player.audio.currentTime > 0")


@pytest.mark.parametrize("audio", ["relative", "absolute", "embedded"])
def test_sound_plays_from_the_disk_and_goes_on_to_the_next(
    browser: Browser, tmp_path: Path, audio: str
) -> None:
    make_shelf(tmp_path / "müsic").to_html(tmp_path / "pages" / "shelf.html", audio=audio)  # type: ignore[arg-type]
    opened(browser, tmp_path / "pages" / "shelf.html")
    browser.run("document.querySelectorAll('.item .play')[0].click()")
    played(browser, 1)  # the Ogg file
    played(browser, 2)  # by itself, after it
    played(browser, 4)  # past the one that is broken
    browser.wait_for("document.querySelectorAll('.item')[2].classList.contains('broken')")
    browser.wait_for("player.audio.ended")
    assert (
        browser.run("window.hit === undefined && document.querySelectorAll('main img').length") == 5
    )
    refused = [e for e in browser.events if "Content Security Policy" in str(e)]
    assert refused == []


def test_playing_one_pauses_the_other_and_keys_move_on(browser: Browser, tmp_path: Path) -> None:
    make_shelf(tmp_path).to_html(tmp_path / "shelf.html")
    opened(browser, tmp_path / "shelf.html")
    playing = "[...document.querySelectorAll('[data-track]')].map((box) => box.matches('.playing'))"
    browser.run("player.audio.loop = true")
    browser.press(" ")
    played(browser, 1)
    browser.press("j")
    played(browser, 2)
    assert browser.run(playing) == [False, False, True, False, False]
    browser.press("k")
    played(browser, 1)
    browser.wait_for("!player.audio.paused")
    assert browser.run(playing) == [False, True, False, False, False]
    browser.press(" ")
    browser.wait_for("player.audio.paused")
    browser.wait_for("document.getElementById('toggle').getAttribute('aria-label') === 'Play'")
    assert browser.run("[...document.querySelectorAll('audio')].every((one) => one.paused)")
    browser.run("document.querySelector('.hero .play').click()")
    browser.wait_for("document.querySelector('.hero').classList.contains('playing')")


def test_the_bar_shows_and_sets_how_far_a_track_has_played(
    browser: Browser, tmp_path: Path
) -> None:
    make_shelf(tmp_path).to_html(tmp_path / "shelf.html")
    opened(browser, tmp_path / "shelf.html")
    browser.run("document.querySelectorAll('.item .play')[0].click()")
    played(browser, 1)
    browser.wait_for("document.getElementById('length').textContent === '0:00'")  # half a second
    browser.run("document.getElementById('toggle').click()")
    browser.wait_for("player.audio.paused")
    browser.run(
        "const bar = document.getElementById('position'); bar.value = 800;"
        "for (const kind of ['input', 'change']) bar.dispatchEvent(new Event(kind))"
    )
    heard = browser.run("player.audio.currentTime / player.audio.duration")
    assert heard == pytest.approx(0.8, abs=0.01)


def test_injected_script_is_refused_by_the_policy(browser: Browser, tmp_path: Path) -> None:
    """Even markup that got in would not run: the policy stands by itself."""
    make_shelf(tmp_path).to_html(tmp_path / "shelf.html")
    text = (tmp_path / "shelf.html").read_text(encoding="utf-8")
    (tmp_path / "shelf.html").write_text(
        text.replace("<main>", f"<main>{ATTACK[2:]}", 1), encoding="utf-8"
    )
    opened(browser, tmp_path / "shelf.html")
    browser.wait_for("document.querySelector('main img[src=x]').complete")
    assert browser.run("window.hit === undefined")
    assert any("Content Security Policy" in str(event) for event in browser.events)


@pytest.mark.parametrize("width", [320, 1280])
def test_page_is_never_wider_than_the_screen(browser: Browser, tmp_path: Path, width: int) -> None:
    make_shelf(tmp_path).to_html(tmp_path / "shelf.html")
    opened(browser, tmp_path / "shelf.html")
    browser.screenshot(tmp_path / "shot.png", width, 800, dark=False)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert (tmp_path / "shot.png").read_bytes().startswith(b"\x89PNG")


def test_everything_to_press_has_a_name(browser: Browser, tmp_path: Path) -> None:
    make_shelf(tmp_path).to_html(tmp_path / "shelf.html")
    opened(browser, tmp_path / "shelf.html")
    browser.run("document.querySelector('.item .play').click()")
    played(browser, 1)
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "slider", "link", "list", "heading"}
    named = [n for n in tree if n.get("role", {}).get("value") in roles and not n["ignored"]]
    assert {node["role"]["value"] for node in named} >= {"button", "slider", "list", "heading"}
    assert all(node["name"]["value"] for node in named)
