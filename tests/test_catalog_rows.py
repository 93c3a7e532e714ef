"""Rows of the tables, from what the scan and the models say."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from musicu.catalog.rows import TableRows, tracks_table
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


@pytest.mark.parametrize("rows", [[], [3], [0, 4, 9], [9, 2, 2, 7], [5, 6, 0, 1]])
def test_rows_are_taken_from_the_pieces_of_a_table_in_their_order(rows: list[int]) -> None:
    table = pa.table({"n": list(range(10)), "words": [[str(n)] * (n % 3) for n in range(10)]})
    pieces = pa.concat_tables([table.slice(0, 4), table.slice(4, 0), table.slice(4)])
    found = TableRows(pieces).take(np.array(rows, np.int64))
    assert found.equals(table.take(pa.array(rows, pa.int64())))
