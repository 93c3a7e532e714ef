"""What the catalog knows during a run, and what the run adds to it."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.manifest import ModelEntry
from musicu.catalog.rows import (
    Row,
    latest,
    plain_vectors,
    track_file,
    track_row,
    tracks_table,
    vectors_table,
)
from musicu.catalog.schema import FAILURES, TRACKS
from musicu.catalog.sources import SourceFile
from musicu.catalog.store import ROWS_PER_FILE, Change, Store
from musicu.embeddings.cards import ModelCard
from musicu.pipeline.tasks import Result
from musicu.records import Failure

#: Tables with a row for each recording, by the hash of its sound, or for each track.
_BY_CONTENT = ("vectors/", "descriptors/", "fingerprints/", "recordings/")
#: Failures at other stages ("scan", "extra") are cheap to find again and may be over by then.
_REMEMBERED_STAGES = ("hash", "tags", "decode", "embed")


class Ledger:
    """The catalog as a run sees it; `commit` saves what was added, `finish` tidies up.

    card: of the model that embeds, None where only tags and hashes are read.
    """

    def __init__(self, store: Store, card: ModelCard | None, extra: pa.Schema) -> None:
        self._store = store
        self._card = card
        tracks = store.read("tracks")
        self._tracks = tracks_table([], extra) if tracks is None else latest(tracks, "track_id")
        known = [name for name in self._tracks.schema.names if name not in TRACKS.names]
        self._extra = _merged(pa.schema([self._tracks.schema.field(n) for n in known]), extra)
        self._number()
        self._stamps = list(
            zip(*(self._tracks[n].to_pylist() for n in _STAMP_COLUMNS), strict=True)
        )
        self._given: dict[tuple[str, ...], list[Row]] = {}
        self._complete = self._read_complete()
        self._stored_failures = _rows(store.read("failures"))
        self._failures = list(self._stored_failures)
        self._failed = {
            row["track_id"]: (row["size_bytes"], row["modified_ns"])
            for row in self._failures
            if row["model"] in (None, card.name if card else None)
            and row["stage"] in _REMEMBERED_STAGES
        }
        self._failures = [row for row in self._failures if row["stage"] != "scan"]
        self._rows: list[Row] = []
        self._results: list[Result] = []
        self._touched: set[str] = set()
        self._moved: dict[str, str] = {}
        self.new_failures: list[Row] = []

    @property
    def _table(self) -> str:
        """The name of the model's table."""
        assert self._card is not None
        return f"vectors/{self._card.name}"

    def _read_complete(self) -> dict[str, bool]:
        """By content hash of what has a vector: whether all of it could be heard."""
        if self._card is None:
            return {}
        table = self._store.read(self._table, ["content_hash", "complete"])
        if table is None:
            return {}
        return dict(
            zip(table["content_hash"].to_pylist(), table["complete"].to_pylist(), strict=True)
        )

    # What the plan asks.

    def knows(self, track_id: str) -> bool:
        """Whether the catalog has this track."""
        return track_id in self._index

    def hash_of(self, track_id: str) -> str | None:
        """The content hash of a known track."""
        content_hash: str | None = self._stamps[self._index[track_id]][2]
        return content_hash

    def has_vector(self, content_hash: str) -> bool:
        """Whether sound of that hash needs no embedding."""
        return content_hash in self._complete

    def is_done(self, track_id: str) -> bool:
        """Whether a known track needs nothing more."""
        content_hash = self.hash_of(track_id)
        return content_hash is not None and (self._card is None or self.has_vector(content_hash))

    def failed_before(self, track_id: str) -> bool:
        """Whether a known track failed, in this state, in an earlier run."""
        return self._failed.get(track_id) == self._stamps[self._index[track_id]][:2]

    def unchanged(self, found: SourceFile) -> bool:
        """Whether a file is as it was when it was last read, and so is what the source gives."""
        row = self._index.get(found.track_id)
        if row is None or self._stamps[row][:2] != (found.size_bytes, found.modified_ns):
            return False
        if not self._given_same(found, row):
            return False
        if self._stamps[row][3] != found.root or self._stamps[row][5]:
            self._moved[found.track_id] = found.root
        return True

    def _given_same(self, found: SourceFile, row: int) -> bool:
        """Whether the columns of the source table stand in the catalog as they are given."""
        names = tuple(sorted(n for n, value in found.given.items() if value is not None))
        if not names:
            return True
        if any(name not in self._tracks.schema.names for name in names):
            return False
        if names not in self._given:
            self._given[names] = self._tracks.select(names).to_pylist()
        return all(_same(found.given[n], self._given[names][row][n]) for n in names)

    def clash(self, found: SourceFile) -> Failure | None:
        """A failure where two folders hold different files under one derived id."""
        row = self._index.get(found.track_id)
        if row is None or self._stamps[row][3] in (None, found.root):
            return None
        size, root = self._stamps[row][0], self._stamps[row][3]
        if size == found.size_bytes or not self._is_there(row):
            return None
        reason = (
            f"{root} holds another file of the same relative path, and ids come from relative "
            "paths: use one catalog for each folder, or a table with an id column"
        )
        return Failure(found.track_id, found.path, "scan", reason)

    def _is_there(self, row: int) -> bool:
        """Whether the file of a known track is where it was."""
        columns = self._tracks.slice(row, 1).select(["root", "path", "path_bytes"])
        return os.path.lexists(track_file(columns.to_pylist()[0]))

    # What the run adds.

    def add(self, result: Result) -> None:
        """Take in what came of one task."""
        found = result.found
        if result.vector is not None and result.content_hash and result.complete is not None:
            self._results.append(result)
            self._complete[result.content_hash] = result.complete
        if result.tags is not None or result.new:
            complete = self._complete.get(result.content_hash or "")
            self._rows.append(track_row(found, result.tags or {}, result.content_hash, complete))
        self._touched.add(found.track_id)
        if result.failure is not None:
            self.add_failure(result.failure, found)

    def add_failure(self, failure: Failure, found: SourceFile | None = None) -> None:
        """Remember a failure, with the state of the file that failed."""
        before_model = failure.stage in ("scan", "hash", "tags")
        self._touched.add(failure.track_id)
        self.new_failures.append(
            {
                "track_id": failure.track_id,
                "path": failure.path,
                "model": None if before_model or self._card is None else self._card.name,
                "stage": failure.stage,
                "reason": failure.reason,
                "content_hash": failure.content_hash,
                "size_bytes": found.size_bytes if found else None,
                "modified_ns": found.modified_ns if found else None,
            }
        )

    def commit(self) -> None:
        """Save what was added since the last commit."""
        changes = []
        models = {}
        if self._rows:
            changes.append(Change("tracks", tracks_table(self._rows, self._extra)))
        if self._results and self._card:
            changes.append(Change(self._table, self._vectors()))
            models[self._card.name] = ModelEntry(self._card.fingerprint, self._card.dim)
        changes += self._failures_change()
        if changes:
            self._store.commit(changes, models)
        self._rows, self._results = [], []

    def _vectors(self) -> pa.Table:
        """The vectors since the last commit as a table."""
        results = self._results
        return vectors_table(
            [r.content_hash for r in results if r.content_hash],
            [r.vector for r in results if r.vector is not None],
            [r.complete is True for r in results],
        )

    def _failures_change(self) -> list[Change]:
        """Failures of earlier runs that still hold, and this run's, by path; none if as stored."""
        model = self._card.name if self._card else None
        kept = [
            row
            for row in self._failures
            if row["track_id"] not in self._touched or row["model"] not in (None, model)
        ]
        rows = sorted(kept + self.new_failures, key=lambda r: (r["path"], r["model"] or ""))
        if rows == self._stored_failures:
            return []
        self._stored_failures = rows
        return [Change("failures", pa.Table.from_pylist(rows, schema=FAILURES), replace=True)]

    # The end of a run. Everything is committed by now.

    def mark_gone(self, seen: set[str]) -> int:
        """Note which files are no longer there; returns how many tracks are gone."""
        self._reload()
        gone, paths = self._tracks["gone"].to_pylist(), self._tracks["path"].to_pylist()
        for row, track_id in enumerate(self._index):
            has_file = paths[row] is not None  # a track from a table without files stays
            gone[row] = has_file and track_id not in seen and (gone[row] or not self._is_there(row))
        self._set("gone", gone)
        away = {id_ for id_, is_gone in zip(self._index, gone, strict=True) if is_gone}
        self._failures = [r for r in self._failures if r["track_id"] not in away]
        return len(away)

    def _reload(self) -> None:
        """Take up the tracks as they were committed."""
        tracks = self._store.read("tracks")
        if tracks is not None:
            self._tracks = latest(tracks, "track_id")
        self._number()

    def _number(self) -> None:
        """Note in which row each track stands."""
        self._index = {id_: i for i, id_ in enumerate(self._tracks["track_id"].to_pylist())}

    def _set(self, column: str, values: list[Any]) -> None:
        """Replace a column of the tracks, where any value differs."""
        if values != self._tracks[column].to_pylist():
            at = self._tracks.schema.get_field_index(column)
            field = self._tracks.schema.field(at)
            self._tracks = self._tracks.set_column(at, field, pa.array(values, field.type))

    def prune(self) -> int:
        """Remove the tracks that are gone, and what only they used; returns how many."""
        before = self._tracks.num_rows
        self._tracks = self._tracks.filter(pc.invert(self._tracks["gone"]))
        self._number()
        self._failures = [r for r in self._failures if r["track_id"] in self._index]
        changes = []
        for name in self._store.manifest.tables:
            table = self._store.read(name) if name.startswith(_BY_CONTENT) else None
            if table is None:
                continue
            key = table.column_names[0]
            kept = table.filter(pc.is_in(table[key], value_set=self._tracks[key].combine_chunks()))
            if kept.num_rows < table.num_rows:
                rows = plain_vectors(kept) if name.startswith("vectors/") else kept
                changes.append(Change(name, rows, replace=True))
        if changes:
            self._store.commit(changes)
        removed: int = before - self._tracks.num_rows
        return removed

    def finish(self) -> None:
        """Bring the tables into their final form: one row a key, sorted, in whole files.

        The form depends on what is in the catalog, not on the runs that it took.
        """
        roots, hashes = self._tracks["root"].to_pylist(), self._tracks["content_hash"].to_pylist()
        told = self._tracks["complete"].to_pylist()
        moved = zip(self._index, roots, strict=True)
        self._set("root", [self._moved.get(track_id, root) for track_id, root in moved])
        heard = zip(hashes, told, strict=True)
        self._set("complete", [self._complete.get(hash_, before) for hash_, before in heard])
        changes = self._failures_change()
        if not _equal(self._tracks, self._store.read("tracks")):
            changes.append(Change("tracks", self._tracks, replace=True))
        if self._card is not None and self._untidy():
            vectors = plain_vectors(latest(self._store.read(self._table), "content_hash"))
            changes.append(Change(self._table, vectors, replace=True))
        if changes:
            self._store.commit(changes)

    def _untidy(self) -> bool:
        """Whether the model's vectors are in more files than need be, or not in order."""
        hashes = self._store.read(self._table, ["content_hash"])
        if hashes is None:
            return False
        values = hashes["content_hash"].to_pylist()
        files = len(self._store.manifest.tables[self._table])
        in_order = all(a < b for a, b in itertools.pairwise(values))
        return not in_order or files > math.ceil(len(values) / ROWS_PER_FILE)


_STAMP_COLUMNS = ("size_bytes", "modified_ns", "content_hash", "root", "complete", "gone")


def _rows(table: pa.Table | None) -> list[Row]:
    """A table as dictionaries."""
    rows: list[Row] = table.to_pylist() if table is not None else []
    return rows


def _equal(ours: pa.Table, stored: pa.Table | None) -> bool:
    """Whether the stored table is ours, row for row; an empty one need not be stored."""
    if stored is None:
        return not ours.num_rows
    return bool(ours.schema.equals(stored.schema) and ours.equals(stored))


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
