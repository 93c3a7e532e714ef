"""Listens as a source tells them, before it is known which tracks they are.

A source's reader makes a row of RAW of each record, in which a cell may be of any type that JSON
has: `text_in` and `number_in` take what makes sense, and RecordError says why a record is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from musicu.errors import SourceError
from musicu.ingest.columns import text_of
from musicu.ingest.date_columns import DateEvidence, doubts_of, read_moments
from musicu.listening.importers.notes import ReadingNotes
from musicu.tags.fields import clean

Row = dict[str, Any]

#: A row a listen, with whatever names its track. user: as the source says it; null for the one
#: person whose export it is. timestamp: null where unknown. path: of a file, in playlists.
RAW = pa.schema(
    [
        ("user", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("weight", pa.float32()),
        ("context", pa.string()),
        ("track_id", pa.string()),
        ("isrc", pa.string()),
        ("recording_mbid", pa.string()),
        ("artist", pa.string()),
        ("title", pa.string()),
        ("album", pa.string()),
        ("path", pa.string()),
    ]
)

#: From how long on a stream counts (support.spotify.com, "How we count streams").
COUNTED_MS = 30_000


class RecordError(SourceError):
    """A record that is no listen; says why, as "no title"."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a file, and how a row of RAW is made of one; `row` raises RecordError.

    In a row the timestamp is as the source writes it: `raw_table` reads it.
    """

    items: Iterable[Any]
    row: Callable[[Any], Row]


def rows_of(records: Records, where: str, notes: ReadingNotes) -> Iterator[Row]:
    """A row for each record that is a listen; what is none is counted."""
    for item in records.items:
        try:
            yield records.row(item)
        except RecordError as error:
            notes.leave_out(where, str(error))


def raw_table(
    rows: Iterable[Mapping[str, Any]], where: str = "", notes: ReadingNotes | None = None
) -> pa.Table:
    """Rows as a table of RAW: what is not given is null, an empty text too, and the weight 1.

    Timestamps may be numbers or text, read by the form of all of them (`ingest.date_columns`).
    """
    rows = list(rows)
    columns = {
        field.name: pa.array([_text(row.get(field.name)) for row in rows], pa.string())
        for field in RAW
        if field.name != "weight"
    }
    evidence = DateEvidence()
    evidence.add(columns["timestamp"])
    form = evidence.form()
    if notes is not None and form.doubts:
        notes.doubts += [f"{where}: {doubt}" for doubt in doubts_of("timestamp", form)]
    moments = read_moments(columns["timestamp"], form)
    if notes is not None:
        notes.leave_undated(where, moments, columns["timestamp"])
    columns["timestamp"] = moments
    columns["weight"] = pa.array([row.get("weight", 1.0) for row in rows], pa.float32())
    return pa.table([columns[name] for name in RAW.names], schema=RAW)


def members(record: Any) -> Row:
    """A record that has members; raises RecordError where it is something else."""
    if not isinstance(record, dict):
        raise RecordError("no object with members")
    return record


def text_in(record: Row, *names: str) -> str | None:
    """The first of some members that says something: a text, a number, or names in a list.

    A name may also stand in an object, under "#text" or "name".
    """
    return next(filter(None, (_said(record.get(name)) for name in names)), None)


def title_in(record: Row, *names: str) -> str:
    """The title; raises RecordError where there is none."""
    found = text_in(record, *names)
    if found is None:
        raise RecordError("no title")
    return found


def number_in(record: Row, name: str) -> float | None:
    """A finite number, which may be written as text."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def object_in(record: Row, name: str) -> Row:
    """A member that has members itself; {} where it is something else."""
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def stream_weight(played_ms: float | None, cut: bool = False) -> float:
    """What a stream weighs: 1 from 30 s on, a shorter one its part of that.

    cut: whether the listener went on to something else; before 30 s that is a skip, -1. Raises
    RecordError where nobody knows how long it was played.
    """
    if played_ms is None:
        raise RecordError("no number of milliseconds that it was played")
    part = min(1.0, max(0.0, played_ms / COUNTED_MS))
    return -1.0 if cut and part < 1 else part


def _said(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("#text") or value.get("name")
    if isinstance(value, list):
        return ", ".join(filter(None, map(_said, value))) or None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return text_of(value) if not isinstance(value, float) or math.isfinite(value) else None


def _text(value: Any) -> str | None:
    """A cell as text that Arrow takes; null where it says nothing."""
    if value is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return clean(str(value)) or None
    except ValueError:  # an integer of more digits than Python writes
        return None
