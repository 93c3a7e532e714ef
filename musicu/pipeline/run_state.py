"""What the catalog knows during a run, and what the run adds to it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from musicu.catalog.manifest import ModelEntry
from musicu.catalog.rows import Row, latest, tracks_table, vectors_table
from musicu.catalog.schema import FAILURES, TRACKS
from musicu.catalog.store import Change, Store
from musicu.embeddings.cards import ModelCard
from musicu.ingest.track_rows import track_row
from musicu.ingest.track_source import SourceFile
from musicu.pipeline.known import GONE, SEEN, Recordings, Tracks
from musicu.pipeline.tasks import Result, StageSpec
from musicu.records import Failure

#: Failures at other stages ("scan", "extra") are cheap to find again and may be over by then.
_FORGOTTEN_STAGES = ("scan", "extra")
_NEVER_IN_TAGS = ("popularity", "markets")
#: Rows that wait for the next commit, at most.
_MOST_ROWS = 8_192


class RunState:
    """The catalog as a run sees it; `commit` saves what was added.

    card: of the model whose vectors are made, None where none are. stages: what is made of each
    recording, the model's vectors among it. changed: whether a track that is known lies elsewhere
    than it did.
    """

    def __init__(
        self, store: Store, card: ModelCard | None, stages: Sequence[StageSpec], extra: pa.Schema
    ) -> None:
        self._store, self._card, self._stages = store, card, tuple(stages)
        self._extra = _merged(_stored_extra(store), extra)
        self.tracks = Tracks(store)
        self.recordings = {stage.name: Recordings.read(store, stage.table) for stage in stages}
        self._given: dict[str, pa.ChunkedArray] = {}
        self._given_rows: np.ndarray[Any, np.dtype[np.int64]] | None = None
        stored = store.read("failures")
        self._stored_failures: list[Row] = stored.to_pylist() if stored is not None else []
        self._failures: dict[str, list[Row]] = {}
        for row in self._stored_failures:
            self._failures.setdefault(row["track_id"], []).append(row)
        self._tracks_added: list[Row] = []
        self._rows_added: dict[str, list[Row]] = {stage.name: [] for stage in stages}
        self.changed = False
        self.new_failures: list[Row] = []

    # What the plan asks.

    def has(self, stage: StageSpec, content_hash: str) -> bool:
        """Whether a recording has a row of a stage."""
        return self.recordings[stage.name].said(content_hash) is not None

    def missing(self, content_hash: str | None) -> tuple[StageSpec, ...]:
        """The stages of which a recording has no row; all of them where it is not known."""
        if content_hash is None:
            return self._stages
        return tuple(stage for stage in self._stages if not self.has(stage, content_hash))

    def failed_before(self, found: SourceFile) -> set[str | None]:
        """The stages (None: the inspection) in which a file failed in the state it is in."""
        return {
            failure["model"]
            for failure in self._failures.get(found.track_id, ())
            if failure["stage"] not in _FORGOTTEN_STAGES
            and failure["size_bytes"] == found.size_bytes
            and failure["modified_ns"] == found.modified_ns
        }

    def see(self, found: SourceFile, row: int) -> bool:
        """Note that a known track is in the source; returns whether its file is unchanged."""
        tracks = self.tracks
        root = tracks.root_number(found.root)
        self.changed |= bool(tracks.roots[row] != root or tracks.flags[row] & GONE)
        tracks.roots[row] = root
        tracks.flags[row] = SEEN
        return tracks.has_stamp(row, found) and self._given_same(found, row)

    def _given_same(self, found: SourceFile, row: int) -> bool:
        """Whether the columns of the source table stand in the catalog as they are given."""
        for name, value in found.given.items():
            if value is None:
                continue
            column = self._column(name)
            if column is None or self._given_rows is None:
                return False
            if not _same(value, column[int(self._given_rows[row])].as_py()):
                return False
        return True

    def _column(self, name: str) -> pa.ChunkedArray | None:
        """A stored column; read when it is first asked for."""
        if name not in self._given and (name in TRACKS.names or name in self._extra.names):
            table = self._store.read("tracks", ["track_id", name])
            if table is None or name not in table.column_names:
                return None
            self._given[name] = table[name]
            if self._given_rows is None:
                rows, known = self.tracks.rows(table["track_id"])
                self._given_rows = np.zeros(len(self.tracks), np.int64)
                self._given_rows[rows[known]] = np.flatnonzero(known)  # of one id, the last
        return self._given.get(name)

    def clash(self, found: SourceFile, row: int) -> Failure | None:
        """A failure where two folders hold different files under one derived id."""
        root = self.tracks.root_names[self.tracks.roots[row]]
        if root in (None, found.root) or self.tracks.has_stamp(row, found):
            return None
        name = os.fsdecode(found.path_bytes) if found.path_bytes is not None else found.path
        if _size(Path(str(root), name)) in (None, found.size_bytes):
            return None
        reason = (
            f"{root} holds another file of the same relative path, and ids come from relative "
            "paths: use one catalog for each folder, or a table with an id column"
        )
        return Failure(found.track_id, found.path, "scan", reason)

    def embedded(self) -> Recordings | None:
        """The recordings that have a vector of the run's model; None where it makes none."""
        return self.recordings[self._card.name] if self._card else None

    # What the run adds.

    def add(self, result: Result) -> None:
        """Take in what came of one task."""
        found, content_hash = result.found, result.content_hash
        if content_hash:
            for name, row in result.rows.items():
                self._rows_added[name].append({"content_hash": content_hash, **row})
                self.recordings[name].add(content_hash, row.get("complete") is not False)
        if result.tags is not None or result.new:
            complete = self._complete(content_hash)
            place = self.tracks.row(found.track_id)
            if place is not None:
                found = replace(found, given={**self._from_tables(place), **found.given})
                if complete is None and content_hash == self.tracks.hash_of(place):
                    complete = (False, True, None)[int(self.tracks.complete[place])]  # -1: unknown
            self._tracks_added.append(track_row(found, result.tags or {}, content_hash, complete))
        self._mend(result)
        for failed, failure in result.failures.items():
            self.add_failure(failure, failed, found)

    def _from_tables(self, row: int) -> dict[str, Any]:
        """What a known track has from tables, and no file's tags could say."""
        told = {name: self._column(name) for name in (*self._extra.names, *_NEVER_IN_TAGS)}
        return {
            name: value
            for name, column in told.items()
            if column is not None
            and self._given_rows is not None
            and (value := column[int(self._given_rows[row])].as_py()) is not None
        }

    def _complete(self, content_hash: str | None) -> bool | None:
        """Whether a recording could be read to its end; None where it was not read."""
        if self._card is None or content_hash is None:
            return None
        return self.recordings[self._card.name].said(content_hash)

    def _mend(self, result: Result) -> None:
        """Forget the failures that a task has had another try at."""
        rows = self._failures.pop(result.found.track_id, [])
        tried = {stage.name for stage in self._stages} if result.inspected else result.tried
        left = [r for r in rows if r["model"] is not None and r["model"] not in tried]
        if left:
            self._failures[result.found.track_id] = left

    def add_failure(
        self, failure: Failure, name: str | None = None, found: SourceFile | None = None
    ) -> None:
        """Remember a failure, with the state of the file that failed."""
        row = {
            "track_id": failure.track_id,
            "path": failure.path,
            "model": name,
            "stage": failure.stage,
            "reason": failure.reason,
            "content_hash": failure.content_hash,
            "size_bytes": found.size_bytes if found else None,
            "modified_ns": found.modified_ns if found else None,
        }
        self.new_failures.append(row)
        self._failures.setdefault(failure.track_id, []).append(row)

    def forget_scan(self) -> None:
        """Drop what earlier scans could not look at: this one says what still holds."""
        for track_id in list(self._failures):
            left = [row for row in self._failures[track_id] if row["stage"] != "scan"]
            self._failures[track_id] = left

    def forget(self, track_ids: Iterable[str]) -> None:
        """Drop the failures of tracks that are gone."""
        for track_id in track_ids:
            self._failures.pop(track_id, None)

    @property
    def is_full(self) -> bool:
        """Whether so much waits for the next commit that it should not wait longer."""
        most = max(map(len, [self._tracks_added, *self._rows_added.values()]))
        return most >= _MOST_ROWS

    def commit(self) -> None:
        """Save what was added since the last commit, each table's rows sorted by key."""
        changes, models = [], {}
        if self._tracks_added:
            rows = tracks_table(self._tracks_added, self._extra)
            changes.append(Change("tracks", latest(rows, "track_id")))
        for stage in self._stages:
            if added := self._rows_added[stage.name]:
                changes.append(Change(stage.table, latest(_table(stage, added), "content_hash")))
                if self._card and stage.name == self._card.name:
                    models[stage.name] = ModelEntry(self._card.fingerprint, self._card.dim)
        changes += self._failures_change()
        if changes:
            self._store.commit(changes, models)
        self._tracks_added = []
        self._rows_added = {stage.name: [] for stage in self._stages}

    def _failures_change(self) -> list[Change]:
        """Failures of earlier runs that still hold, and this run's, by path; none if as stored."""
        kept = [row for rows in self._failures.values() for row in rows]
        rows = sorted(kept, key=lambda r: (r["path"], r["model"] or "", r["track_id"]))
        if rows == self._stored_failures:
            return []
        self._stored_failures = rows
        return [Change("failures", pa.Table.from_pylist(rows, schema=FAILURES), replace=True)]


