"""The served page in a browser: what is done there arrives, and the next page follows from it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

pytest.importorskip("fastapi")

from serving_samples import running
from shelves_samples import write_tone

import musicu
from musicu import Catalog
from musicu.listening.feedback.feedback_log import read

STYLES, EACH, SECONDS = 3, 8, 4.0


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if sys.platform == "win32":
        pytest.skip("the debugging pipe needs POSIX descriptors")
    from browser import Browser, find_chromium

    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium here (set MUSICU_CHROMIUM to its path)")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def sounding_catalog(home: Path) -> Path:
    """Different files in folders by style, with vectors around a direction each."""
    rng = np.random.default_rng(3)
    for style in range(STYLES):
        for number in range(EACH):
            write_tone(
                home / "music" / f"s{style}" / f"{number:02}.wav",
                220.0 + EACH * style + number,
                SECONDS,
            )
    musicu.scan(home / "music", home / "catalog")
    catalog = Catalog.open(home / "catalog")
    ids = catalog.tracks()["track_id"].to_pylist()
    styles = [int(path[1]) for path in catalog.tracks()["path"].to_pylist()]
    vectors = np.eye(STYLES, 32)[styles] + 0.1 * rng.normal(size=(len(ids), 32))
    catalog.add_vectors("mine", ids, vectors, version="1")
    return home / "catalog"


def shown(browser: Any) -> list[str]:
    """The ids of the tracks on the page, in their order."""
    boxes = "[...document.querySelectorAll('.card[data-track]')]"
    found: list[str] = browser.run(f"{boxes}.map((box) => box.dataset.track)")
    return found


def arrived(catalog: Path, enough: Callable[[pa.Table], bool]) -> pa.Table:
    """The outcomes, once there are enough."""
    for _ in range(1200):
        table = read(catalog, "outcomes")
        if enough(table):
            return table
        threading.Event().wait(0.1)
    raise AssertionError(f"only these arrived: {read(catalog, 'outcomes').to_pylist()}")


def test_what_is_played_skipped_and_saved_arrives_and_the_next_page_differs(
    browser: Any, tmp_path: Path
) -> None:
    catalog = sounding_catalog(tmp_path)
    with running(catalog) as (address, _):
        browser.open(f"{address}/page/ann")
        first = shown(browser)
        browser.run("cards[0].face.click()")
        browser.wait_for("player.audio.currentTime > 0.1")
        browser.run(f"player.audio.currentTime = {SECONDS - 0.2}")  # then the next one begins
        browser.wait_for("player.current() === cards[1] && player.audio.currentTime > 0.6")
        browser.press("j")
        browser.wait_for("player.current() === cards[2]")
        browser.press("Escape")
        browser.run("cards[3].box.querySelector('.save').click()")
        done = arrived(catalog, lambda table: {"played", "skipped", "saved"} <= kinds(table))
        by_kind = {row["kind"]: row for row in done.to_pylist()}
        assert [by_kind[kind]["track_id"] for kind in ("played", "skipped", "saved")] == [
            first[0], first[1], first[3],
        ]  # fmt: skip
        assert 0 < by_kind["skipped"]["milliseconds"] < 1000 * SECONDS / 2
        exposures = read(catalog, "exposures")
        assert set(done["exposure_id"].to_pylist()) <= set(exposures["exposure_id"].to_pylist())
        assert len(pc.unique(done["user_id"])) == 1
        browser.open(f"{address}/page/ann")
        again = shown(browser)
        assert again != first
        titles = browser.run("document.querySelector('main').textContent")
        assert "Because you listened to" in titles
        own = browser.run("rows[0].map((card) => card.box.dataset.track)")
        assert own
        assert not {first[0], first[3]} & set(own), "what was heard is not found again"
    wrong = [e for e in browser.events if e.get("method") == "Runtime.exceptionThrown"]
    assert wrong == []
    assert [e for e in browser.events if "Content Security" in str(e)] == []


def kinds(outcomes: pa.Table) -> set[str]:
    return set(outcomes["kind"].to_pylist())
