"""EXPOSURES and OUTCOMES, version 1, and what a record must be to enter them.

An exposure is one track at one place of one page, with the probability (propensity) with which
whoever ordered the page put it there: 1 where nothing was left to chance. An outcome is what a
listener did. Both name listeners by their pseudonyms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.ingest.ids import id_texts
from musicu.records import short

FEEDBACK_VERSION = "1"
_METADATA = {"musicu.feedback": FEEDBACK_VERSION}
_MOMENT = pa.timestamp("us", "UTC")

EXPOSURES = pa.schema(
    [
        pa.field("exposure_id", pa.string(), nullable=False),
        pa.field("page_id", pa.string(), nullable=False),
        pa.field("surface", pa.string(), nullable=False),  # page, next, search, ...
        pa.field("shelf", pa.string(), nullable=False),
        pa.field("shelf_position", pa.int32(), nullable=False),  # of the shelf on the page, from 0
        pa.field("item_position", pa.int32(), nullable=False),  # on the shelf, from 0
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("policy", pa.string(), nullable=False),
        pa.field("policy_fingerprint", pa.string()),
        pa.field("propensity", pa.float64()),  # above 0, at most 1; null where nobody knows it
        pa.field("arm", pa.string()),  # of an experiment
        pa.field("context", pa.string()),  # JSON
        pa.field("shown_at", _MOMENT, nullable=False),
    ],
    metadata=_METADATA,
)
OUTCOMES = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("exposure_id", pa.string()),  # null where it came from no page of ours
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("milliseconds", pa.int64()),  # listened
        pa.field("at", _MOMENT, nullable=False),
    ],
    metadata=_METADATA,
)

#: What a listener can do, and what it means.
OUTCOME_KINDS = {
    "played": "listened to, for `milliseconds` where they are known",
    "skipped": "left before its end, after `milliseconds`",
    "saved": "kept in the library, or liked",
    "unsaved": "taken out of the library again",
    "added_to_playlist": "put into a playlist",
    "followed": "its artist was followed",
    "returned": "came back to it on another day",
    "dismissed": "wished not to be shown",
}
_LONGEST_MS = 24 * 3600 * 1000
_MOST_LETTERS = 1024  # of an id or a text
_EARLIEST = datetime(1990, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class RecordFault:
    """Why a record was left out. place: its number in the batch, from 0."""

    place: int
    field: str
    reason: str


def checked(
    records: Sequence[object], schema: pa.Schema
) -> tuple[list[dict[str, Any]], list[RecordFault]]:
    """The records that fit a schema, typed, and the fault of each other one.

    Moments may be ISO 8601 texts, datetimes, or seconds since 1970. Fields that the schema does
    not have are a fault too, so that a misspelt one is not lost in silence.
    """
    kept: list[dict[str, Any]] = []
    faults: list[RecordFault] = []
    for place, record in enumerate(records):
        try:
            kept.append(_typed(record, schema))
        except _FieldError as error:
            faults.append(RecordFault(place, error.field, error.reason))
    return kept, faults


def typed_outcomes(outcomes: TableLike) -> pa.Table:
    """Outcomes of any table library with the columns and types of OUTCOMES.

    `event_id`, `exposure_id` and `milliseconds` may be missing: each row is an event then, of no
    exposure, of an unknown length. Raises QueryError where another column is missing or is none.
    """
    table = as_table(outcomes, "the table of outcomes")
    missing = [n for n in ("user_id", "track_id", "kind", "at") if n not in table.column_names]
    if missing:
        raise QueryError(
            f"the outcomes have no column {missing[0]!r}, only {', '.join(table.column_names)}"
        )
    columns = {name: table[name] for name in table.column_names}
    columns.setdefault("event_id", pa.array(map(str, range(table.num_rows)), pa.string()))
    for field in OUTCOMES:
        columns.setdefault(field.name, pa.nulls(table.num_rows, field.type))
        try:
            columns[field.name] = _typed_column(columns[field.name], field)
        except pa.ArrowException as error:
            raise QueryError(
                f"column {field.name!r} holds {columns[field.name].type}: it has to be {field.type}"
            ) from error
        if not field.nullable and columns[field.name].null_count:
            raise QueryError(f"column {field.name!r} has rows without a value: leave them out")
    unknown = set(pc.unique(columns["kind"]).to_pylist()) - set(OUTCOME_KINDS)
    if unknown:
        raise QueryError(f"a kind is {min(unknown)!r}: it is one of {', '.join(OUTCOME_KINDS)}")
    return pa.table([columns[field.name] for field in OUTCOMES], schema=OUTCOMES)


def _typed_column(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    if field.type == _MOMENT and not pa.types.is_timestamp(column.type):
        raise pa.ArrowInvalid("no moments")
    if field.name.endswith("_id"):
        return id_texts(column)
    return column.cast(field.type, safe=field.type != _MOMENT)


class _FieldError(Exception):
    """One field of one record."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


def _typed(record: object, schema: pa.Schema) -> dict[str, Any]:
    if not isinstance(record, Mapping):
        raise _FieldError("", f"a record is an object, and this is {type(record).__name__}")
    readers = _READERS[schema.names[0]]
    for name in record:
        if name not in readers:
            raise _FieldError(str(name)[:80], f"there is no such field: {', '.join(readers)}")
    found = {}
    for name, (nullable, read) in readers.items():
        value = record.get(name)
        if value is not None:
            value = read(name, value)
        elif not nullable:
            raise _FieldError(name, "is missing")
        found[name] = value
    return found


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _FieldError(name, "has to be a text that is not empty")
    if len(value) > _MOST_LETTERS:
        raise _FieldError(name, f"has {len(value)} letters, {_MOST_LETTERS} at most")
    if "\0" in value or not _is_encodable(value):
        raise _FieldError(name, "holds a character that no text has")
    if name == "kind" and value not in OUTCOME_KINDS:
        raise _FieldError("kind", f"{value!r} is none of {', '.join(OUTCOME_KINDS)}")
    return value


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # halves of surrogate pairs
        return False
    return True


def _number(name: str, value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise _FieldError(name, f"{short(value)} is no number")
    if name == "propensity":
        if not 0 < value <= 1:
            raise _FieldError("propensity", f"{value} has to be above 0 and at most 1")
        return float(value)
    most = _LONGEST_MS if name == "milliseconds" else 2**31 - 1
    if not 0 <= value <= most or value != int(value):
        raise _FieldError(name, f"{value} has to be a whole number from 0 to {most}")
    return int(value)


def _moment(name: str, value: Any) -> datetime:
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        elif isinstance(value, datetime):
            found = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, timezone.utc)
        else:
            raise ValueError
        found = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        found = found.astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise _FieldError(name, f"{value!r} is no moment like 2026-05-21T08:00:00Z") from None
    if not found >= _EARLIEST:
        raise _FieldError(name, f"{value!r} lies before 1990")
    return found


def _reader(field: pa.Field) -> tuple[bool, Callable[[str, Any], Any]]:
    """Whether a field may be missing, and what reads it."""
    if field.type == _MOMENT:
        return field.nullable, _moment
    return field.nullable, _text if pa.types.is_string(field.type) else _number


#: What reads each field, by the first field of a schema: asking Arrow each time takes longer.
_READERS = {
    schema.names[0]: {field.name: _reader(field) for field in schema}
    for schema in (EXPOSURES, OUTCOMES)
}
