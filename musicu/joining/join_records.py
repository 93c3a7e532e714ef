"""Records: what a join file says of recordings, as one schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.joining.join_notes import JoinNotes
from musicu.tags.dates import parse_date

#: What every format may say of a recording; what it does not know is null.
RECORDS = pa.schema(
    [
        ("record_id", pa.string()),  # the source's own id
        ("recording_mbid", pa.string()),
        ("track_id", pa.string()),  # of the catalog
        ("path", pa.string()),  # where the source's own distribution has the file: "14/214"
        ("isrcs", pa.list_(pa.string())),
        ("title", pa.string()),
        ("artist", pa.string()),  # the whole credit
        ("album", pa.string()),
        ("duration_seconds", pa.float64()),
        ("compilation", pa.bool_()),
        ("priority", pa.float64()),  # of records that fit equally well the lowest is taken
        ("listens", pa.float64()),  # is summed over all rows of a recording
        ("date", pa.string()),
        ("original_date", pa.string()),
        ("popularity", pa.float64()),
        ("genres", pa.list_(pa.string())),
        ("label", pa.string()),
        ("country", pa.string()),
        ("language", pa.string()),
    ]
)
#: Those that only serve to find the track.
ONLY_TO_MATCH = ("track_id", "path", "compilation", "priority", "listens")

LONGEST_NAME = 1_000
_ROWS = 32_768
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_ISRC = r"^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$"
_LONGEST_SECONDS = 360_000.0
_DATES = ("date", "original_date")


def as_records(table: pa.Table, notes: JoinNotes, where: str) -> pa.Table:
    """A format's table with the columns of RECORDS, then its own; rows that name nothing left out.

    Values that cannot be of their column become null and are counted.
    """
    columns = {f.name: _column(table, f.name, f.type, notes) for f in RECORDS}
    for name in table.column_names:
        columns.setdefault(name, _whole(table[name]))
    columns["recording_mbid"] = _mbids(columns["recording_mbid"], notes)
    columns["isrcs"] = _isrcs(columns["isrcs"], notes)
    for name in _DATES:
        columns[name] = _dates(columns[name], notes, name)
    columns["duration_seconds"] = _within(columns["duration_seconds"], _LONGEST_SECONDS, notes)
    for name in ("popularity", "listens"):
        columns[name] = _within(columns[name], math.inf, notes, name)
    made = pa.table(columns)
    return _without_nameless(made, notes, where)


def record_tables(rows: Iterable[Mapping[str, Any]]) -> Iterator[pa.Table]:
    """Rows as tables, some thousand rows each, as they come."""
    found: list[Mapping[str, Any]] = []
    for row in rows:
        found.append(row)
        if len(found) >= _ROWS:
            yield records_of(found)
            found = []
    if found:
        yield records_of(found)


def records_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of the columns of RECORDS that any of them has."""
    names = dict.fromkeys(name for row in rows[:64] for name in row)
    fields = [RECORDS.field(name) for name in names]
    return pa.Table.from_pylist(list(rows), schema=pa.schema(fields))


