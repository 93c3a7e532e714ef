"""A pass over the recordings of a catalog: each is heard once, only those that have no row yet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.lock import write_lock
from musicu.catalog.rows import Row, latest, track_file
from musicu.catalog.schema import FAILURES
from musicu.catalog.store import Change, Store
from musicu.pipeline.pace import CommitPace
from musicu.pipeline.pool import share_out
from musicu.pipeline.run import Progress
from musicu.pipeline.workers import Worker, WorkerDiedError

_NEEDED = ["track_id", "root", "path", "path_bytes", "content_hash", "gone"]
_STAMP = ["size_bytes", "modified_ns"]


@dataclass(frozen=True, slots=True)
class Pass:
    """What is made of each recording.

    stage: the task that workers know, whose answer has a `row`.
    name: of the set of columns; failures are kept under it.
    table: of the catalog, with a row for each content hash.
    schema: of the table: content_hash, and the columns of a row; `heard_seconds` among them.
    """

    stage: str
    name: str
    table: str
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class PassOptions:
    """How a pass goes about it; none of these changes a row.

    jobs: worker processes; None for one a processor core.
    force: hear also what has a row.
    retry_failed: try again what failed before.
    timeout_seconds: how long one file may take before it counts as failed.
    """

    jobs: int | None = None
    force: bool = False
    retry_failed: bool = False
    timeout_seconds: float = 900.0


@dataclass(slots=True)
class PassReport:
    """What a pass did, in recordings.

    recordings: that the catalog holds; done: now; known: before; failed: without a row, of which
    `remembered` failed before and were not tried again; missing: whose files are not where they
    were.
    """

    recordings: int = 0
    done: int = 0
    known: int = 0
    failed: int = 0
    remembered: int = 0
    missing: int = 0
    audio_seconds: float = 0.0
    seconds: float = 0.0
    failures: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a worker said of a track: its row, or why there is none."""

    track: Row
    row: dict[str, Any] | None
    reason: str | None


def hear_recordings(
    catalog: str | Path,
    what: Pass,
    *,
    options: PassOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PassReport:
    """Fill a table of a catalog folder; running it again goes on where it stopped.

    Files that fail are listed in `Catalog.failures()` under the pass's name and not tried again
    unless told. Raises CatalogError where the folder is no catalog or another process writes it.
    """
    options = options or PassOptions()
    began = time.monotonic()
    store = Store.open(Path(catalog))
    with write_lock(store.folder):
        store = Store.open(store.folder)  # as it is now that no one else writes
        store.clean()
        report = PassReport()
        run = _Run(store, what, options, report)
        try:
            for done, outcome in enumerate(run.outcomes(), start=1):
                run.add(outcome)
                if progress:
                    seconds = report.audio_seconds
                    progress(Progress(done, len(run.todo), report.failed, seconds))
        finally:
            run.commit()
        run.tidy()
        store.clean()
    report.seconds = time.monotonic() - began
    return report


class _Run:
    """What the catalog knows, what is to do, and what was added since the last commit."""

    def __init__(self, store: Store, what: Pass, options: PassOptions, report: PassReport) -> None:
        self._store, self._pass, self._options, self._report = store, what, options, report
        stored = store.read("failures")
        rows = stored.to_pylist() if stored is not None else []
        self._others = [row for row in rows if row["model"] != what.name]
        self._failed = {row["content_hash"]: row for row in rows if row["model"] == what.name}
        self._rows: list[Row] = []
        self._changed = False
        self._pace = CommitPace()
        self.todo = self._to_do()

    def _to_do(self) -> list[Row]:
        """A track for each recording that is to be heard."""
        table = self._store.read("tracks")
        if table is None:
            return []
        heard = self._store.read(self._pass.table, ["content_hash"])
        known = set(heard["content_hash"].to_pylist()) if heard is not None else set()
        tracks = latest(table.select(_NEEDED + _STAMP), "track_id")
        tracks = tracks.filter(pc.invert(tracks["gone"])).filter(
            pc.is_valid(tracks["content_hash"])
        )
        first: dict[str, Row] = {}
        for track in tracks.to_pylist():
            if track["content_hash"] not in first or not _is_there(first[track["content_hash"]]):
                first[track["content_hash"]] = track
        self._report.recordings = len(first)
        return [track for hash_, track in first.items() if self._is_to_do(hash_, track, known)]

    def _is_to_do(self, content_hash: str, track: Row, known: set[str]) -> bool:
        """Whether a recording is to be heard; counts it where not."""
        if content_hash in known and not self._options.force:
            self._report.known += 1
        elif content_hash in self._failed and not (
            self._options.retry_failed or self._options.force
        ):
            self._report.remembered += 1
            self._report.failed += 1
        elif not _is_there(track):
            self._report.missing += 1
        else:
            return True
        return False

    def outcomes(self) -> Iterator[_Outcome]:
        """What the workers say, in the order in which they are done."""
        jobs = min(self._options.jobs or os.cpu_count() or 1, len(self.todo))
        workers = [Worker(None, self._options.timeout_seconds) for _ in range(jobs)]
        return share_out(self.todo, workers, self._ask)

    def _ask(self, track: Row, worker: Worker) -> _Outcome:
        """Have one file heard."""
        try:
            answer = worker.ask(self._pass.stage, track_file(track))
        except WorkerDiedError as error:
            return _Outcome(track, None, str(error))
        return _Outcome(track, answer.get("row"), answer.get("reason"))

    def add(self, outcome: _Outcome) -> None:
        """Take in one outcome; commit from time to time."""
        content_hash = outcome.track["content_hash"]
        if outcome.row is not None:
            self._rows.append({"content_hash": content_hash, **outcome.row})
            self._changed |= self._failed.pop(content_hash, None) is not None
            self._report.done += 1
            self._report.audio_seconds += outcome.row["heard_seconds"]
        else:
            row = self._failure(outcome.track, outcome.reason or "")
            self._changed |= self._failed.get(content_hash) != row
            self._failed[content_hash] = row
            self._report.failed += 1
            self._report.failures.append(row)
        if self._pace.due():
            self.commit()

    def _failure(self, track: Row, reason: str) -> Row:
        told = {name: track[name] for name in ("track_id", "path", "content_hash", *_STAMP)}
        return {**told, "model": self._pass.name, "stage": self._pass.stage, "reason": reason}

    def commit(self) -> None:
        """Save what was added since the last commit."""
        changes = []
        if self._rows:
            rows = pa.Table.from_pylist(self._rows, schema=self._pass.schema)
            changes.append(Change(self._pass.table, rows))
        if self._changed:
            failures = [*self._others, *self._failed.values()]
            failures.sort(key=lambda row: (row["path"], row["model"] or ""))
            table = pa.Table.from_pylist(failures, schema=FAILURES)
            changes.append(Change("failures", table, replace=True))
        if changes:
            self._store.commit(changes)
        self._rows, self._changed = [], False

    def tidy(self) -> None:
        """Bring the table into its final form: one row a recording, by hash, in few files."""
        table = self._store.read(self._pass.table)
        if table is None or not self._report.done:
            return
        self._store.commit([Change(self._pass.table, latest(table, "content_hash"), replace=True)])


def _is_there(track: Row) -> bool:
    return os.path.lexists(track_file(track))
