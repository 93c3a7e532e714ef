"""A table as a source: one row a track, with a column of paths, or of ids, and any others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from musicu.errors import SourceError
from musicu.ingest.columns import (
    ID_NAMES,
    PATH_NAMES,
    CellError,
    converter,
    extra_names,
    find_column,
    metadata_columns,
    plain,
    plain_types,
    text_column,
    text_of,
    typed_column,
    without_nan,
)
from musicu.ingest.delimited import csv_options, plain_suffix
from musicu.ingest.normalise import normalise
from musicu.ingest.path_list import (
    absolute,
    common_root,
    distinct_known,
    outside,
    relative_names,
)
from musicu.ingest.source_file import SourceFile, examine
from musicu.object_store import is_object
from musicu.records import Failure, counted

TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".parquet", ".pq"))

#: Columns whose cells may hold what means nothing there; in the others that is an error.
_DOUBTFUL = ("date", "original_date", "released", "track_number", "disc_number")

#: What else holds ids, in tables of what belongs together.
_KEYS = frozenset(("tracka", "trackb", "trackids", "playlistid", "pid", "userid"))
_ROWS_AT_ONCE = 10_000


def read_table(path: Path, without: str | None = None) -> pa.Table:
    """A CSV, TSV or Parquet file, text gzipped or not, but for a column of Parquet.

    Raises SourceError where it is none.
    """
    suffix = plain_suffix(path)
    if suffix not in TABLE_SUFFIXES:
        raise SourceError(
            f"the table {path} is none that we know: give CSV, TSV or Parquet, named so"
        )
    try:
        if suffix in (".parquet", ".pq"):
            with pq.ParquetFile(path) as file:
                names = file.schema_arrow.names
                table = file.read([n for n in names if n != without] if without else None)
            table.validate(full=True)  # text may hold bytes that are no text
            return table
        return _read_csv(path)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"the table {path} cannot be read: {reason}") from error


def _read_csv(path: Path) -> pa.Table:
    """A CSV file; ids, and what else we know the meaning of, are read as text: "007" stays so."""
    read, parse = csv_options(path)
    with pc_csv.open_csv(path, read_options=read, parse_options=parse) as reader:
        names = reader.schema.names
    known = set(metadata_columns(names).values())
    known.update(filter(None, (find_column(names, PATH_NAMES), find_column(names, ID_NAMES))))
    known.update(name for name in names if plain(name) in _KEYS)
    types = pc_csv.ConvertOptions(column_types={n: pa.string() for n in known})
    return pc_csv.read_csv(path, read, parse, types)


class TableSource:
    """The files that a table names, or the tracks without files, with what it says of them.

    has_files: whether there is a column of paths; `files` needs it, `tracks` is for the others.
    """

    def __init__(self, table: pa.Table, home: Path, root: Path | None) -> None:
        """Check the table; raises SourceError where its rows cannot be told apart or found.

        home: the folder that relative paths belong to where no root is given.
        """
        names = table.column_names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise SourceError(f"the table has several columns named {repeated[0]!r}: rename them")
        table, self._doubts = normalise(table)
        names = table.column_names
        has_ids = find_column(names, ID_NAMES) is not None
        self._path_column = _path_column(table, has_ids)
        self.has_files = self._path_column is not None
        rest = [name for name in names if name != self._path_column]
        self._id_column = find_column(rest, ID_NAMES)
        rest = [name for name in rest if name != self._id_column]
        self._metadata = metadata_columns(rest)
        used = set(self._metadata.values())
        self._extras = extra_names([name for name in rest if name not in used])
        self._table = plain_types(table)
        self._base = root or home
        self._root = root
        self._paths = self._texts(self._path_column, "path") if self._path_column else pa.array([])
        self._ids = self._texts(self._id_column, "id") if self._id_column else None
        self._check_unique()

    @property
    def count(self) -> int:
        """Rows of the table."""
        return int(self._table.num_rows)

    @property
    def extra_schema(self) -> pa.Schema:
        """The columns that METADATA has no place for, under the names they get."""
        fields = [self._table.schema.field(name) for name in self._extras]
        return pa.schema([pa.field(self._extras[f.name], f.type) for f in fields])

    def files(self) -> Iterator[SourceFile | Failure]:
        """One SourceFile a row, in the table's order, or the Failure of a file that is not there.

        Raises SourceError where a cell has no value of its column's type.
        """
        if not self.has_files:
            raise SourceError(f"the table names no files: it needs a column {PATH_NAMES[0]!r}")
        paths = [absolute(path, self._base) for path in self._paths.to_pylist()]
        root = str(self._root) if self._root else common_root(paths, self._base)
        names = relative_names(paths, root)
        id_names = distinct_known(names)
        for row, given in enumerate(self._rows()):
            name, id_name = names[row], id_names[row]
            track_id = self._ids[row].as_py() if self._ids is not None else None
            if name is None or id_name is None:
                yield outside(paths[row], root, track_id)
                continue
            found = examine(Path(paths[row]), name, id_name, root, track_id)
            yield replace(found, given=given) if isinstance(found, SourceFile) else found

    def tracks(self) -> pa.Table:
        """Each track's id with its typed values, in the table's order; raises as `files` does."""
        assert self._ids is not None
        given = self._given
        return pa.table([self._ids, *given.columns], names=["track_id", *given.column_names])

    def unread(self) -> Iterator[str]:
        """A sentence for each column of dates or places with cells that cannot be trusted."""
        yield from self._doubts
        for target, source in self._metadata.items():
            if target not in _DOUBTFUL or pa.types.is_nested(self._table[source].type):
                continue
            convert, column = converter(target), self._table[source]
            bad = {c for c in pc.unique(column).to_pylist() if text_of(c or "") and not convert(c)}
            if bad:
                cells = column.to_pylist()
                row = next(row for row, cell in enumerate(cells) if cell in bad)
                number = counted(sum(cell in bad for cell in cells), "cell")
                yield (
                    f"{number} of the column {source!r} cannot be read: left empty, the "
                    f"first in row {row + 1}: {cells[row]!r}"
                )

    def _texts(self, column: str, what: str) -> pa.Array:
        """A column as text without nulls."""
        texts = text_column(self._table[column])
        if texts.null_count:
            row = pc.index(pc.is_null(texts), True).as_py()
            raise SourceError(f"row {row + 1} of the table has no {what} ({column!r} is empty)")
        return texts

    def _check_unique(self) -> None:
        """Raise SourceError where two rows would be one track."""
        if self._ids is None:
            self._check(self._paths, "name the same file and there is no id column")
        else:
            self._check(self._ids, f"have the same id in {self._id_column!r}")

    @staticmethod
    def _check(values: pa.Array, complaint: str) -> None:
        if pc.count_distinct(values).as_py() == len(values):
            return
        rows: dict[str, int] = {}
        for row, value in enumerate(values.to_pylist()):
            if rows.setdefault(value, row) != row:
                raise SourceError(
                    f"rows {rows[value] + 1} and {row + 1} of the table {complaint}: {value!r}"
                )

    @cached_property
    def _given(self) -> pa.Table:
        """METADATA columns and extras, typed; null where a row says nothing."""
        columns = {new: _without_blanks(self._table[old]) for old, new in self._extras.items()}
        for target, source in self._metadata.items():
            try:
                columns[target] = typed_column(self._table[source], target)
            except CellError as error:
                raise SourceError(
                    f"row {error.row + 1} of the table: {source!r} is {error.cell!r}, which that "
                    "column cannot hold; correct it or rename the column"
                ) from None
        if "released" in columns:
            days = columns["released"].cast(pa.string())
            columns["date"] = pc.coalesce(columns["date"], days) if "date" in columns else days
        return pa.table(columns)

    def _rows(self) -> Iterator[dict[str, Any]]:
        """Each row's typed values, nulls left out."""
        for start in range(0, self.count, _ROWS_AT_ONCE):
            count = min(_ROWS_AT_ONCE, self.count - start)
            part = self._given.slice(start, count).to_pylist() if self._given.num_columns else []
            for row in part or [{}] * count:
                yield {name: value for name, value in row.items() if value is not None}


def _path_column(table: pa.Table, has_ids: bool) -> str | None:
    """The column that holds paths; None where ids alone say which track a row is."""
    names = table.column_names
    found = find_column(names, PATH_NAMES)
    if found and has_ids and _leads_away(table[found]):
        return None
    if found is None and not has_ids:
        raise SourceError(
            f"the table has no column of paths: it has {', '.join(map(repr, names)) or 'none'}; "
            "rename the one that holds them to 'path'; a table of tracks without files needs a "
            "column 'track_id'"
        )
    return found


def _without_blanks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of the source's own: "" and NaN are null."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    return without_nan(column)


def _leads_away(column: pa.ChunkedArray) -> bool:
    """Whether a column of addresses leads to the network, or to a service, and to no file."""
    first = next((str(cell) for cell in column.drop_null().slice(0, 1).to_pylist()), "")
    address = re.match(r"[a-z][a-z0-9+.-]+:", first) is not None
    return address and not first.startswith("file:") and not is_object(first)