def table_of(columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Columns of RECORDS, given as lists of cells of the right kind."""
    return pa.table(
        {name: pa.array(cells, RECORDS.field(name).type) for name, cells in columns.items()}
    )


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # of pyarrow before 15, or empty
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], column.type)
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def _column(table: pa.Table, name: str, kind: pa.DataType, notes: JoinNotes) -> pa.Array:
    if name not in table.column_names:
        return pa.nulls(table.num_rows, kind)
    found = _whole(table[name])
    if pa.types.is_list(kind) and (
        pa.types.is_string(found.type) or pa.types.is_large_string(found.type)
    ):
        return pc.split_pattern_regex(found.cast(pa.string()), r"\s*[;|,]\s*")
    try:
        cast = found.cast(kind)
    except pa.ArrowException:
        cast = pa.array(_converted(found, kind, name, notes), kind)
    if pa.types.is_string(kind):
        trimmed = pc.utf8_trim_whitespace(cast)
        return pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    return cast


def _converted(found: pa.Array, kind: pa.DataType, name: str, notes: JoinNotes) -> list[Any]:
    """Cells one by one; those that cannot be converted become null and are counted."""
    convert = _CONVERT.get(str(kind))
    made: list[Any] = []
    for cell in found.to_pylist():
        try:
            made.append(None if cell is None or cell == "" else convert(cell) if convert else cell)
        except (TypeError, ValueError, OverflowError):
            notes.cells[f"{name} is not {_KINDS.get(str(kind), str(kind))}"] += 1
            made.append(None)
    return made


def _boolean(cell: Any) -> bool:
    said = str(cell).strip().lower()
    if said not in ("1", "0", "true", "false", "yes", "no", "t", "f"):
        raise ValueError(said)
    return said in ("1", "true", "yes", "t")


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "double": lambda cell: float(str(cell).replace(",", "") if isinstance(cell, str) else cell),
    "string": str,
    "bool": _boolean,
}
_KINDS = {"double": "a number", "string": "a text", "bool": "yes or no"}


def _mbids(texts: pa.Array, notes: JoinNotes) -> pa.Array:
    lower = pc.utf8_lower(texts)
    good = pc.match_substring_regex(lower, _UUID)
    notes_cells(notes, "recording_mbid is no UUID", pc.sum(pc.invert(good)).as_py())
    return pc.if_else(good, lower, None)


def _isrcs(lists: pa.Array, notes: JoinNotes) -> pa.Array:
    """ISRCs in capitals without signs; those that are none, and lists of none, are null."""
    if lists.null_count == len(lists):
        return lists
    flat = pc.replace_substring_regex(pc.utf8_upper(pc.list_flatten(lists)), r"[\s-]", "")
    good = pc.match_substring_regex(flat, _ISRC)
    empty = pc.fill_null(pc.equal(flat, ""), True)
    wrong = pc.sum(pc.and_(pc.invert(pc.fill_null(good, False)), pc.invert(empty))).as_py()
    notes_cells(notes, "isrcs holds what is no ISRC", wrong)
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    offsets = pa.array([0, *pc.cumulative_sum(lengths).to_pylist()], pa.int32())
    return pa.ListArray.from_arrays(offsets, pc.if_else(good, flat, None))


def _dates(texts: pa.Array, notes: JoinNotes, name: str) -> pa.Array:
    """Dates as ISO 8601, as precise as they are; "1999-03-00" is "1999-03"."""
    if texts.null_count == len(texts):
        return texts
    coded = texts.dictionary_encode()
    parsed = [parse_date(text) for text in coded.dictionary.to_pylist()]
    made = pa.array([found.text if found else None for found in parsed], pa.string())
    dates = made.take(coded.indices)
    notes_cells(notes, f"{name} is no date", dates.null_count - texts.null_count)
    return dates


def _within(
    numbers: pa.Array, top: float, notes: JoinNotes, name: str = "duration_seconds"
) -> pa.Array:
    """Numbers from 0 to `top`; others null. A length of 0 is not known."""
    if numbers.null_count == len(numbers):
        return numbers
    good = pc.and_(
        pc.is_finite(numbers), pc.and_(pc.greater_equal(numbers, 0.0), pc.less_equal(numbers, top))
    )
    notes_cells(notes, f"{name} is out of range", pc.sum(pc.invert(good)).as_py())
    kept = pc.if_else(good, numbers, None)
    return pc.if_else(pc.greater(kept, 0.0), kept, None) if name == "duration_seconds" else kept


def notes_cells(notes: JoinNotes, what: str, count: int | None) -> None:
    """Count cells that were left out."""
    if count:
        notes.cells[what] += count


def _without_nameless(table: pa.Table, notes: JoinNotes, where: str) -> pa.Table:
    """The rows by which a recording could be found at all."""
    long = _any(
        pc.greater(pc.utf8_length(table[name]), LONGEST_NAME) for name in ("title", "artist")
    )
    named = _any(
        pc.is_valid(table[name])
        for name in ("record_id", "recording_mbid", "track_id", "path", "isrcs", "title")
    )
    good = pc.and_(named, pc.invert(long))
    if pc.all(good).as_py():
        notes.read += table.num_rows
        return table
    for reason, wrong in (
        ("a name of more than 1,000 characters", long),
        ("a row without id, ISRC and title", pc.invert(named)),
    ):
        for row in table.filter(wrong).select(["title", "artist", "album"]).to_pylist():
            notes.damage(reason, where, " / ".join(str(v) for v in row.values() if v))
    kept = table.filter(good)
    notes.read += kept.num_rows
    return kept


def _any(masks: Iterable[Any]) -> Any:
    found: Any = None
    for mask in masks:
        known = pc.fill_null(mask, False)
        found = known if found is None else pc.or_(found, known)
    return found
