"""The page of a blind test in a real browser: it plays, takes answers by key, and saves them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shelves_samples import MemoryCatalog, write_tone

from musicu.catalog.rows import track_file
from musicu.judge import Trial, read_answers, write_test

if sys.platform == "win32":
    pytest.skip("the debugging pipe needs POSIX descriptors", allow_module_level=True)

from browser import Browser, find_chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium here (set MUSICU_CHROMIUM to its path)")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


class Files(MemoryCatalog):
    """A catalog in memory whose tracks lie on the disk."""

    def file(self, track_id: str) -> Path:
        rows: list[dict[str, Any]] = self.tracks().to_pylist()
        return track_file(next(row for row in rows if row["track_id"] == track_id))


def made(folder: Path, audio: str = "relative") -> tuple[Path, list[Trial]]:
    names = ["a.wav", "50% #1?.wav", "ü <b>.wav", "d.wav"]
    for i, name in enumerate(names):
        write_tone(folder / "müsic" / name, 110.0 * (i + 1), 2.0)
    rows = [
        {"track_id": f"t{i}", "root": str(folder / "müsic"), "path": name, "title": "Hidden Name"}
        for i, name in enumerate(names)
    ]
    catalog = Files(rows, np.eye(len(rows), 6, dtype=np.float32))
    trials = [Trial("t0", "t1", "t2", True), Trial("t1", "t2", "t3", False)] * 2
    page = folder / "pages" / "judge.html"
    write_test(catalog, "old", "new", trials, page, audio=audio)  # type: ignore[arg-type]
    return page, trials


def opened(browser: Browser, page: Path) -> None:
    browser.events.clear()
    browser.open(page.as_uri())
    browser.run("localStorage.clear()")
    browser.open(page.as_uri())


def come_back(browser: Browser, page: Path, progress: str) -> None:
    """Open the page anew until it knows so much: what a page keeps is written after it is left."""
    for _ in range(40):
        browser.open("about:blank")
        browser.open(page.as_uri())
        if browser.run("document.getElementById('progress').textContent") == progress:
            return
        time.sleep(0.25)
    raise AssertionError(f"the answers were not kept: never {progress}")


def test_names_and_models_are_not_in_the_page(tmp_path: Path) -> None:
    page, _ = made(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "Hidden Name" not in text
    assert '"old"' not in text
    assert "first_left" not in text


@pytest.mark.parametrize("audio", ["relative", "absolute", "copied"])
def test_all_three_play_one_at_a_time(browser: Browser, tmp_path: Path, audio: str) -> None:
    page, _ = made(tmp_path, audio)
    opened(browser, page)
    paused = "Object.values(players).map((one) => one.paused)"
    for key, side, expected in (
        (" ", "seed", [False, True, True]),
        ("1", "left", [True, False, True]),
        ("2", "right", [True, True, False]),
    ):
        browser.press(key)
        browser.wait_for(f"players.{side}.currentTime > 0")
        assert browser.run(paused) == expected
    assert not [e for e in browser.events if "Content Security Policy" in str(e)]


def test_answers_by_key_are_kept_saved_and_read(browser: Browser, tmp_path: Path) -> None:
    page, _ = made(tmp_path)
    opened(browser, page)
    for key in ("ArrowLeft", "ArrowRight", "ArrowRight"):
        browser.press(key)
    browser.press("Backspace")
    assert browser.run("document.querySelector('.chosen').dataset.choice") == "right"
    browser.press("ArrowDown")
    come_back(browser, page, "4 of 4")
    browser.run("document.querySelector('[data-choice=left]').click()")
    assert browser.run("document.getElementById('done').hidden") is False
    document = browser.run("JSON.stringify(documentOfAnswers())")
    (tmp_path / "answers.json").write_text(document, encoding="utf-8")
    choices = [answer["choice"] for answer in json.loads(document)["answers"]]
    assert choices == ["left", "right", "same", "left"]
    found = read_answers([tmp_path / "answers.json"])
    assert (found.first, found.preference.wins, found.preference.losses) == ("old", 2, 1)
    assert found.same == 1


def test_the_file_is_downloaded(browser: Browser, tmp_path: Path) -> None:
    page, _ = made(tmp_path)
    opened(browser, page)
    folder = tmp_path / "downloads"
    folder.mkdir()
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    browser.press("ArrowLeft")
    browser.press("s")
    browser.wait_for("document.getElementById('saved').textContent === '1 answers saved'")
    for _ in range(200):
        files = [p for p in folder.glob("*.json") if p.stat().st_size]  # empty at first
        if files:
            break
        browser.run("new Promise((done) => setTimeout(done, 50))")
    assert read_answers(files).preference.wins == 1


@pytest.mark.parametrize("width", [390, 1280])
def test_page_fits_the_screen_and_everything_has_a_name(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    page, _ = made(tmp_path)
    opened(browser, page)
    browser.screenshot(tmp_path / "shot.png", width, 900, dark=width == 390)
    assert browser.run("document.documentElement.scrollWidth") <= width
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "slider", "heading", "progressbar"}
    named = [n for n in tree if n.get("role", {}).get("value") in roles and not n["ignored"]]
    assert {node["role"]["value"] for node in named} == roles
    assert all(node["name"]["value"] for node in named)


def test_a_session_lasts_until_somebody_else_starts_over(browser: Browser, tmp_path: Path) -> None:
    page, trials = made(tmp_path)
    opened(browser, page)
    files = []
    for number in range(3):
        if number == 2:
            browser.run("document.getElementById('again').click()")
        for _ in range(2 if number < 2 else 4):
            browser.press("ArrowLeft")
        if number == 0:
            come_back(browser, page, "3 of 4")
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(browser.run("JSON.stringify(documentOfAnswers())"), "utf-8")
    documents = [json.loads(file.read_text("utf-8")) for file in files]
    assert [len(document["answers"]) for document in documents] == [2, 4, 4]
    sessions = [document["session"] for document in documents]
    assert sessions[0] == sessions[1] != sessions[2]
    found = read_answers(files)
    assert (found.listeners, found.repeated) == (2, 1)
    assert found.preference.wins + found.preference.losses == 2 * len(trials)
