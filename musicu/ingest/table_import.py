"""Tracks from a table without files: what a catalog holds of music that it has not heard.

Rows are added, or laid over the tracks of the same id; nothing is removed. So each week's table of
releases can be given as it comes, and a table with more columns tells more of what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.compaction import SortedStream, compact, rows_by_key
from musicu.catalog.rows import rising
from musicu.catalog.schema import TRACKS
from musicu.catalog.store import ROWS_PER_FILE, Change, Store
from musicu.errors import CatalogError
from musicu.progress import tell
from musicu.tags.dates import parse_date

_KEY = "track_id"


@dataclass(slots=True)
class RowImport:
    """What an import did: rows that the table has, that told nothing new, and laid over others."""

    tracks: int = 0
    known: int = 0
    updated: int = 0


def import_rows(store: Store, given: pa.Table) -> RowImport:
    """Take typed rows with a `track_id`, each id once, into a catalog whose lock the caller holds.

    Commits some ten thousand rows at a time, so that a run that is stopped leaves them to the next.
    Raises CatalogError where a column holds another type than the catalog has under its name.
    """
    stored = store.table_schema("tracks") or TRACKS
    try:
        schema = pa.unify_schemas([stored, given.schema], promote_options="permissive")
    except pa.ArrowException as error:
        raise CatalogError(
            f"the table does not fit the catalog {store.folder} ({error}): rename the column, or "
            "choose a new catalog"
        ) from error
    given = with_release_day(given)
    widened, done = not schema.equals(stored), RowImport()
    for rows, before in _beside_stored(store, given, stored):
        laid = _laid(rows, before, schema)
        known = _unchanged(laid, before, given.column_names)
        done.tracks += rows.num_rows
        done.known += int(known.sum())
        done.updated += int(pc.sum(pc.is_valid(before[_KEY])).as_py() or 0) - int(known.sum())
        changed = laid if widened else laid.filter(pa.array(~known))
        if changed.num_rows:
            store.commit([Change("tracks", changed)])
    compact(store, "tracks", _KEY)
    return done


def with_release_day(given: pa.Table) -> pa.Table:
    """The rows with the first day that their date covers, where they do not say it."""
    if "date" not in given.column_names:
        return given
    dates = given["date"].combine_chunks().dictionary_encode()
    read = [parse_date(text) for text in dates.dictionary.to_pylist()]
    days = pa.array([day and day.first_day for day in read], pa.date32()).take(dates.indices)
    if "released" not in given.column_names:
        return given.append_column("released", days)
    place = given.column_names.index("released")
    return given.set_column(place, "released", pc.coalesce(given["released"], days))


def _beside_stored(
    store: Store, given: pa.Table, stored: pa.Schema
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Some rows by id, and beside each what the catalog has of it: null where it is new."""
    if not rising(given[_KEY]):
        order = pc.sort_indices(given[_KEY])
    else:
        order = pa.array(np.arange(given.num_rows))
    standing = SortedStream(rows_by_key(store, "tracks", _KEY), _KEY)
    for start in range(0, given.num_rows, ROWS_PER_FILE):
        tell("taking in the table", start, given.num_rows, "rows")
        rows = given.take(order.slice(start, ROWS_PER_FILE)).combine_chunks()
        ids = rows[_KEY].combine_chunks()
        after = order.slice(start + ROWS_PER_FILE, 1)
        end = given[_KEY][after[0].as_py()].as_py() if len(after) else None
        same = [part.filter(pc.is_in(part[_KEY], value_set=ids)) for part in standing.below(end)]
        held = pa.concat_tables([stored.empty_table(), *same], promote_options="permissive")
        yield rows, held.take(pc.index_in(ids, value_set=held[_KEY].combine_chunks()))


def _laid(rows: pa.Table, before: pa.Table, schema: pa.Schema) -> pa.Table:
    """What is given, over what was known."""
    columns = []
    for field in schema:
        known = before[field.name] if field.name in before.column_names else None
        told = rows[field.name] if field.name in rows.column_names else known
        if told is None:
            columns.append(pa.nulls(rows.num_rows, field.type))
        elif known is None or told is known:
            columns.append(told.cast(field.type))
        else:
            columns.append(pc.coalesce(told.cast(field.type), known.cast(field.type)))
    laid = pa.table(columns, names=schema.names)
    place = schema.get_field_index("gone")
    laid = laid.set_column(place, "gone", pc.fill_null(laid["gone"], False))
    return laid.cast(schema)


def _unchanged(laid: pa.Table, before: pa.Table, told: list[str]) -> NDArray[np.bool_]:
    """Which rows stand in the catalog as they are given: bool [rows]."""
    same: NDArray[np.bool_] = pc.is_valid(before[_KEY]).to_numpy()
    for name in told:
        if name not in before.column_names:
            same = same & ~pc.is_valid(laid[name]).to_numpy()
        else:
            same = same & _equal(laid[name], before[name].cast(laid[name].type))
    return same


def _equal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which cells are the same, null included: bool [cells]."""
    if one.equals(other):
        return np.ones(len(one), np.bool_)
    if pa.types.is_nested(one.type):
        pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
        return np.fromiter((a == b for a, b in pairs), np.bool_, len(one))
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    return np.asarray(pc.coalesce(pc.equal(one, other), both_null).to_numpy(), np.bool_)
