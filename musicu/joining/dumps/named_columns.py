"""Any table whose columns the user names: CSV, TSV, JSON lines or Parquet, packed or not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from musicu.errors import SourceError
from musicu.ingest.columns import SYNONYMS, plain
from musicu.joining.given_file import GivenFile
from musicu.joining.join_records import RECORDS
from musicu.joining.row_readers import csv_rows, json_lines

#: What a mapping may call the columns of RECORDS.
NICKNAMES = {
    "id": "record_id",
    "mbid": "recording_mbid",
    "isrc": "isrcs",
    "artists": "artist",
    "duration": "duration_seconds",
    "released": "date",
    "genre": "genres",
    "plays": "popularity",
}
_ROWS = 32_768


def read_table(file: GivenFile) -> Iterator[pa.Table]:
    """The named columns of a table; those that nobody named are taken by common names."""
    for table in _tables(file):
        yield _chosen(table, file)


def _tables(file: GivenFile) -> Iterator[pa.Table]:
    if file.path.suffix.lower() in (".parquet", ".pq"):
        try:
            with pq.ParquetFile(file.path) as opened:
                for batch in opened.iter_batches(_ROWS):
                    yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowException) as error:
            raise SourceError(
                f"{file.path} is no Parquet file that can be read ({error})"
            ) from error
        return
    for part in file.parts():
        if any(word in part.name.lower() for word in (".json", ".ndjson")):
            objects = json_lines(file, part)
            while rows := [row for _, row in islice(objects, _ROWS)]:
                yield _flat(rows)
        else:
            yield from csv_rows(file, part)


def _flat(rows: list[dict[str, Any]]) -> pa.Table:
    """Objects as a table: numbers and texts as texts, lists of texts joined by ";"."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table(
        {name: pa.array([_cell(row.get(name)) for row in rows], pa.string()) for name in names}
    )


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, dict):
        return None
    if isinstance(value, list):
        return ";".join(str(one) for one in value if one is not None)
    return str(value)


def _chosen(table: pa.Table, file: GivenFile) -> pa.Table:
    made: dict[str, pa.ChunkedArray] = {}
    for ours, theirs in file.columns.items():
        if theirs not in table.column_names:
            raise SourceError(
                f"{file.path} has no column {theirs!r}, only {', '.join(table.column_names[:20])}"
            )
        made[NICKNAMES.get(ours, ours)] = table[theirs]
    if not file.columns:
        made = {ours: table[theirs] for ours, theirs in _guessed(table.column_names).items()}
    if not {"record_id", "recording_mbid", "track_id", "isrcs", "title"} & made.keys():
        raise SourceError(
            f"none of the columns of {file.path} says which recording a row means: name them, such "
            "as --columns id=COLUMN or --columns isrc=COLUMN,title=COLUMN,artist=COLUMN"
        )
    return pa.table(made)


def _guessed(names: list[str]) -> dict[str, str]:
    """Columns that are recognised by their names."""
    found: dict[str, str] = {}
    for ours in RECORDS.names:
        long = {
            "artist": "artists",
            "recording_mbid": "musicbrainz_recording_id",
            "isrcs": "isrc",
        }.get(ours, ours)
        words = [plain(ours), plain(long), *SYNONYMS.get(long, "").split()]
        name = next((name for word in words for name in names if plain(name) == word), None)
        if name is not None and name not in found.values():
            found[ours] = name
    return found
