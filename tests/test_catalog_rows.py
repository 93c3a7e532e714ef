"""Rows of the tables, from what the scan and the models say."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.catalog.rows import tracks_table
from musicu.ingest.track_rows import track_row
from musicu.ingest.track_source import SourceFile


def found_file(given: dict[str, Any]) -> SourceFile:
    return SourceFile("t", "/m", "a.mp3", None, Path("/m/a.mp3"), 1, 1, given)


def test_day_of_release_follows_from_the_date_even_where_tags_came_as_text() -> None:
    found = found_file({})
    row = track_row(found, {"date": "1997-05", "released": "1997-05-01"}, None, None)
    assert tracks_table([row], pa.schema([]))["released"].to_pylist() == [date(1997, 5, 1)]


def test_date_of_the_source_decides_the_day_of_release() -> None:
    found = found_file({"date": "2001"})
    row = track_row(found, {"date": "1997", "released": date(1997, 1, 1)}, None, None)
    assert row["released"] == date(2001, 1, 1)
