"""Tables of any library as Arrow tables: pyarrow, pandas, Polars, DuckDB, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.schema import IDENTITY, METADATA
from musicu.errors import SourceError
from musicu.ingest.columns import ID_NAMES, find_column, plain_types
from musicu.ingest.table import TableSource, read_table
from musicu.ingest.table_import import with_release_day
from musicu.records import short


class ArrowStream(Protocol):
    """A table that hands out its columns: of pyarrow, pandas 2.2, Polars, DuckDB and others."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The Arrow stream of the table."""


#: What a table may be: an object of a table library, or the path of a CSV, TSV or Parquet file.
TableLike: TypeAlias = ArrowStream | str | Path


def is_table(data: object) -> bool:
    """Whether something has columns; one column alone is none."""
    if isinstance(data, type):
        return False
    columns = ("column_names", "columns", "schema")
    frame = hasattr(data, "__arrow_c_stream__") or _is_pandas(data)
    return frame and any(hasattr(data, name) for name in columns)


def as_table(data: TableLike, what: str = "the table") -> pa.Table:
    """A table as pyarrow has it, texts and lists in their plain types.

    An index of pandas is a column where it has a name. Raises SourceError where `data` is no
    table, or a column mixes kinds of values.
    """
    if isinstance(data, str | Path):
        return read_table(Path(data))
    if isinstance(data, pa.Table):
        return plain_types(data)
    if not is_table(data):
        raise SourceError(
            f"{what} is {short(data)}: give a table of pyarrow, pandas, Polars or DuckDB, or the "
            "path of a CSV, TSV or Parquet file"
        )
    try:
        table = pa.Table.from_pandas(data) if _is_pandas(data) else pa.table(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{what} cannot be read: {reason}; give each column one type") from error
    return plain_types(table.replace_schema_metadata())


def typed_tracks(data: TableLike) -> pa.Table:
    """A table of tracks with `track_id` and typed columns, as `musicu scan` puts it in a catalog.

    A catalog's own table stays as it is. Raises SourceError where there are no ids, two rows have
    one, or a cell has no value of its column's type.
    """
    table = as_table(data, "the table of tracks")
    types = dict(zip(table.column_names, table.schema.types, strict=True))
    if all(
        types.get(field.name) == field.type for field in (IDENTITY.field("track_id"), *METADATA)
    ):
        if pc.count_distinct(table["track_id"]).as_py() < table.num_rows:
            raise SourceError("two rows of the table have one track_id: keep one row of each track")
        return table
    if find_column(table.column_names, ID_NAMES) is None:
        raise SourceError(
            f"the table has no column 'track_id', only {', '.join(table.column_names)}"
        )
    return with_release_day(TableSource(table, Path.cwd(), None).tracks())


def _is_pandas(data: object) -> bool:
    kind = type(data)
    return kind.__name__ == "DataFrame" and kind.__module__.split(".")[0] == "pandas"
