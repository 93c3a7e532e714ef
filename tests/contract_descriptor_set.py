"""What every descriptor set keeps: inherit `DescriptorSetContract` and say its `name`."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from music import write

from musicu.catalog.catalog import Catalog
from musicu.catalog.store import Store
from musicu.errors import AudioError
from musicu.features.descriptor_sets import DescriptorSet, extract_row, load_descriptor_set
from musicu.pipeline.describe import FillOptions, describe_catalog
from musicu.pipeline.run import scan


class DescriptorSetContract:
    """name: that the set is registered under. units: whether its columns' metadata tells units."""

    name: str
    units = True

    @pytest.fixture
    def described(self) -> DescriptorSet:
        return load_descriptor_set(self.name)

    def test_the_name_ends_in_a_version(self, described: DescriptorSet) -> None:
        assert described.name.rpartition("-v")[2].isdigit()

    def test_the_first_column_is_the_hash_and_others_have_units(
        self, described: DescriptorSet
    ) -> None:
        first, *others = described.schema()
        assert (first.name, first.type, first.nullable) == ("content_hash", pa.string(), False)
        assert others
        if self.units:
            assert all(b"unit" in (field.metadata or {}) for field in others)

    def test_a_row_fits_the_schema_and_comes_again(
        self, described: DescriptorSet, tmp_path: Path
    ) -> None:
        path = write(tmp_path / "a.flac", 1, seconds=4.0)
        schema = described.schema().remove(0)
        first, again = (
            pa.Table.from_pylist([extract_row(described, path)], schema=schema) for _ in range(2)
        )
        assert first.equals(again)
        assert any(value is not None for value in first.to_pylist()[0].values())

    def test_what_cannot_be_read_is_an_audio_error(
        self, described: DescriptorSet, tmp_path: Path
    ) -> None:
        (tmp_path / "bad.flac").write_bytes(b"no music")
        with pytest.raises(AudioError):
            described.extract(tmp_path / "bad.flac")

    def test_a_catalog_has_a_row_for_each_recording(
        self, described: DescriptorSet, tmp_path: Path
    ) -> None:
        for name in ("a", "b"):
            write(tmp_path / f"music/{name}.flac", 1, seconds=4.0)
        write(tmp_path / "music/c.flac", 2, seconds=4.0)
        (tmp_path / "music/bad.flac").write_bytes(b"no music")
        scan(tmp_path / "music", tmp_path / "out", jobs=1)
        options = FillOptions(jobs=1, executor="local")
        report = describe_catalog(tmp_path / "out", self.name, options=options)
        assert (report.recordings, report.done, report.known, report.failed) == (4, 2, 1, 1)
        table = Store.open(tmp_path / "out").read(described.table)
        assert table is not None
        assert table.num_rows == 2
        assert table.schema.equals(described.schema())
        (failure,) = Catalog.open(tmp_path / "out").failures().to_pylist()
        assert (failure["model"], failure["stage"]) == (self.name, described.stage)
        again = describe_catalog(tmp_path / "out", self.name, options=options)
        assert (again.done, again.known, again.remembered) == (0, 3, 1)
