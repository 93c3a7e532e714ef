"""The parts of the documentation site that are made from the code and from measurements."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "docs/site"))

import api_page  # noqa: E402 - beside the site's pages
import command_pages  # noqa: E402
import plots  # noqa: E402

RESULTS = sorted((ROOT / "benchmarks/results").glob("*.json"))


def test_every_command_and_option_is_on_the_page_of_commands() -> None:
    from test_cli_help import COMMANDS

    page = command_pages.page()
    for name, command in COMMANDS.items():
        if name == "musicu":
            continue
        assert f" {name}\n" in page
        for parameter in command.params:
            longest = max(parameter.opts, key=len)
            assert parameter.param_type_name == "argument" or longest in page


def of_row(drawn: str, place: int) -> dict[str, float]:
    figure = ElementTree.fromstring(drawn)
    circles = [e for e in figure.iter() if e.tag.endswith("circle")]
    bars = [e for e in figure.iter() if (e.get("class") or "").startswith("bar")]
    return {
        "x": float(circles[place].get("cx", "nan")),
        "low": float(bars[place].get("x1", "nan")),
        "high": float(bars[place].get("x2", "nan")),
    }


def test_a_plot_draws_what_was_measured_in_proportion() -> None:
    rows = [
        {"name": "a", "value": 0.5, "low": 0.25, "high": 1.0, "ours": True},
        {"name": "b <x>", "value": 0.25, "low": 0.0, "high": 0.5},
    ]
    told = {"title": "t", "unit": "u", "better": "high", "command": "c"}
    drawn = plots.draw({**told, "panels": [{"name": "p", "rows": rows}]})
    first, second = of_row(drawn, 0), of_row(drawn, 1)
    scale = first["high"] - plots.LEFT
    assert second["low"] == plots.LEFT
    assert (first["x"] - plots.LEFT) / scale == pytest.approx(0.5)
    assert (second["x"] - plots.LEFT) / scale == pytest.approx(0.25)
    assert "<x>" not in drawn


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_measurement_names_ours_and_a_command_that_is_there(path: Path) -> None:
    measured = json.loads(path.read_text("utf-8"))
    script = measured["command"].split("python ")[1].split()[0]
    assert (ROOT / script).is_file()
    assert measured["better"] in ("high", "low")
    for panel in measured["panels"]:
        assert any(row.get("ours") for row in panel["rows"])
        assert any(not row.get("ours") for row in panel["rows"])
    assert ElementTree.fromstring(plots.draw(measured)).tag == "figure"


def test_the_scores_of_the_default_model_are_drawn_from_its_card() -> None:
    folder = ROOT / "musicu/embeddings/models/musicu-audio-v2"
    card = json.loads((folder / "card.json").read_text("utf-8"))
    measured = plots.of_card(card)
    assert len(measured["panels"]) >= 5
    for panel in measured["panels"]:
        ours = [row for row in panel["rows"] if row["ours"]]
        assert len(ours) == 1
        assert ours[0]["low"] <= ours[0]["value"] <= ours[0]["high"]


def test_every_measurement_is_on_the_page_of_benchmarks() -> None:
    page = (ROOT / "docs/benchmarks.md").read_text("utf-8")
    assert RESULTS
    assert [path.stem for path in RESULTS if f"{{{{ plot {path.stem} }}}}" not in page] == []


def exporting() -> list[str]:
    import musicu

    found = [m.name for m in pkgutil.walk_packages(musicu.__path__, "musicu.") if m.ispkg]
    return [n for n in ["musicu", *found] if hasattr(importlib.import_module(n), "__all__")]


def test_what_packages_export_is_what_the_page_of_names_shows() -> None:
    assert sorted(api_page.PACKAGES) == sorted(exporting())
    page = api_page.page()
    for package in api_page.PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            found = getattr(module, name)
            assert inspect.ismodule(found) or f"{package}.{name}" in page
            called = inspect.isclass(found) or inspect.isfunction(found)
            assert not called or inspect.getdoc(found), f"{package}.{name} says nothing of itself"


def test_the_source_distribution_holds_all_that_its_tests_read() -> None:
    found = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if found.returncode:
        pytest.skip("this is no checkout")
    names = {line.partition("/")[0] for line in found.stdout.splitlines()}
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    (part,) = re.findall(r"targets\.sdist\]\ninclude = \[(.*?)\]", settings, re.DOTALL)
    held = re.findall(r'"([^"]+)"', part)
    left = {name for name in names if not any(fnmatch(name, each) for each in held)}
    assert left <= {".ci", ".gitignore", "pyproject.toml"}  # the last is always there
