"""Lines of a feedback table's journal: a checksum, and a batch of rows as JSON."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from musicu.listening.feedback.feedback_files import journal_name, journals, segments
from musicu.listening.feedback.feedback_schemas import OUTCOMES

Record = Mapping[str, Any]

_MOMENT = OUTCOMES.field("at").type


def line_of(records: Sequence[Record], schema: pa.Schema) -> bytes:
    """Records as a line: a list of the values of each, in the order of the schema."""
    columns = [[_plain(record[name]) for name in schema.names] for record in records]
    text = json.dumps(columns, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return checksummed(text)


def checksummed(text: bytes) -> bytes:
    """A line of JSON behind its checksum."""
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _plain(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return round((value - _EPOCH) / timedelta(microseconds=1))


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def journal_rows(folder: Path, schema: pa.Schema) -> Iterator[list[Any]]:
    """The rows of all journals that no segment covers, as lists in the order of the schema."""
    for number in open_journals(folder):
        yield from rows_of_journal(folder, number)


def open_journals(folder: Path) -> list[int]:
    """The numbers of the journals that no segment covers, rising."""
    covered = segments(folder)
    return [
        number
        for number in sorted(journals(folder))
        if not any(first <= number <= last for first, last, _ in covered)
    ]


def rows_of_journal(folder: Path, number: int) -> Iterator[list[Any]]:
    """The rows of one journal, up to a line that a crash cut short."""
    with (folder / journal_name(number)).open("rb") as lines:
        for line in lines:
            digest, _, text = line.rstrip(b"\n").partition(b" ")
            if not line.endswith(b"\n") or digest != b"%08x" % zlib.crc32(text):
                break
            yield from json.loads(text)


def rows_table(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """Rows of journals as a table."""
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [
        pa.array(column, pa.int64() if field.type == _MOMENT else field.type).cast(field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all of the bytes, where the system may take a part at a time."""
    view = memoryview(data)
    while view:
        written = file.write(view)
        view = view[written:]
