"""Files that are cut off are named, with how much of them was read."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile as sf
from click.testing import CliRunner
from music import RATE, piece

from musicu.catalog.catalog import Catalog
from musicu.catalog.incomplete import incomplete_tracks
from musicu.cli.inspect import failures
from musicu.pipeline.run import embed


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole file, the same cut after about a half, and one that holds no sound."""
    folder = tmp_path_factory.mktemp("incomplete") / "music"
    folder.mkdir()
    sf.write(folder / "whole.flac", piece(1, 12.0), RATE)
    data = (folder / "whole.flac").read_bytes()
    (folder / "cut.flac").write_bytes(data[: len(data) // 2])
    (folder / "broken.flac").write_bytes(b"not sound at all")
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["windows", "thorough"])
def catalog(music: Path, request: pytest.FixtureRequest) -> Catalog:
    out = music.parent / f"catalog-{request.param}"
    return embed(music, out, jobs=1, thorough=request.param).catalog


def test_a_file_that_is_cut_off_is_named_with_what_was_read(catalog: Catalog) -> None:
    (row,) = incomplete_tracks(catalog)
    seconds = row["heard_seconds"]
    assert (row["path"], row["stage"], row["duration_seconds"]) == ("cut.flac", "part", 12.0)
    assert 4.0 < seconds < 8.0
    assert row["reason"] == (
        f"only the first {seconds:.1f} s of 12.0 s could be read: "
        "replace the file with a whole copy, then run `musicu embed` again"
    )


def test_failures_lists_files_read_in_part_in_text_and_json(catalog: Catalog) -> None:
    text = CliRunner().invoke(failures, [str(catalog.path)]).stdout
    assert text.index("broken.flac") < text.index("read only in part") < text.index("cut.flac")
    assert "whole.flac" not in text
    lines = CliRunner().invoke(failures, [str(catalog.path), "--json"]).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["path"] for row in rows] == ["broken.flac", "cut.flac"]
    assert rows[1] == incomplete_tracks(catalog)[0]


def test_catalogs_of_earlier_versions_do_not_know_the_seconds(music: Path, tmp_path: Path) -> None:
    opened = embed(music, tmp_path / "old", jobs=1).catalog
    for file in opened.path.glob("vectors/*/*.parquet"):
        pq.write_table(pq.read_table(file).drop_columns(["heard_seconds"]), file)
    (row,) = incomplete_tracks(Catalog.open(opened.path))
    assert row["heard_seconds"] is None
    assert row["reason"].startswith("only a part could be read: ")
    (music / "new.flac").write_bytes((music / "whole.flac").read_bytes()[:-5000])
    again = embed(music, opened.path, jobs=1).catalog
    (music / "new.flac").unlink()
    assert [row["heard_seconds"] is None for row in incomplete_tracks(again)] == [True, False]
