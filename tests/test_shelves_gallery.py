"""Shelves as rows, in a real browser and on the disk."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from shelves_samples import table, vectors, write_tone

from musicu.errors import QueryError
from musicu.items.constraints import Constraints
from musicu.shelves import Shelf, build_shelf
from musicu.shelves.gallery import write_gallery

if sys.platform == "win32":
    pytest.skip("the debugging pipe needs POSIX descriptors", allow_module_level=True)

from browser import Browser, find_chromium

ATTACK = '"><img src=x onerror="window.hit=1"><script>window.hit=1</script>'
PLAYING = "document.querySelectorAll('.card')[{}].classList.contains('playing')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium here (set MUSICU_CHROMIUM to its path)")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def two_shelves(folder: Path) -> list[Shelf]:
    """Two shelves of three tracks each, in awkward places; the last has no file."""
    rows = [
        {
            "track_id": f"t{i}",
            "root": str(folder),
            "path": f"50% #{i}?/ü{i}.wav",
            "title": f"Title {i} {ATTACK}",
            "artists": [f"Artist {i}"],
            "album": ATTACK,
        }
        for i in range(7)
    ]
    for row in rows[:6]:
        write_tone(folder / str(row["path"]), 330, 20.0)
    space = vectors([str(row["track_id"]) for row in rows], np.eye(7, dtype=np.float32))
    made = []
    for seed, ids in (("t0", ["t1", "t2", "t3"]), (None, ["t4", "t5", "t6"])):
        candidates = pa.table({"track_id": ids, "score": [0.9, 0.8, 0.7]})
        rules = Constraints(diversity=0)
        made.append(build_shelf(candidates, table(rows), space, rules, seed=seed, title=ATTACK))
    return made


def opened(browser: Browser, page: Path) -> None:
    browser.events.clear()
    browser.open(page.as_uri())
    browser.screenshot(page.with_suffix(".png"), 1280, 900, dark=False)


def mouse(browser: Browser, kind: str, x: float, y: float, **more: object) -> None:
    browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)


def test_folder_can_be_moved_whole(browser: Browser, tmp_path: Path) -> None:
    problems = write_gallery(two_shelves(tmp_path / "music"), tmp_path / "out", audio="copied")
    assert [text.split(": ")[-1] for text in problems] == ["No such file or directory"]
    shutil.rmtree(tmp_path / "music")
    moved = (tmp_path / "out").rename(tmp_path / "moved")
    opened(browser, moved / "index.html")
    browser.run("document.querySelector('.face').click()")
    browser.wait_for(PLAYING.format(0))
    assert browser.run("window.hit === undefined && !document.querySelector('img[src=x]')")
    assert not [e for e in browser.events if "Content Security Policy" in str(e)]
    assert json.loads((moved / "shelf-01.json").read_text("utf-8"))["items"]
    for file in ("shelf-01.html", "shelf-02.html", "shelf-01.m3u8"):
        assert (moved / file).is_file()
    listed = (moved / "shelf-01.m3u8").read_text("utf-8").splitlines()
    assert all((moved / line).is_file() for line in listed if not line.startswith("#"))


def test_keys_move_over_rows_and_play(browser: Browser, tmp_path: Path) -> None:
    write_gallery(two_shelves(tmp_path), tmp_path / "out")
    opened(browser, tmp_path / "out" / "index.html")
    focused = "[...document.querySelectorAll('.face')].indexOf(document.activeElement)"
    browser.run("document.getElementById('preview').checked = false")
    browser.run("document.querySelector('.face').focus()")
    for key, place in (("ArrowRight", 1), ("ArrowDown", 4), ("Home", 3), ("ArrowUp", 0)):
        browser.press(key)
        assert browser.run(focused) == place
    assert browser.run("document.querySelectorAll('.face[tabindex=\"0\"]').length") == 2
    browser.run("document.activeElement.click()")
    browser.wait_for(PLAYING.format(0))
    browser.press("j")
    browser.wait_for(PLAYING.format(1))
    browser.press("Escape")
    browser.wait_for(f"!{PLAYING.format(1)}")


def test_hover_plays_and_leaving_stops(browser: Browser, tmp_path: Path) -> None:
    write_gallery(two_shelves(tmp_path), tmp_path / "out")
    opened(browser, tmp_path / "out" / "index.html")
    mouse(browser, "mousePressed", 600, 20, button="left", clickCount=1)  # sound may begin now
    mouse(browser, "mouseReleased", 600, 20, button="left", clickCount=1)
    place = (
        "(() => { const b = document.querySelectorAll('.face')[1].getBoundingClientRect();"
        "return [b.left + 40, b.top + 40]; })()"
    )
    mouse(browser, "mouseMoved", *browser.run(place))
    browser.wait_for(PLAYING.format(1))
    mouse(browser, "mouseMoved", 600, 20)
    browser.wait_for(f"!{PLAYING.format(1)}")
    browser.run("document.getElementById('preview').click()")
    mouse(browser, "mouseMoved", *browser.run(place))
    browser.run("new Promise((done) => setTimeout(done, 600))")
    assert not browser.run(PLAYING.format(1))


@pytest.mark.parametrize("width", [320, 1280])
def test_page_is_never_wider_than_the_screen(browser: Browser, tmp_path: Path, width: int) -> None:
    write_gallery(two_shelves(tmp_path), tmp_path / "out")
    opened(browser, tmp_path / "out" / "index.html")
    browser.screenshot(tmp_path / "shot.png", width, 800, dark=False)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_everything_to_press_has_a_name(browser: Browser, tmp_path: Path) -> None:
    write_gallery(two_shelves(tmp_path), tmp_path / "out")
    opened(browser, tmp_path / "out" / "index.html")
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "switch", "link", "list", "heading", "region"}
    named = [n for n in tree if n.get("role", {}).get("value") in roles and not n["ignored"]]
    assert {node["role"]["value"] for node in named} == roles
    assert all(node["name"]["value"] for node in named)


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_in_every_hue(browser: Browser, tmp_path: Path, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5 for every pair of colours that carries text."""
    write_gallery(two_shelves(tmp_path), tmp_path / "out")
    opened(browser, tmp_path / "out" / "index.html")
    browser.screenshot(tmp_path / "shot.png", 1280, 800, dark=dark)
    pairs = [[a, b] for a in ("text", "soft", "accent") for b in ("back", "panel", "raise")]
    pairs.append(["on-accent", "accent"])
    script = f"""(() => {{
      const probe = document.body.appendChild(document.createElement("i"));
      const shine = (name) => {{
        probe.style.color = `var(--${{name}})`;
        const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map((v) => {{
          const s = v / 255; return s <= .04045 ? s / 12.92 : ((s + .055) / 1.055) ** 2.4; }});
        return .2126 * r + .7152 * g + .0722 * b;
      }};
      const low = [];
      for (let hue = 0; hue < 360; hue += 10) {{
        document.documentElement.style.setProperty("--hue", hue);
        for (const [a, b] of {json.dumps(pairs)}) {{
          const [x, y] = [shine(a), shine(b)].sort((p, q) => q - p);
          const ratio = (x + .05) / (y + .05);
          if (ratio < 4.5) low.push(`${{a}} on ${{b}}, hue ${{hue}}: ${{ratio.toFixed(2)}}`);
        }}
      }}
      return low;
    }})()"""
    assert browser.run(script) == []


def test_reduced_motion_and_no_shelf_are_heeded(browser: Browser, tmp_path: Path) -> None:
    write_gallery(two_shelves(tmp_path), tmp_path / "out")
    calm = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.call("Emulation.setEmulatedMedia", features=calm)
    browser.events.clear()
    browser.open((tmp_path / "out" / "index.html").as_uri())
    assert browser.run("document.getElementById('preview').checked") is False
    with pytest.raises(QueryError, match="no shelf to show"):
        write_gallery([], tmp_path / "none")
    with pytest.raises(QueryError, match="'copied'"):
        write_gallery(two_shelves(tmp_path), tmp_path / "none", audio="embedded")
