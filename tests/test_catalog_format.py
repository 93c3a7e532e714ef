"""Catalogs of earlier versions open and go on; those of later ones are refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from regenerate_catalog import FIXTURES, MUSIC, answers

from musicu.catalog.catalog import Catalog
from musicu.catalog.manifest import FORMAT_VERSION, read_manifest
from musicu.datasets import make_demo_music
from musicu.errors import CatalogError
from musicu.pipeline.run import EmbedOptions, run

OLD = FIXTURES / "catalog-0.1.0"


def recorded() -> dict[str, Any]:
    return dict(json.loads(OLD.with_name("catalog-0.1.0.json").read_text("utf-8")))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(OLD, tmp_path / "catalog")
    return tmp_path / "catalog"


def near(told: Any) -> Any:
    """The same with numbers that may differ in their last digits on another machine."""
    if isinstance(told, dict):
        return {name: near(value) for name, value in told.items()}
    if isinstance(told, list):
        return [near(value) for value in told]
    return pytest.approx(told, abs=1e-5) if isinstance(told, float) else told


def test_a_catalog_of_0_1_0_gives_the_answers_that_0_1_0_gave() -> None:
    assert json.loads((OLD / "manifest.json").read_text())["format"] == 1
    found = answers(OLD)
    assert found == near(recorded())
    assert list(found["models"]) == list(recorded()["models"])


def test_reading_an_old_catalog_changes_no_byte_of_it(copied: Path) -> None:
    before = (copied / "manifest.json").read_bytes()
    answers(copied)
    assert (copied / "manifest.json").read_bytes() == before


def test_the_next_write_migrates_a_catalog_and_keeps_its_answers(copied: Path) -> None:
    catalog = Catalog.open(copied)
    assert catalog.default_model == "tracks-v1"
    catalog.set_default_model("tracks-v1")
    document = json.loads((copied / "manifest.json").read_text())
    assert document["format"] == FORMAT_VERSION
    assert document["default_model"] == "tracks-v1"
    assert document["compacted"]["tracks"] == 1
    assert "settled" not in document
    assert answers(copied) == near(recorded())


def test_an_old_catalog_takes_more_tracks_and_vectors(copied: Path, tmp_path: Path) -> None:
    music = tmp_path / "Music"
    make_demo_music(music, **MUSIC)
    shutil.copy(sorted(music.rglob("*.flac"))[0], music / "new.flac")
    report = run(music, copied, model="musicu-stats-v1", options=EmbedOptions(jobs=1))
    assert (report.tracks, report.failed) == (8, 0)
    assert report.known + report.embedded + report.reused + report.updated == report.tracks
    catalog = Catalog.open(copied)
    assert len(catalog) == 9  # "no music.flac" lay in a folder that is out of sight: it stays
    assert catalog.default_model == recorded()["default"]
    assert len(catalog.vectors("tracks-v1").ids) == 8  # the track encoder has read the new one
    for model, told in recorded()["models"].items():
        assert catalog.model_entry(model)[1].fingerprint == told["fingerprint"]


def test_a_newer_format_is_refused_by_its_number(copied: Path) -> None:
    path = copied / "manifest.json"
    document = json.loads(path.read_text())
    document["format"] = FORMAT_VERSION + 1
    path.write_text(json.dumps(document))
    numbers = rf"format {FORMAT_VERSION + 1}, this version of musicu reads up to {FORMAT_VERSION}"
    with pytest.raises(CatalogError, match=numbers):
        read_manifest(copied)
