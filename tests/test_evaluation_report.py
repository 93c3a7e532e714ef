from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from musicu.evaluation import evaluate_vectors
from musicu.evaluation.charts import axis_end, number
from musicu.evaluation.vectors.evaluation_result import Evaluation
from musicu.evaluation.vectors.vector_map import draw_vectors
from musicu.shelves.map.projection import principal_components

HOSTILE = '"><script>alert(1)</script>'
VOID = {"meta", "rect", "path", "br"}


class ReportPage(HTMLParser):
    """Tags that are open, what was seen, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data.split("\n")


def measured() -> Evaluation:
    rng = np.random.default_rng(0)
    artist = np.repeat(np.arange(25), 4)
    table = pa.table(
        {
            "title": [f"{HOSTILE} {i}" for i in range(100)],
            "artist": [f"{HOSTILE}{a}" for a in artist],
            "genre": [f"<b>{a % 2}" for a in artist],
        }
    )
    vectors = {"mine": rng.normal(size=(25, 8))[artist] + rng.normal(size=(100, 8))}
    protocols = ("same-artist", "same-album", "neighbour-probe", "hubness", "cost")
    return evaluate_vectors(vectors, table, protocols=protocols, bootstrap=50)


def parse(text: str) -> ReportPage:
    page = ReportPage()
    page.feed(text)
    page.close()
    return page


def test_the_page_parses_stands_alone_and_has_every_number(tmp_path: Path) -> None:
    found = measured()
    text = found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    page = parse(text)
    assert page.open == []
    assert page.addresses == []
    assert not re.search(r"https?://|@import|url\(", text)
    words = {word.strip() for word in page.words}
    for row in found.to_table().to_pylist():
        for name in ("value", "low", "high", "difference", "diff_low", "diff_high"):
            assert number(row[name]) in words
    assert page.tags.count("circle") == 100
    assert any("Not measurable" in word for word in words)


def test_hostile_labels_stay_text(tmp_path: Path) -> None:
    text = measured().to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    page = parse(text)
    assert "script" not in page.tags
    assert any("<b>0" in word for word in page.words)
    assert any(HOSTILE in word for word in page.words)


def test_a_catalog_of_two_tracks_still_has_a_page(tmp_path: Path) -> None:
    found = evaluate_vectors({"m": np.eye(2)}, pa.table({"title": ["a", "b"]}), bootstrap=10)
    page = parse(found.to_html(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("circle") == 2


def test_the_map_keeps_far_groups_apart_and_names_them() -> None:
    rng = np.random.default_rng(1)
    kind = np.arange(80) % 2
    vectors = np.eye(6)[kind] + 0.05 * rng.normal(size=(80, 6))
    table = pa.table({"genre": [f"g{k}" for k in kind], "title": [f"t{i}" for i in range(80)]})
    data = evaluate_vectors({"m": vectors}, table, protocols=["cost"], bootstrap=0).data
    drawn = draw_vectors(data)
    assert (drawn.method, drawn.coloured_by) == ("t-SNE", "genre")
    places = np.array([(p.x, p.y) for p in drawn.points])
    kinds = np.array([p.kind for p in drawn.points])
    gap = np.linalg.norm(places[kinds == 0].mean(axis=0) - places[kinds == 1].mean(axis=0))
    assert gap > 2 * places[kinds == 0].std(axis=0).max()
    assert places.min() == pytest.approx(0, abs=1e-6)
    assert places.max() == pytest.approx(1)


def test_principal_directions_are_those_of_the_svd() -> None:
    vectors = np.random.default_rng(2).normal(size=(30, 5)).astype(np.float32)
    centred = vectors - vectors.mean(axis=0)
    expected = np.linalg.svd(centred, full_matrices=False)[1][:2]
    found = principal_components(vectors, 2)(vectors)
    assert np.linalg.norm(found, axis=0) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("largest", "end"), [(0, 1), (0.003, 0.01), (0.3, 0.5), (1.0, 1.0), (1.2, 2.0), (494, 500)]
)
def test_axes_end_at_round_numbers(largest: float, end: float) -> None:
    assert axis_end(largest) == pytest.approx(end)


def test_numbers_have_the_digits_that_matter() -> None:
    assert [number(v) for v in (0.12345, 1976.0, 12.34, None)] == ["0.123", "1,976", "12.3", ""]
