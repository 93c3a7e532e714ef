"""Segments of a feedback table: written of full journals, joined, read."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from musicu.catalog.files import write_atomically
from musicu.errors import CatalogError
from musicu.listening.feedback.feedback_files import Segment, segment_name
from musicu.listening.feedback.feedback_journal import rows_of_journal, rows_table
from musicu.listening.feedback.feedback_schemas import FEEDBACK_VERSION

SEGMENT_ROWS = 1_000_000  # that compaction puts into one file
_ROWS_AT_ONCE = 1_000
_SHARE = 0.3  # of the time, that making a segment beside other work takes


def read_segment(segment: Segment) -> pa.Table:
    """Its rows. Raises CatalogError where a newer version wrote it."""
    path = segment[2]
    table = pq.read_table(path)
    version = (table.schema.metadata or {}).get(b"musicu.feedback", b"?").decode()
    if version != FEEDBACK_VERSION:
        raise CatalogError(
            f"{path} has version {version} of the feedback tables, and this musicu reads "
            f"{FEEDBACK_VERSION}: install a newer one"
        )
    return table


def once(table: pa.Table, key: str) -> pa.Table:
    """The first row of each key, in order."""
    rows = pa.table({"key": table[key], "row": pa.array(np.arange(table.num_rows))})
    first = rows.group_by("key").aggregate([("row", "min")])["row_min"]
    if len(first) == table.num_rows:
        return table
    return table.take(pc.take(first, pc.sort_indices(first)))


def neighbours(found: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Runs of segments that together have at most a million rows."""
    group: list[Segment] = []
    rows = 0
    for segment in found:
        count = pq.read_metadata(segment[2]).num_rows
        if rows + count > SEGMENT_ROWS:
            if len(group) > 1:
                yield group
            group, rows = [], 0
        group.append(segment)
        rows += count
    if len(group) > 1:
        yield group


def write_segment(folder: Path, table: pa.Table, first: int, last: int) -> None:
    """Write the segment that covers some journals."""
    path = folder / segment_name(first, last)
    write_atomically(path, lambda file: pq.write_table(table, file, compression="zstd"))


def table_of_journals(folder: Path, numbers: Sequence[int], schema: pa.Schema) -> pa.Table:
    """The rows of full journals, read bit by bit, so that other threads of this process go on."""
    parts = [schema.empty_table()]
    for number in numbers:
        rows: list[Sequence[object]] = []
        began = time.thread_time()
        for row in rows_of_journal(folder, number):
            rows.append(row)
            if len(rows) >= _ROWS_AT_ONCE:
                parts.append(rows_table(rows, schema))
                rows = []
                time.sleep((time.thread_time() - began) * (1 / _SHARE - 1))
                began = time.thread_time()
        parts.append(rows_table(rows, schema))
    return pa.concat_tables(parts)
