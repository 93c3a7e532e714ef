"""Descriptor sets keep the contract, stand beside each other, and are found by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from contract_descriptor_set import DescriptorSetContract
from music import write

from musicu.catalog.catalog import Catalog
from musicu.errors import QueryError, RegistryError
from musicu.features.descriptor_sets import DESCRIPTOR_SETS, DescriptorSet, extract_row
from musicu.pipeline.describe import FillOptions, describe_catalog
from musicu.pipeline.run import scan

LOCAL = FillOptions(executor="local")


class TestDescriptors(DescriptorSetContract):
    name = "musicu-descriptors-v2"


class TestFirstDescriptors(DescriptorSetContract):
    name = "musicu-descriptors-v1"


class TestFingerprint(DescriptorSetContract):
    name = "musicu-fingerprint-v2"
    units = False  # they stand in its columns' names, and its bytes stay as they are


class TestStatistics(DescriptorSetContract):
    name = "musicu-statistics-v1"


def test_every_set_that_comes_with_musicu_is_tested_here() -> None:
    classes = (TestDescriptors, TestFirstDescriptors, TestFingerprint, TestStatistics)
    assert set(DESCRIPTOR_SETS.builtins) == {each.name for each in classes}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    for i in range(2):
        write(tmp_path / f"music/{i}.flac", i, seconds=4.0)
    scan(tmp_path / "music", tmp_path / "out", jobs=1)
    return tmp_path / "out"


def test_a_catalog_holds_several_sets(out: Path) -> None:
    describe_catalog(out, "musicu-statistics-v1", options=LOCAL)
    describe_catalog(out, options=LOCAL)
    catalog = Catalog.open(out)
    assert catalog.descriptor_sets() == ["musicu-descriptors-v2", "musicu-statistics-v1"]
    assert "tempo_bpm" in catalog.descriptors().column_names
    described = Catalog.open(catalog.path).columns(["track_id", "tempo_bpm", "key"])
    assert described.equals(catalog.tracks().select(["track_id", "tempo_bpm", "key"]))
    found = catalog.descriptors("musicu-statistics-v1")
    assert found.column_names[:2] == ["track_id", "colour"]
    assert found.num_rows == 2


def test_long_columns_do_not_stand_beside_the_tracks(out: Path) -> None:
    for name in ("musicu-statistics-v1", "musicu-descriptors-v2"):
        describe_catalog(out, name, options=LOCAL)
    names = set(Catalog.open(out).tracks().column_names)
    assert "tempo_bpm" in names
    assert not names & {"colour", "pitch", "beats_seconds"}


def test_rows_of_the_first_set_stand_in_until_there_are_some_of_the_second(
    out: Path, tmp_path: Path
) -> None:
    describe_catalog(out, "musicu-descriptors-v1", options=LOCAL)
    before = Catalog.open(out)
    assert before.descriptor_sets() == ["musicu-descriptors-v1"]
    assert before.descriptors().equals(before.descriptors("musicu-descriptors-v1"))
    write(tmp_path / "music/more.flac", 7, seconds=4.0)
    scan(tmp_path / "music", out, jobs=1)
    describe_catalog(out, options=LOCAL)
    tracks = Catalog.open(out).tracks()
    assert tracks["brightness_hz"].null_count == 0
    assert tracks["vocal_probability"].null_count == 0
    write(tmp_path / "music/last.flac", 8, seconds=4.0)
    scan(tmp_path / "music", out, jobs=1)
    describe_catalog(out, "musicu-descriptors-v1", options=LOCAL)
    catalog = Catalog.open(out)
    assert catalog.tracks()["brightness_hz"].null_count == 0
    assert catalog.tracks()["vocal_probability"].null_count == 1
    assert catalog.columns("vocal_probability")["vocal_probability"].null_count == 1
    assert catalog.descriptors().num_rows == 4


def test_a_set_that_a_catalog_lacks_is_an_error_that_names_what_it_has(out: Path) -> None:
    describe_catalog(out, options=LOCAL)
    with pytest.raises(QueryError, match=r"no descriptors of 'x-v1', only of musicu-descr.*--set"):
        Catalog.open(out).descriptors("x-v1")


def test_an_unknown_set_is_an_error_that_lists_the_known(out: Path) -> None:
    with pytest.raises(RegistryError, match=r"no descriptor set 'x-v1': known are musicu-descr"):
        describe_catalog(out, "x-v1", options=LOCAL)


class _Made(DescriptorSet):
    """A set that gives what a test says."""

    name = "made-v1"

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row

    def schema(self) -> pa.Schema:
        return pa.schema([("content_hash", pa.string()), ("size", pa.float32())])

    def extract(self, path: Path) -> dict[str, Any]:
        return self.row


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "its columns are size"),
        ({"size": 1.0, "more": 2.0}, "gave values of size, more"),
        ({"size": "large"}, "wrong type"),
        ({"size": [1.0]}, "wrong type"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(row: dict[str, Any], words: str) -> None:
    with pytest.raises(RegistryError, match=words):
        extract_row(_Made(row), Path("x"))
