"""Rows of the tables, from what the scan and the models say."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.schema import TRACKS, vectors_schema
from musicu.errors import CatalogError

Row = dict[str, Any]


def track_file(row: Mapping[str, Any]) -> Path:
    """Where a track's file lies, from its columns root, path and path_bytes."""
    exact = row["path_bytes"]
    return Path(row["root"], os.fsdecode(exact) if exact is not None else row["path"])


def tracks_table(rows: Sequence[Row], extra: pa.Schema) -> pa.Table:
    """Track rows as a table: the columns of TRACKS, then the source's own."""
    return pa.Table.from_pylist(list(rows), schema=pa.schema(list(TRACKS) + list(extra)))


def vector_column(values: NDArray[np.float32]) -> pa.FixedSizeListArray:
    """Vectors float32 [rows, dim] as one column."""
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def vectors_by_track(ids: Sequence[str], values: NDArray[np.float32]) -> pa.Table:
    """Vectors float32 [tracks, dim] as a table keyed by track id."""
    column = vector_column(values)
    count = len(values)
    nothing = [pa.nulls(count, pa.bool_()), pa.nulls(count, pa.float64())]
    arrays = [pa.array(ids, pa.string()), column, *nothing]
    return pa.Table.from_arrays(arrays, schema=vectors_schema(column.type.list_size, "track_id"))


def vectors_table(
    hashes: Sequence[str],
    vectors: Sequence[NDArray[np.float32]],
    complete: Sequence[bool],
    heard_seconds: Sequence[float | None] | None = None,
) -> pa.Table:
    """Vectors, each float32 [dim], as a table keyed by content hash.

    heard_seconds: of recordings that are not complete; None where not known.
    """
    column = vector_column(np.stack(vectors))
    heard = heard_seconds or [None] * len(hashes)
    arrays = [
        pa.array(hashes, pa.string()),
        column,
        pa.array(complete, pa.bool_()),
        pa.array(heard, pa.float64()),
    ]
    return pa.Table.from_arrays(arrays, schema=vectors_schema(column.type.list_size))


class TableRows:
    """Takes rows of a table piece by piece: `Table.take` copies whole columns of lists first."""

    def __init__(self, table: pa.Table) -> None:
        """Look at a table; nothing of it is copied."""
        self._schema = table.schema
        self._batches = table.to_batches()
        self._starts = np.cumsum([0, *(len(batch) for batch in self._batches)])

    def take(self, rows: NDArray[np.int64]) -> pa.Table:
        """Some rows in their order, as one piece."""
        order = np.argsort(rows, kind="stable")
        rising = rows[order]
        edges = np.searchsorted(rising, self._starts)
        parts = [
            self._batches[n].take(pa.array(rising[edges[n] : edges[n + 1]] - self._starts[n]))
            for n in np.flatnonzero(np.diff(edges)).tolist()
        ]
        found = pa.Table.from_batches(parts, self._schema).combine_chunks()
        if np.array_equal(rising, rows):
            return found
        places = np.empty(len(rows), np.int64)
        places[order] = np.arange(len(rows))
        return found.take(pa.array(places))


def latest(table: pa.Table, key: str) -> pa.Table:
    """One row a key, the last one written, sorted by key.

    Raises CatalogError where the table has no such column.
    """
    if key not in table.column_names:
        raise CatalogError(
            f"a table of the catalog has no column {key!r}: restore it or embed anew"
        )
    rows = latest_rows(table[key])
    in_form = len(rows) == table.num_rows and rising(rows)
    return table if in_form else table.take(rows)


def latest_rows(keys: pa.ChunkedArray) -> NDArray[np.int64]:
    """Where each key stands last, in the order of the keys: int64 [different keys]."""
    rows = np.arange(len(keys))
    if rising(keys):
        return rows  # in final form already
    numbered = pa.table({"key": keys, "row": rows})
    last = numbered.group_by("key").aggregate([("row", "max")])
    order = pc.sort_indices(last, sort_keys=[("key", "ascending")])
    found: NDArray[np.int64] = last["row_max"].take(order).to_numpy()
    return found


def same_texts(texts: NDArray[np.object_], column: pa.ChunkedArray) -> bool:
    """Whether texts are those of a column in its order; looks at a piece at a time."""
    starts = np.cumsum([0, *(len(chunk) for chunk in column.chunks)])
    return len(texts) == starts[-1] and all(
        pa.array(texts[start : start + len(chunk)], pa.string()).equals(chunk)
        for start, chunk in zip(starts.tolist(), column.chunks, strict=False)
    )


def rising(keys: Any) -> bool:
    """Whether every key is greater than the one before it, none of them null."""
    whole = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else pa.array(keys)
    if whole.null_count:
        return False
    return bool(pc.all(pc.less(whole[:-1], whole[1:])).as_py())


def with_earlier(rows: pa.Table | None, earlier: pa.Table | None) -> pa.Table | None:
    """The rows of a set, and below them those of the set before it that are of no recording here.

    Columns that the earlier set lacks are null in them.
    """
    if rows is None or earlier is None:
        return earlier if rows is None else rows
    here = pc.is_in(earlier["content_hash"], value_set=rows["content_hash"])
    others = earlier.filter(pc.invert(here))
    if not others.num_rows:
        return rows
    return pa.concat_tables([rows, others], promote_options="default")


def beside(tracks: pa.Table, described: pa.Table | None) -> pa.Table:
    """The tracks with what is known by content hash, under names that are still free."""
    if described is None:
        return tracks
    hashes = described["content_hash"].combine_chunks()
    rows = pc.index_in(tracks["content_hash"], value_set=hashes)
    found = described.select([n for n in described.column_names if n not in tracks.column_names])
    found = found.take(rows)
    for at, name in enumerate(found.column_names):
        tracks = tracks.append_column(found.schema.field(at), found[name])
    return tracks
