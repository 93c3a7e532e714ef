"""Listening logs as one table, and what can be wrong with one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.ingest.date_columns import DateForm, form_of, read_moments
from musicu.ingest.ids import id_texts
from musicu.records import check_kind, counted, id_list

#: A row a listen. weight: 1 for one listen, more for a count of them, below 0 for a skip.
LISTENS = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("track_id", pa.string(), nullable=False),
        ("timestamp", pa.timestamp("us", tz="UTC")),  # null where nobody knows when
        pa.field("weight", pa.float32(), nullable=False),
        ("context", pa.string()),  # a playlist, session or client, as the source says it
    ]
)

#: How a column is to be written, for people.
_FORMS = {
    "timestamp": "moments like 2026-05-21T08:00:00Z, or seconds since 1970",
    "weight": "numbers",
}
#: No sound was recorded before.
_FIRST_SOUND = datetime(1860, 1, 1, tzinfo=timezone.utc)
#: Clocks differ; a listen this far ahead of now is not yet a wrong one.
_TOLERANCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Checked:
    """Listens that can be worked with, and what was left out of them, counted.

    listens: the columns of LISTENS, in the order given.
    unknown: listens of tracks that the catalog does not have; they are not among the listens.
    duplicates: listens that repeat another in all columns; one of each is kept.
    future: listens later than a day from now, left out.
    unweighted: listens whose weight is not a finite number, left out.
    early: listens that are dated before sound was recorded; they count as undated.
    """

    listens: pa.Table
    unknown: int = 0
    duplicates: int = 0
    future: int = 0
    unweighted: int = 0
    early: int = 0

    def warnings(self) -> Iterator[str]:
        """A sentence for each thing that was left out."""
        if self.unknown:
            what = "tracks that are not in the catalog"
            yield f"{counted(self.unknown, 'listen')} of {what}: left out"
        if self.duplicates:
            yield f"{counted(self.duplicates, 'listen')} repeating another exactly: counted once"
        if self.future:
            yield f"{counted(self.future, 'listen')} in the future: left out"
        if self.unweighted:
            yield f"{counted(self.unweighted, 'listen')} with a weight that is no number: left out"
        if self.early:
            yield f"{counted(self.early, 'listen')} from before sound was recorded: undated"


def listens_table(listens: TableLike, dates: DateForm | None = None) -> pa.Table:
    """A table in the columns and types of LISTENS; weight 1 and no context where it has none.

    A timestamp may also be a number or text, as `ingest.date_columns` reads them; without a time
    zone it counts as UTC. dates: the form of the whole column, of which the table is a part; its
    own where None. Raises QueryError where user_id or track_id is missing or empty somewhere, or a
    column cannot be read as its type.
    """
    table = as_table(listens, "the listens")
    repeated = [name for name in LISTENS.names if table.column_names.count(name) > 1]
    if repeated:
        raise QueryError(f"the listens have several columns {repeated[0]!r}: rename them")
    missing = [name for name in ("user_id", "track_id") if name not in table.column_names]
    if missing:
        raise QueryError(
            f"the listens have no column {missing[0]!r}, only {', '.join(table.column_names)}: "
            "name the columns user_id, track_id, timestamp and weight, or import the file with "
            "`musicu listens`"
        )
    columns = [_column(table, field, dates) for field in LISTENS]
    for field, column in zip(LISTENS, columns, strict=True):
        empty = pc.is_null(column)
        if pa.types.is_string(field.type):
            empty = pc.fill_null(pc.equal(column, ""), True)
        row = -1 if field.nullable else pc.index(empty, True).as_py()
        if row >= 0:
            raise QueryError(f"row {row + 1} of the listens has no {field.name}: fill or remove it")
    return pa.table(columns, schema=LISTENS)


def check_listens(
    table: TableLike,
    catalog_ids: Collection[str] | pa.Array | None = None,
    *,
    now: datetime | None = None,
) -> Checked:
    """Put listens into the form of LISTENS and take out, counted, what cannot be worked with.

    catalog_ids: the tracks that exist; all are taken as known where None. now: the present, for
    finding listens in the future. Repeated listens without a timestamp are all kept: nobody can
    tell a copy from a second listen. Raises QueryError as `listens_table` does, and where `now`
    has no time zone.
    """
    listens = listens_table(table)
    finite = pc.is_finite(listens["weight"])
    listens, unweighted = _kept(listens, finite)
    late = pc.fill_null(pc.greater(listens["timestamp"], latest(now)), False)
    listens, future = _kept(listens, pc.invert(late))
    listens, early = undated_before_sound(listens)
    listens, duplicates = _distinct(listens)
    unknown = 0
    if catalog_ids is not None:
        ids = catalog_ids if _is_arrow(catalog_ids) else pa.array(id_list(catalog_ids), pa.string())
        ids = id_texts(ids).combine_chunks()
        known = pc.is_in(listens["track_id"], value_set=ids)
        listens, unknown = _kept(listens, known)
    return Checked(listens, unknown, duplicates, future, unweighted, early)


def _is_arrow(ids: object) -> bool:
    return isinstance(ids, pa.Array | pa.ChunkedArray)


def latest(now: datetime | None = None) -> pa.Scalar:
    """The last moment that a listen can have: a day from now, as clocks differ."""
    moment = utc(now) if now is not None else datetime.now(timezone.utc)
    return pa.scalar(moment + _TOLERANCE, LISTENS.field("timestamp").type)


def utc(moment: datetime) -> datetime:
    """A moment in UTC; raises QueryError where it has no time zone."""
    check_kind("now", moment, datetime, "a datetime with a time zone")
    if moment.tzinfo is None:
        raise QueryError(f"now is {moment!r}: give it a time zone, as tzinfo=timezone.utc")
    return moment.astimezone(timezone.utc)


def undated_before_sound(listens: pa.Table) -> tuple[pa.Table, int]:
    """Listens or raw rows whose moment is null where no sound was recorded yet, and how many."""
    moments = listens["timestamp"]
    early = pc.fill_null(pc.less(moments, pa.scalar(_FIRST_SOUND, moments.type)), False)
    count = pc.sum(early).as_py() or 0
    if not count:
        return listens, 0
    known = pc.if_else(early, pa.scalar(None, moments.type), moments)
    return listens.set_column(listens.column_names.index("timestamp"), "timestamp", known), count


def _kept(table: pa.Table, mask: pa.ChunkedArray) -> tuple[pa.Table, int]:
    kept = table.filter(mask)
    return kept, table.num_rows - kept.num_rows


def _distinct(listens: pa.Table) -> tuple[pa.Table, int]:
    """The listens without exact repetitions; undated ones are all kept."""
    keys = ["user_id", "track_id", "timestamp", "weight", "context"]
    numbered = listens.append_column("row", pa.array(np.arange(listens.num_rows)))
    first = numbered.group_by(keys).aggregate([("row", "min")])["row_min"].to_numpy()
    undated = np.flatnonzero(pc.is_null(listens["timestamp"]).to_numpy(zero_copy_only=False))
    rows = np.union1d(first, undated)
    if len(rows) == listens.num_rows:
        return listens, 0
    return listens.take(pa.array(rows)), listens.num_rows - len(rows)


def _column(table: pa.Table, field: pa.Field, dates: DateForm | None) -> pa.ChunkedArray:
    if field.name not in table.column_names:
        value = 1.0 if field.name == "weight" else None
        return pa.chunked_array([pa.repeat(pa.scalar(value, field.type), table.num_rows)])
    column = table[field.name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        if field.name == "timestamp":
            return _moments(column, field.type, dates or form_of(column))
        if field.name in ("user_id", "track_id"):
            return id_texts(column)
        return column.cast(field.type)
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0].partition(" as a scalar")[0]
        form = _FORMS.get(field.name, field.type)
        raise QueryError(
            f"the listens' column {field.name!r} cannot be read: {reason}; it holds {column.type} "
            f"and should hold {form}"
        ) from error


def _moments(column: pa.ChunkedArray, kind: pa.DataType, dates: DateForm) -> pa.ChunkedArray:
    """Moments of a column; raises QueryError where a cell has text and no moment that is sure."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
        moments = pa.chunked_array([_read_text(column.combine_chunks(), kind, dates)])
        lost = pc.and_(pc.is_null(moments), pc.fill_null(pc.not_equal(column, ""), False))
        row = pc.index(lost, True).as_py()
        if row >= 0 and column[row].as_py().strip() not in ("", "0"):
            why = f": {dates.doubts[0]}" if dates.doubts else ""
            raise QueryError(
                "the listens' column 'timestamp' cannot be read: Failed to parse string: "
                f"{column[row].as_py()!r}{why}; it should hold {_FORMS['timestamp']}"
            )
        return moments
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return column.cast(kind, safe=False)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise pa.ArrowInvalid(f"it holds {column.type}")
    return pa.chunked_array([read_moments(column, dates)])


def _read_text(texts: pa.Array, kind: pa.DataType, dates: DateForm) -> pa.Array:
    """ISO 8601 at the speed of Arrow where every cell is, else cell by cell."""
    nothing = pa.scalar(None, texts.type)
    cells = pc.if_else(pc.equal(texts, ""), nothing, texts)
    zoned = pc.match_substring_regex(cells, r"(Z|[+-]\d\d:?\d\d)$")
    try:
        local = pc.if_else(zoned, nothing, cells).cast(pa.timestamp(kind.unit))
        return pc.coalesce(pc.if_else(zoned, cells, nothing).cast(kind), local.cast(kind))
    except pa.ArrowException:
        return read_moments(texts, dates)
