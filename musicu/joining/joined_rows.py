"""What the files of a source say of the tracks they were matched to, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.joining.record_matching import MATCHED_BY

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FileMatches:
    """The best record of each track in one file: rows with `_track` and `_way`, see `BestMatches`.

    day: of when the file is. listens: float64 [tracks] where it held listens, else None.
    """

    name: str
    day: date
    rows: pa.Table
    listens: NDArray[np.float64] | None = None


def joined_rows(source: str, ids: pa.Array, files: Sequence[FileMatches]) -> pa.Table:
    """A row for each matched track: track_id, matched_by, and a column for what is known of any.

    A value comes from the file that was matched by the surest way, then from the first one; beside
    it stand the file's name and day, `<column>_source` and `<column>_as_of`. ids: of all tracks.
    """
    count = len(ids)
    filled = [*files, *_counted(count, files)]
    places = [_places(file.rows, count) for file in filled]
    ways = [_ways(file.rows, count) for file in filled]
    way = np.min(ways, axis=0) if ways else np.full(count, len(MATCHED_BY))
    kept = np.flatnonzero(way < len(MATCHED_BY))
    made: dict[str, pa.Array] = {
        "track_id": ids.take(pa.array(kept)),
        "matched_by": pa.array(MATCHED_BY, pa.string()).take(pa.array(way[kept])),
    }
    metadata: dict[str, dict[str, str]] = {}
    names = dict.fromkeys(
        n for file in filled for n in file.rows.column_names if n[0] != "_" and n != "priority"
    )
    for name in names:
        values, owner = _merged(name, filled, places, ways, kept)
        if values is None:
            continue
        days = [filled[number].day for number in np.unique(owner[owner >= 0]).tolist()]
        metadata[name] = {"source": source, "as_of": max(days).isoformat()}
        made[name] = values
        owners = pa.array(owner, mask=owner < 0)
        made[f"{name}_source"] = pa.array([file.name for file in filled], pa.string()).take(owners)
        made[f"{name}_as_of"] = pa.array([file.day for file in filled], pa.date32()).take(owners)
    fields = [
        pa.field(name, column.type, metadata=metadata.get(name)) for name, column in made.items()
    ]
    return pa.Table.from_arrays(list(made.values()), schema=pa.schema(fields))


def _counted(count: int, files: Sequence[FileMatches]) -> list[FileMatches]:
    """The listens of all files together, as the popularity that a file of its own would tell."""
    counted = [file for file in files if file.listens is not None]
    heard_in = [file.listens for file in files if file.listens is not None]
    if not heard_in:
        return []
    listens = np.sum(heard_in, axis=0)
    way = np.min([_ways(file.rows, count) for file in counted], axis=0)
    heard = np.flatnonzero((listens > 0) & (way < len(MATCHED_BY)))
    rows = pa.table({"popularity": listens[heard], "_track": heard, "_way": way[heard]})
    names = (
        counted[0].name if len(counted) == 1 else f"{counted[0].name} and {len(counted) - 1} more"
    )
    return [FileMatches(names, max(file.day for file in counted), rows)]


def _merged(
    name: str, files: Sequence[FileMatches], places: list[Ints], ways: list[Ints], kept: Ints
) -> tuple[pa.Array | None, Ints]:
    """A column's values (None where none is known) and the file of each, -1 for none."""
    columns, starts, start = [], [], 0
    taken = np.full(len(kept), -1, np.int64)
    owner = np.full(len(kept), -1, np.int64)
    for file in files:
        starts.append(start)
        if name in file.rows.column_names:
            columns.append(file.rows[name])
            start += file.rows.num_rows
    for way in range(len(MATCHED_BY)):
        for number, file in enumerate(files):
            if name not in file.rows.column_names or not file.rows.num_rows:
                continue
            at = places[number][kept]
            known = pc.is_valid(file.rows[name]).to_numpy(zero_copy_only=False)
            free = (taken < 0) & (at >= 0) & (ways[number][kept] == way)
            free[free] = known[at[free]]
            taken[free], owner[free] = starts[number] + at[free], number
    if not (taken >= 0).any():
        return None, owner
    whole = pa.concat_tables([pa.table({"v": c}) for c in columns], promote_options="permissive")[
        "v"
    ]
    return whole.combine_chunks().take(pa.array(taken, mask=taken < 0)), owner


def _places(rows: pa.Table, count: int) -> Ints:
    """Where each track's row stands, int64 [tracks], -1 for none."""
    found = np.full(count, -1, np.int64)
    found[rows["_track"].to_numpy()] = np.arange(rows.num_rows)
    return found


def _ways(rows: pa.Table, count: int) -> Ints:
    found = np.full(count, len(MATCHED_BY), np.int64)
    found[rows["_track"].to_numpy()] = rows["_way"].to_numpy()
    return found
