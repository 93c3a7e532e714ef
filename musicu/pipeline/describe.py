"""Describe what a catalog holds: each recording once, only those that have no row yet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.catalog.compaction import compact
from musicu.catalog.rows import Row, track_file
from musicu.catalog.schema import DESCRIPTOR_SET
from musicu.catalog.store import Store
from musicu.errors import SourceError
from musicu.ingest.track_source import SourceFile
from musicu.object_store import is_object, look_at_object
from musicu.pipeline.finish import compact_tables
from musicu.pipeline.loop import WorkOptions, go_through
from musicu.pipeline.plan import Survey
from musicu.pipeline.run_state import RunState
from musicu.pipeline.tasks import Result, describe_stage

_NEEDED = ["track_id", "root", "path", "path_bytes", "content_hash", "gone"]


@dataclass(frozen=True, slots=True)
class FillOptions(WorkOptions):
    """How filling a table goes about it; see `WorkOptions`."""

    timeout_seconds: float = 900.0


@dataclass(slots=True)
class FillReport:
    """What filling a table did, in tracks whose sound is known.

    recordings: that the catalog holds; done: now; known: before, or by another copy; failed:
    without a row, of which `remembered` failed before and were not tried again; missing: whose
    files are not where they were.
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

    def begin(self, survey: Survey) -> None:
        """Take in what there is to do."""
        self.recordings, self.known = survey.tracks, survey.known
        self.remembered, self.failed = survey.remembered, survey.failed

    def count(self, result: Result) -> None:
        """Take in what came of one task."""
        self.done += bool(result.rows)
        self.known += result.reused
        self.failed += bool(result.failures)
        self.audio_seconds += result.audio_seconds


def describe_catalog(
    catalog: str | Path,
    descriptor_set: str = DESCRIPTOR_SET,
    *,
    options: FillOptions | None = None,
) -> FillReport:
    """Fill the table of a descriptor set in a catalog; running it again goes on where it stopped.

    Files that fail are listed in `Catalog.failures()` under the set's name and not tried again
    unless told. A file that changed since it was scanned is inspected anew. Raises CatalogError
    where the folder is no catalog or another process writes it, and RegistryError where no set of
    that name is registered.
    """
    options, stage = options or FillOptions(), describe_stage(descriptor_set)
    began = time.monotonic()
    with Store.writing(Path(catalog)) as store:
        if store.files("tracks")[1]:
            compact(store, "tracks", "track_id")  # so that each track is there once
        held, report = _Held(store), FillReport()
        state = RunState(store, None, [stage], pa.schema([]))
        go_through(held, state, None, options, begin=report.begin, count=report.count)
        compact_tables(store, state, [stage], prune=False)
    report.missing = held.missing
    report.recordings += held.missing
    report.failures = state.new_failures
    report.seconds = time.monotonic() - began
    return report


class _Held:
    """The tracks of a catalog as a source, as they stood when it was made."""

    def __init__(self, store: Store) -> None:
        self._store, self._files = store, store.files("tracks")[0]
        self.missing = 0

    def __iter__(self) -> Iterator[SourceFile]:
        """Each track whose sound is known and whose file is there, in the state that it is in.

        Those whose files are not where they were are counted in `missing`.
        """
        self.missing = 0
        for row in self._rows():
            found = _examined(row)
            if found is None:
                self.missing += 1
            else:
                yield found

    def _rows(self) -> Iterator[Row]:
        for name in self._files:
            for batch in self._store.file_batches(name, _NEEDED):
                for row in batch.to_pylist():
                    if not row["gone"] and row["content_hash"] and row["path"] is not None:
                        yield row


def _examined(row: Row) -> SourceFile | None:
    """A track's file as a scan would find it."""
    file = track_file(row)
    try:
        if is_object(file):
            stored = look_at_object(file)
            size, modified = stored.size_bytes, stored.modified_ns
        else:
            status = file.stat()
            size, modified = status.st_size, status.st_mtime_ns
    except (OSError, ValueError, SourceError):
        return None
    told = {name: row[name] for name in ("track_id", "root", "path", "path_bytes")}
    return SourceFile(**told, file=file, size_bytes=size, modified_ns=modified)
