"""The end of a run: what nothing uses any more, and the tables' final form."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.compaction import Fix, compact
from musicu.catalog.store import Store
from musicu.pipeline.known import GONE, Recordings, Tracks, hash_bytes
from musicu.pipeline.run_state import RunState
from musicu.pipeline.tasks import StageSpec

#: Tables with a row for each recording, by the hash of its sound, or for each track.
_BY_KEY = ("vectors/", "descriptors/", "fingerprints/", "recordings/")


def compact_tables(
    store: Store, state: RunState, stages: Sequence[StageSpec], *, prune: bool
) -> None:
    """Bring the tables of a run into their final form.

    It depends on what is in the catalog, not on the runs that it took. prune: without the tracks
    that are gone, and what only they used.
    """
    state.commit()
    loose = [bool(store.files(name)[1]) for name in ("tracks", *(stage.table for stage in stages))]
    for stage in stages:
        compact(store, stage.table, "content_hash")
    if prune or state.changed or any(loose):
        compact(store, "tracks", "track_id", _truth(state, prune))
    if prune:
        _drop_unused(store)


def _truth(state: RunState, prune: bool) -> Fix:
    """Brings rows of tracks up to what the run has found."""

    def apply(table: pa.Table) -> pa.Table:
        rows, known = state.tracks.rows(table["track_id"])
        if len(state.tracks):
            gone = pc.if_else(
                pa.array(known), pa.array(state.tracks.flags[rows] & GONE != 0), False
            )
            names = pa.array(state.tracks.root_names, pa.string())
            roots = names.take(pa.array(state.tracks.roots[rows]))
            roots = pc.if_else(pa.array(known), roots, table["root"])
            table = _with(_with(table, "root", roots), "gone", gone)
        if (read := state.embedded()) is not None:
            said = read.complete_of(hash_bytes(table["content_hash"]))
            complete = pc.if_else(pa.array(said >= 0), pa.array(said == 1), table["complete"])
            table = _with(table, "complete", complete)
        return table.filter(pc.invert(table["gone"])) if prune else table

    return Fix(["track_id", "root", "content_hash", "complete", "gone"], apply)


def _with(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    """A table with other values in a column."""
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(at), values)


def _drop_unused(store: Store) -> None:
    """Remove the rows of recordings, or tracks, that no track has any more."""
    recordings, tracks = Recordings.read(store, "tracks"), Tracks(store)

    def of_recordings(table: pa.Table) -> pa.Table:
        return table.filter(pa.array(recordings.holds(hash_bytes(table["content_hash"]))))

    def of_tracks(table: pa.Table) -> pa.Table:
        return table.filter(pa.array(tracks.rows(table["track_id"])[1]))

    for name, files in list(store.manifest.tables.items()):
        if name.startswith(_BY_KEY) and files:
            key = store.schema(files[0]).names[0]
            apply = of_tracks if key == "track_id" else of_recordings
            compact(store, name, key, Fix([key], apply))