def _table(stage: StageSpec, rows: list[Row]) -> pa.Table:
    """Rows of a stage as its table."""
    if "vector" not in stage.schema.names:
        return pa.Table.from_pylist(rows, schema=stage.schema)
    hashes, vectors, complete = (
        [row[name] for row in rows] for name in ("content_hash", "vector", "complete")
    )
    return vectors_table(hashes, vectors, complete, [row.get("heard_seconds") for row in rows])


def _stored_extra(store: Store) -> pa.Schema:
    """The columns of the tracks that came from tables of earlier runs."""
    fields: dict[str, pa.Field] = {}
    for name in store.manifest.tables.get("tracks", []):
        fields.update({f.name: f for f in store.schema(name) if f.name not in TRACKS.names})
    return pa.schema(list(fields.values()))


def _size(file: Path) -> int | None:
    """The size of a file; None where none is there."""
    try:
        return file.lstat().st_size
    except (OSError, ValueError):
        return None


def _same(given: object, stored: object) -> bool:
    """Whether two values of a column are the same, to the precision of float32."""
    if isinstance(given, float) and isinstance(stored, float):
        return math.isclose(given, stored, rel_tol=1e-6) or (given != given and stored != stored)
    if isinstance(given, list | tuple) and isinstance(stored, list):
        return list(given) == stored
    return given == stored


def _merged(first: pa.Schema, second: pa.Schema) -> pa.Schema:
    """The fields of both; where both have a name, the second's type."""
    fields: Mapping[str, Any] = {**{f.name: f for f in first}, **{f.name: f for f in second}}
    return pa.schema(list(fields.values()))
