"""Tracks and vectors from a table without files: what a catalog holds of music it has not heard.

Rows are added, or laid over the tracks of the same id; nothing is removed. So each week's table of
releases can be given as it comes, and a table with more columns tells more of what is there.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.lock import write_lock
from musicu.catalog.manifest import TRACK_KEY, ModelEntry
from musicu.catalog.rows import Row, latest, vectors_by_track
from musicu.catalog.schema import TRACKS
from musicu.catalog.store import Change, Store
from musicu.errors import CatalogError, SourceError
from musicu.ingest.columns import ID_NAMES, find_column
from musicu.ingest.ids import id_texts
from musicu.tags.dates import parse_date


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: rows that the table has, that told nothing new, and laid over others."""

    tracks: int
    known: int
    updated: int


def import_rows(store: Store, rows: Iterable[tuple[str, Row]], extra: pa.Schema) -> Imported:
    """Take track ids with their given columns into a catalog whose lock the caller holds.

    Raises CatalogError where a column holds another type than the catalog has under its name.
    """
    table = store.read("tracks")
    stored = TRACKS.empty_table() if table is None else latest(table, "track_id")
    places = {track_id: i for i, track_id in enumerate(stored["track_id"].to_pylist())}
    given = dict(rows)
    older = [places[track_id] for track_id in given if track_id in places]
    before = {row["track_id"]: row for row in stored.take(pa.array(older, pa.int64())).to_pylist()}
    try:
        schema = pa.unify_schemas([stored.schema, extra], promote_options="permissive")
        laid = [_row(track_id, new, before.get(track_id)) for track_id, new in given.items()]
        changed = pa.Table.from_pylist(laid, schema=schema)
        both = pa.concat_tables([stored, changed], promote_options="permissive")
    except pa.ArrowException as error:
        raise CatalogError(
            f"the table does not fit the catalog {store.folder} ({error}): rename the column, or "
            "choose a new catalog"
        ) from error
    after = latest(both.cast(schema), "track_id")
    known = _unchanged(before, changed)
    if known < len(given) or schema != stored.schema:
        store.commit([Change("tracks", after, replace=True)])
    return Imported(len(given), known, len(before) - known)


def import_vectors(catalog: str | Path, table: pa.Table, column: str, model: str) -> int:
    """Take a list column of vectors into a catalog, under a model's name; returns how many.

    table: with a column of ids of tracks that the catalog has. Vectors are brought to unit length;
    a row whose vector is null, of zeros or not finite has none. Given again under the same name,
    vectors are added or replaced. Raises SourceError where ids or vectors make no sense, and
    CatalogError where the catalog has vectors of that name from elsewhere.
    """
    ids, values = _vectors(table, column)
    if repeated := [track_id for track_id, count in Counter(ids).items() if count > 1]:
        raise SourceError(
            f"{len(repeated)} ids of the table stand in several rows, the first is "
            f"{repeated[0]!r}: give each track one vector"
        )
    store = Store.open(Path(catalog))
    with write_lock(store.folder):
        store = Store.open(store.folder)  # as it is now that no one else writes
        entry = ModelEntry(imported_fingerprint(model, values.shape[1]), values.shape[1], TRACK_KEY)
        standing = store.manifest.models.get(model)
        if standing not in (None, entry):
            raise CatalogError(
                f"{store.folder} has other vectors under the name {model!r} ({standing.dim} "
                f"numbers, by {standing.key}; these have {entry.dim}): choose another name"
            )
        tracks = store.read("tracks", ["track_id"])
        known = set() if tracks is None else set(tracks["track_id"].to_pylist())
        strangers = [track_id for track_id in ids if track_id not in known]
        if strangers:
            raise SourceError(
                f"{len(strangers)} of the vectors belong to no track of {store.folder}, the first "
                f"to {strangers[0]!r}: scan the table first"
            )
        put_vectors(store, model, entry, ids, values, replace=False)
    return len(ids)


def imported_fingerprint(model: str, dim: int) -> str:
    """The fingerprint of vectors whose model is elsewhere: of their name and length."""
    return hashlib.sha256(f"imported {model} {dim}".encode()).hexdigest()[:16]


def put_vectors(
    store: Store,
    model: str,
    entry: ModelEntry,
    ids: Iterable[str],
    values: NDArray[np.float32],
    *,
    replace: bool,
) -> None:
    """Commit unit vectors float32 [tracks, dim] by track id, in final form.

    replace: in the place of all that the model had, or beside those of other tracks.
    """
    rows = vectors_by_track(list(ids), values)
    name = f"vectors/{model}"
    if not replace and model in store.manifest.models:
        keys, standing = store.read_vectors(model, TRACK_KEY, entry.dim)
        kept = pc.invert(pc.is_in(keys[TRACK_KEY], value_set=rows[TRACK_KEY]))
        chosen = np.flatnonzero(kept.to_numpy())
        older = vectors_by_track(keys[TRACK_KEY].take(chosen).to_pylist(), standing[chosen])
        rows = pa.concat_tables([older, rows])
    order = pc.sort_indices(rows, sort_keys=[(TRACK_KEY, "ascending")]).to_numpy()
    stacked = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    ordered = stacked.reshape(-1, entry.dim)[order]
    final = vectors_by_track(rows[TRACK_KEY].take(order).to_pylist(), ordered)
    store.commit([Change(name, final, replace=True)], {model: entry})


def _row(track_id: str, given: Row, before: Row | None) -> Row:
    """A track's row: what is given, over what was known; NaN says as little as null."""
    told = {name: value for name, value in given.items() if value == value}
    if "released" not in told and (day := parse_date(str(told.get("date", "")))) is not None:
        told["released"] = day.first_day
    return {**(before or {"gone": False}), **told, "track_id": track_id}


def _unchanged(before: dict[str, Row], changed: pa.Table) -> int:
    """How many of the rows stand in the catalog as they are given."""
    rows = changed.to_pylist()
    return sum(
        row["track_id"] in before
        and all(value == before[row["track_id"]].get(name) for name, value in row.items())
        for row in rows
    )


def _vectors(table: pa.Table, column: str) -> tuple[list[str], NDArray[np.float32]]:
    """Ids and unit vectors float32 [vectors, dim] of the rows that have one."""
    id_column = find_column(table.column_names, ID_NAMES)
    if id_column is None:
        raise SourceError("the table has no column of ids: name one 'track_id', so that each "
                          "vector finds its track")  # fmt: skip
    if column not in table.column_names:
        raise SourceError(
            f"the table has no column {column!r}, only {', '.join(table.column_names)}"
        )
    cells = table[column].to_pylist()
    lengths = {len(cell) for cell in cells if isinstance(cell, list)}
    if len(lengths) != 1 or not all(cell is None or isinstance(cell, list) for cell in cells):
        raise SourceError(
            f"the column {column!r} must hold lists of one length, not {table[column].type} of "
            f"lengths {sorted(lengths)[:5]}"
        )
    dim = lengths.pop()
    empty = [np.nan] * dim
    try:
        values = np.array([empty if cell is None else cell for cell in cells], np.float64)
    except (TypeError, ValueError):
        raise SourceError(f"the column {column!r} must hold lists of numbers") from None
    size = np.linalg.norm(values, axis=1)
    good = np.isfinite(size) & (size > 0)
    ids = id_texts(table[id_column]).to_pylist()
    kept = [str(track_id) for track_id, is_good in zip(ids, good, strict=True) if is_good]
    return kept, (values[good] / size[good, None]).astype(np.float32)
