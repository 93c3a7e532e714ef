"""The map: regions, names that were measured, places that are always the same, and the page."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from shelves_samples import MemoryCatalog, unit, write_tone

from musicu.catalog.identity import fold
from musicu.catalog.schema import TRACKS
from musicu.errors import MusicuError, QueryError
from musicu.records import Vectors
from musicu.shelves.character import Character
from musicu.shelves.clusters import region_count, regions
from musicu.shelves.context import ShelfContext
from musicu.shelves.map import draw_map, project, write_map
from musicu.shelves.naming import Namer, genre_counts
from musicu.shelves.recipes.around import AroundTheCatalog
from musicu.shelves.shelf import ShelfTrack

ATTACK = '</script><img src=x onerror="window.hit=1">\n"\\u0000'


def blobs(groups: int, each: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Unit vectors around `groups` directions."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(np.eye(groups, 16), each, axis=0)
    return unit((centres + 0.05 * rng.normal(size=centres.shape)).astype(np.float32))


def described(**columns: Any) -> pa.Table:
    count = len(next(iter(columns.values())))
    rows = [{"track_id": f"t{i:03}", "gone": False} for i in range(count)]
    table = pa.Table.from_pylist(rows, schema=TRACKS)
    for name, values in columns.items():
        if name in table.column_names:
            table = table.drop_columns(name)
        table = table.append_column(name, pa.array(values))
    return table


def test_regions_are_found_again_whatever_they_started_from() -> None:
    values = blobs(5, 30)
    truth = np.repeat(np.arange(5), 30)
    for seed in range(3):
        labels, centres = regions(values, 5, seed)
        pairs = set(zip(truth.tolist(), labels.tolist(), strict=True))
        assert len(pairs) == 5
        assert np.allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-5)


def test_regions_come_by_size_and_never_more_than_differ() -> None:
    values = np.concatenate([blobs(1, 4), blobs(2, 9)[9:]])
    labels, _ = regions(values, 2)
    assert np.bincount(labels).tolist() == [9, 4]
    assert len(regions(np.repeat(values[:1], 6, axis=0), 4)[1]) == 1
    assert region_count(1) == 3
    assert region_count(100_000) == 24


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_projection_is_the_same_again_and_keeps_groups_together(method: Any) -> None:
    if method == "tsne":
        pytest.importorskip("openTSNE")
    values = blobs(3, 12)
    flat = project(values, method)
    assert np.array_equal(flat, project(values, method))
    assert flat.min() >= 0
    assert flat.max() <= 1
    group = np.repeat(np.arange(3), 12)
    apart = np.linalg.norm(flat[:, None] - flat[None], axis=2) + 9 * np.eye(36)
    assert (group[apart.argmin(axis=1)] == group).all()


def test_few_or_equal_tracks_have_places_too() -> None:
    assert project(blobs(1, 1)).tolist() == [[0.5, 0.5]]
    assert project(np.zeros((0, 4), np.float32)).shape == (0, 2)
    assert np.isfinite(project(np.repeat(blobs(1, 1), 20, axis=0), "pca")).all()
    with pytest.raises(QueryError, match="'umap'"):
        project(blobs(1, 3), "umap")  # type: ignore[arg-type]


def test_missing_projection_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(MusicuError, match=r'pip install "musicu\[map\]"'):
        project(blobs(2, 10))


def test_names_are_tags_that_set_apart_else_words_that_were_measured() -> None:
    slow = [70.0] * 10 + [120.0] * 15 + [150.0] * 15
    table = described(
        tempo_bpm=slow,
        tempo_confidence=[0.9] * 40,
        brightness_hz=[500.0] * 10 + [1500.0 + i for i in range(30)],
        genres=[None] * 25 + [["Jazz", "Music"]] * 15,
    )
    rows = table.to_pylist()
    namer = Namer(table, Character(table))
    assert namer.name(rows[:10]) in ("Dark and slow", "Slow and dark")
    assert namer.name(rows[25:]).startswith("Jazz / Music, ")
    twins = namer.names([rows[:10], rows[:10]])
    assert [name.split(", near ")[1] for name in twins] == [
        ShelfTrack(row).title for row in rows[:2]
    ]
    bare = described(genres=[None] * 3)
    assert Namer(bare, Character(bare)).name(bare.to_pylist()) == "Mixed"


def test_regions_of_one_name_are_told_apart_by_what_only_one_has() -> None:
    table = described(
        genres=[["Jazz"]] * 40 + [["Rock"]] * 40,
        released=[date(1960 + n // 10 * 10, 1, 1) for n in range(80)],
        artists=[["Ann"]] * 10 + [[f"Artist {n}"] for n in range(70)],
    )
    rows = table.to_pylist()
    namer = Namer(table, Character(table))
    names = namer.names([rows[:10], rows[10:20], rows[20:30], rows[40:50]])
    assert names == ["Jazz, mostly Ann", "Jazz, 1970s", "Jazz, 1980s", "Rock"]


def test_names_of_the_same_words_in_another_order_are_told_apart() -> None:
    brightness = [500.0] * 10 + [800.0] * 10 + [1500.0 + n for n in range(30)]
    tempo = [90.0] * 10 + [60.0] * 10 + [120.0 + n for n in range(30)]
    table = described(
        tempo_bpm=tempo, tempo_confidence=[0.9] * 50, brightness_hz=brightness, genres=[None] * 50
    )
    rows, namer = table.to_pylist(), Namer(table, Character(table))
    groups = [rows[:10], rows[10:20]]
    assert sorted(map(namer.name, groups)) == ["Dark and slow", "Slow and dark"]
    assert len({frozenset(name.casefold().split()) for name in namer.names(groups)}) == 2


def test_map_and_shelves_give_a_region_one_name() -> None:
    rng = np.random.default_rng(0)
    style = rng.integers(12, size=1200)
    values = rng.standard_normal((12, 16))[style] + 0.3 * rng.standard_normal((1200, 16))
    rows = [
        {"track_id": f"t{n:04d}", "title": f"Song {n}", "artists": [f"Artist {n // 9}"],
         "genres": [f"Genre {style[n] // 3}"], "album": f"Album {n // 3}"}
        for n in range(1200)
    ]  # fmt: skip
    catalog = MemoryCatalog(rows, values.astype(np.float32))
    drawn = {region.name: region.tracks for region in draw_map(catalog, method="pca").regions}
    shelves = AroundTheCatalog(count=24).shelves(ShelfContext(catalog))
    assert [shelf.title for shelf in shelves] == list(drawn)
    assert not any("(2)" in name for name in drawn)
    first = [item.reason for item in shelves[0]]
    assert len(set(first)) == len(first)
    assert first[0].startswith("The track nearest to the middle of the region")
    assert first[1].startswith("2nd nearest to the middle of the region")


def test_genres_are_counted_once_a_track_whatever_their_spelling() -> None:
    column = [["Jazz", "JAZZ", "rock"], None, [], ["jazz"], [None, ""], ["Röck", "Rock"]]
    table = described(genres=column)["genres"].cast(pa.list_(pa.string()))
    plain: Counter[str] = Counter()
    for genres in column:
        plain.update({fold(name) for name in genres or () if name} - {""})
    assert genre_counts(pa.chunked_array([table.chunk(0)[:2], table.chunk(0)[2:]])) == plain
    assert genre_counts(pa.chunked_array([pa.nulls(3)])) == {}


def test_a_guess_of_low_confidence_gives_no_word() -> None:
    sure = described(tempo_bpm=list(range(60, 180, 6)), tempo_confidence=[0.9] * 20)
    character = Character(sure)
    assert character.words({"tempo_bpm": 60.0, "tempo_confidence": 0.9}) == {"tempo_bpm": "slow"}
    assert character.words({"tempo_bpm": 60.0, "tempo_confidence": 0.2}) == {}
    assert Character(described(tempo_bpm=[1.0] * 5)).scales == ()


def catalog_of(count: int, folder: Path, title: str = "Title") -> MemoryCatalog:
    rows = [
        {
            "track_id": f"t{i:06}",
            "root": str(folder),
            "path": f"{i % 7} #/{i}.wav",
            "title": f"{title} {i}",
            "artists": [f"Artist {i % 997}"],
            "genres": [["Jazz", "Rock", "Ambient"][i % 3]],
            "duration_seconds": 100.0 + i % 90,
        }
        for i in range(count)
    ]
    return MemoryCatalog(rows, blobs(4, -(-count // 4))[:count])


def unpacked(page: Path) -> dict[str, Any]:
    block = re.search(r'id="data">([A-Za-z0-9+/=]+)</script>', page.read_text("utf-8"))
    assert block is not None
    return dict(json.loads(gzip.decompress(base64.b64decode(block[1]))))


def test_page_holds_every_track_and_no_markup_from_tags(tmp_path: Path) -> None:
    catalog = catalog_of(30, tmp_path / "mü", ATTACK)
    write_map(
        draw_map(catalog, method="pca"), catalog.tracks(), tmp_path / "map.html", title=ATTACK
    )
    text = (tmp_path / "map.html").read_text("utf-8")
    assert "<img src=x" not in text
    known = unpacked(tmp_path / "map.html")
    assert known["n"] == 30
    assert len(known["titles"].split("\n")) == 30
    assert known["files"].split("\n")[8] == "m%C3%BC/1%20%23/8.wav"
    assert "://" not in text


def test_map_needs_a_track(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="nothing to draw"):
        draw_map(catalog_of(3, tmp_path), where="genres = polka")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if sys.platform == "win32":
        pytest.skip("the debugging pipe needs POSIX descriptors")
    from browser import Browser, find_chromium

    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium here (set MUSICU_CHROMIUM to its path)")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def mouse(browser: Any, kind: str, x: float, y: float, **more: Any) -> None:
    browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)


def test_page_hovers_filters_plays_and_selects(browser: Any, tmp_path: Path) -> None:
    catalog = catalog_of(40, tmp_path, ATTACK)
    write_tone(tmp_path / "3 #" / "3.wav", 330, 1.0)
    write_map(draw_map(catalog, method="pca"), catalog.tracks(), tmp_path / "map.html")
    browser.events.clear()
    browser.open((tmp_path / "map.html").as_uri())
    browser.wait_for("window.musicuMap")
    browser.screenshot(tmp_path / "map.png", 1280, 800, dark=False)
    x, y = browser.run("musicuMap.at(3)")
    mouse(browser, "mouseMoved", x, y)
    browser.wait_for("!document.getElementById('tip').hidden")
    assert " 3" in browser.run("document.querySelector('#tip strong').textContent")
    mouse(browser, "mousePressed", x, y, button="left", clickCount=1)
    mouse(browser, "mouseReleased", x, y, button="left", clickCount=1)
    browser.wait_for("document.getElementById('player').classList.contains('playing')")
    browser.run("document.querySelector('[data-tool=box]').click()")
    mouse(browser, "mousePressed", 4, 70, button="left", clickCount=1)
    mouse(browser, "mouseMoved", 500, 500, button="left")
    mouse(browser, "mouseMoved", 900, 790, button="left")
    mouse(browser, "mouseReleased", 900, 790, button="left", clickCount=1)
    browser.wait_for("document.getElementById('count').textContent.includes('selected')")
    playlist = browser.run("musicuMap.playlist()")
    assert playlist.startswith("#EXTM3U\n")
    assert "file:///" in playlist
    browser.run("document.getElementById('clear').click()")
    browser.run("const w = document.getElementById('words'); w.value = 'artist 31';"
                "w.dispatchEvent(new Event('input'))")  # fmt: skip
    browser.wait_for("document.getElementById('count').textContent === '1 match'")
    assert browser.run("window.hit === undefined && !document.querySelector('img[src=x]')")
    assert not [e for e in browser.events if "Content Security Policy" in str(e)]
    for role in ("button", "switch", "searchbox"):
        tree = browser.call("Accessibility.getFullAXTree")["nodes"]
        found = [n for n in tree if n.get("role", {}).get("value") == role and not n["ignored"]]
        assert found
        assert all(node["name"]["value"] for node in found)


class LargeCatalog(MemoryCatalog):
    """A hundred thousand tracks whose vectors are places in a plane."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        around = rng.normal(size=(24, 8))[rng.integers(0, 24, count)]
        values = unit((around + 0.3 * rng.normal(size=(count, 8))).astype(np.float32))
        ids = [f"{i:07}" for i in range(count)]
        columns: dict[str, Any] = {
            "track_id": ids,
            "gone": [False] * count,
            "root": ["/music"] * count,
            "path": [f"Artist {i % 4099}/Album {i % 9001}/{i}.mp3" for i in range(count)],
            "title": [f"Song of the number {i}" for i in range(count)],
            "artists": [[f"Artist {i % 4099}"] for i in range(count)],
            "genres": [[f"Genre {i % 31}"] for i in range(count)],
        }
        given = {f.name: columns.get(f.name, [None] * count) for f in TRACKS}
        self._tracks = pa.table(given, schema=TRACKS)
        self._vectors = Vectors(np.array(ids, dtype=object), values)


@pytest.mark.slow
def test_a_hundred_thousand_tracks_load_and_hover(browser: Any, tmp_path: Path) -> None:
    catalog = LargeCatalog(100_000)
    write_map(draw_map(catalog, method="pca"), catalog.tracks(), tmp_path / "large.html")
    megabytes = (tmp_path / "large.html").stat().st_size / 1e6
    browser.open((tmp_path / "large.html").as_uri())
    browser.wait_for("window.musicuMap", 60)
    loaded = browser.run("performance.now()")
    browser.screenshot(tmp_path / "large.png", 1280, 800, dark=True)
    frames = browser.run("Array.from({length: 12}, () => musicuMap.frame()).sort((a, b) => a - b)")
    x, y = browser.run("musicuMap.at(54321)")
    mouse(browser, "mouseMoved", x, y)
    browser.wait_for("!document.getElementById('tip').hidden")
    print(f"{megabytes:.1f} MB, {loaded / 1000:.1f} s to load, {frames[6]:.0f} ms a frame")
    assert megabytes < 12
    assert frames[6] < 1000  # also on a busy machine; benchmarks/README.md has the number
