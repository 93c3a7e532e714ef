"""A table of tracks before its columns are typed: ids, dates and text as every table has them.

Ids are text (`ids.id_texts`), dates are ISO 8601 by the form of their column (`date_columns`),
text has no HTML entities, and a table that `musicu export` wrote is the table it was made of.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.schema import IDENTITY
from musicu.errors import SourceError
from musicu.ingest.columns import ID_NAMES, PATH_NAMES, find_column, metadata_columns
from musicu.ingest.date_columns import doubts_of, form_of, release_date
from musicu.ingest.ids import id_texts
from musicu.records import counted
from musicu.tags.entities import unescape

_DATES = ("date", "original_date", "released")
#: The columns that an export has beside what a source gave, whatever its format.
_OWN = frozenset(IDENTITY.names) - {"track_id", "path", "path_bytes"}


def normalise(table: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    """A table of tracks in plain cells, and a sentence for each thing about dates to be told.

    Cells that cannot be read stay as they are. Raises SourceError where ids are no ids.
    """
    table = _without_own(table)
    told: list[str] = []
    column = find_column(table.column_names, ID_NAMES)
    if column is not None and column != find_column(table.column_names, PATH_NAMES):
        if _is_rounded(table[column]):
            told.append(
                f"the column {column!r} holds ids above 2^53 as decimal numbers, whose last digits "
                "are lost: write them as text or whole numbers"
            )
        table = _with(table, column, _ids(table, column))
    for target, source in metadata_columns(table.column_names).items():
        if target in _DATES:
            table = _with(table, source, _iso_dates(table[source], source, told))
        elif pa.types.is_string(table[source].type):
            table = _with(table, source, _plain_text(table[source]))
    return table, tuple(told)


def _without_own(table: pa.Table) -> pa.Table:
    """The table without what a catalog keeps for itself, where an export has it."""
    if not set(table.column_names) >= _OWN | {"track_id", "path"}:
        return table
    roots, paths = (table[name].cast(pa.string()) for name in ("root", "path"))
    if paths.null_count + (pc.sum(pc.equal(paths, "")).as_py() or 0) == table.num_rows:
        return table.drop_columns(["path", *_there(table)])
    joined = pc.binary_join_element_wise(roots, paths, os.sep)
    whole = pc.if_else(pc.fill_null(pc.not_equal(roots, ""), False), joined, paths)
    return _with(table, "path", whole).drop_columns(_there(table))


def _there(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if name in _OWN or name == "path_bytes"]


def _ids(table: pa.Table, column: str) -> pa.ChunkedArray:
    try:
        ids = id_texts(table[column])
    except pa.ArrowException:
        what = f"the column {column!r} holds {table[column].type}"
        raise SourceError(f"{what}: ids are text or whole numbers") from None
    return pc.if_else(pc.equal(ids, ""), pa.scalar(None, pa.string()), ids)


def _is_rounded(column: pa.ChunkedArray) -> bool:
    """Whether ids went through floats that cannot tell them apart."""
    if pa.types.is_floating(column.type):
        return bool(pc.any(pc.greater(pc.abs(column), 2.0**53)).as_py())
    if not pa.types.is_string(column.type):
        return False
    form = r"^\s*(?:\d{16,}\.0|\d(?:\.\d+)?[eE]\+?(?:1[6-9]|2\d))\s*$"
    return bool(pc.any(pc.match_substring_regex(column, form)).as_py())


def _iso_dates(column: pa.ChunkedArray, name: str, told: list[str]) -> pa.ChunkedArray:
    """Dates as precise as they are known, "1997-05"; adds sentences on what to look at."""
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return column
    form = form_of(column, moments=False)
    told += [f"{doubt}: the year is kept" for doubt in doubts_of(name, form)]
    cells = column.combine_chunks()
    encoded = cells if pa.types.is_dictionary(cells.type) else cells.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    dates = [None if cell is None else release_date(cell, form) for cell in distinct]
    texts = [
        found.text if found else None if cell is None or cell != cell else str(cell)
        for cell, found in zip(distinct, dates, strict=True)
    ]
    late = [found is not None and found.first_day > date.today() for found in dates]
    told += _future(pa.array(late).take(encoded.indices), column, name)
    return pa.chunked_array([pa.array(texts, pa.string()).take(encoded.indices)])


def _future(late: pa.Array, column: pa.ChunkedArray, name: str) -> Iterator[str]:
    if count := pc.sum(late).as_py() or 0:
        row = pc.index(late, True).as_py()
        where = f"the first in row {row + 1}: {column[row].as_py()!s}"
        yield f"the column {name!r}: {counted(count, 'date')} in the future, {where}"


def _plain_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text without HTML entities."""
    if not pc.any(pc.match_substring(column, "&")).as_py():
        return column
    encoded = column.combine_chunks().dictionary_encode()
    texts = [unescape(text) for text in encoded.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string()).take(encoded.indices)])


def _with(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
