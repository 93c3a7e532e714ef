"""The two tables on disk: what was acknowledged is there after any crash, once.

    feedback/outcomes/000000000001-000000000007.parquet   segments, each of the journals it covers
    feedback/outcomes/000000000008.journal                the batches since, a line each

A batch is one line of the journal: a checksum and JSON. It is on the disk (fsync) before `append`
returns; a line that a crash cut short fails its checksum and is dropped, nobody having been told
of it. A full journal becomes a Parquet segment; compaction joins segments into larger ones. A
segment's name says which journals it covers, so that after a crash between writing it and removing
what it covers nothing counts twice. Any engine reads the segments; `read` adds the journal.

Repeated ids are dropped as they come (the last million are known) and again in compaction.
Listeners are stored by their pseudonyms under the catalog's key: any user_id that does not have
the form of one (32 hex digits) becomes one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from musicu.catalog.files import TEMPORARY_SUFFIX, plain_errors
from musicu.catalog.lock import write_lock
from musicu.errors import CatalogError, QueryError, SourceError
from musicu.listening.feedback.feedback_files import (
    Segment,
    all_segments,
    journal_name,
    journals,
    segments,
)
from musicu.listening.feedback.feedback_journal import (
    checksummed,
    journal_rows,
    line_of,
    open_journals,
    rows_table,
    write_all,
)
from musicu.listening.feedback.feedback_schemas import (
    EXPOSURES,
    OUTCOMES,
    checked,
)
from musicu.listening.feedback.feedback_segments import (
    neighbours,
    once,
    read_segment,
    table_of_journals,
    write_segment,
)
from musicu.listening.pseudonyms import (
    KEY_FILE,
    is_pseudonym,
    listener_ids,
    listener_key,
    pseudonym_of,
)
from musicu.records import check_kind, check_number, short

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog

FOLDER = "feedback"
JOURNAL_ROWS = 50_000  # until it becomes a segment
SMALL_SEGMENTS = 16  # that wait before compaction joins them
SMALL_BYTES = 8 << 20
KNOWN_IDS = 500_000  # of each of two generations

Record = Mapping[str, Any]

_LOG = logging.getLogger("musicu.feedback")


class FeedbackLog:
    """The writer of a catalog's feedback: one at a time, under a lock.

    catalog: the catalog, or its folder. Use it as a context manager: then `exposures` and
    `outcomes` are its tables. Raises CatalogError where another process writes, or the disk
    refuses.
    """

    def __init__(self, catalog: Catalog | str | Path) -> None:
        self.folder = _folder_of(catalog)
        self._key = self.folder.parent / KEY_FILE
        self._lock: AbstractContextManager[None] | None = None

    def __enter__(self) -> FeedbackLog:
        with plain_errors(self.folder):
            self.folder.mkdir(exist_ok=True)
        self._lock = write_lock(self.folder)
        self._lock.__enter__()
        self.exposures, self.outcomes = (
            FeedbackTable(self.folder / name, schema, key, self._pseudonym)
            for name, (schema, key) in _TABLES.items()
        )
        return self

    def __exit__(self, *failed: Any) -> None:
        for table in (self.exposures, self.outcomes):
            table.close()
        if self._lock is not None:
            self._lock.__exit__(*failed)

    def forget(self, *user_ids: str) -> int:
        """Remove listeners, by name or pseudonym, from every file; the rows that went."""
        for user_id in user_ids:
            check_kind("user_id", user_id, str, "a listener's name or pseudonym")
        ids = pa.array(sorted(listener_ids(user_ids, self._key)), pa.string())
        return sum(
            table.rewrite(lambda rows: pc.invert(pc.is_in(rows["user_id"], value_set=ids)))
            for table in (self.exposures, self.outcomes)
        )

    def expire(self, days: float, now: datetime | None = None) -> int:
        """Remove what is older than so many days; the number of rows that went."""
        if check_number("days", days) < 0:
            raise QueryError(f"days are {days}: give a number from 0, or all would go")
        since = pa.scalar((now or datetime.now(timezone.utc)) - timedelta(days=days), _MOMENT)
        exposures = self.exposures.rewrite(lambda rows: pc.greater_equal(rows["shown_at"], since))
        outcomes = self.outcomes.rewrite(lambda rows: pc.greater_equal(rows["at"], since))
        return exposures + outcomes

    def _pseudonym(self, user_id: str) -> str:
        return user_id if is_pseudonym(user_id) else pseudonym_of(user_id, self._secret)

    @cached_property
    def _secret(self) -> bytes:
        return listener_key(self._key)


_MOMENT = OUTCOMES.field("at").type


class FeedbackTable:
    """One append-only table.

    schema, key: its columns, and the one that is there once. pseudonym: what a user_id becomes.
    """

    def __init__(
        self, folder: Path, schema: pa.Schema, key: str, pseudonym: Callable[[str], str] = str
    ) -> None:
        self.folder, self.schema, self.key, self._pseudonym = folder, schema, key, pseudonym
        with plain_errors(folder):
            folder.mkdir(exist_ok=True)
            for half in folder.glob(f"*{TEMPORARY_SUFFIX}"):  # of a writer that was killed
                half.unlink()
        self._known: tuple[set[int], set[int]] = (set(), set())
        self._remove_covered()
        waiting = list(journal_rows(folder, schema))
        last = max((last for _, last, _ in segments(folder)), default=0)
        self._number = max([last, *journals(folder)], default=0) + 1
        self._rows = 0
        self._journal: BinaryIO | None = None
        self._beside: Thread | None = None
        self._remember(map(_code, _recent_keys(folder, key)))
        if waiting:
            self._write_segment(rows_table(waiting, schema), sorted(journals(folder)))
        for number in journals(folder):  # half a line, of which nobody was told
            (folder / journal_name(number)).unlink()

    def append(self, records: Sequence[Record]) -> int:
        """Add the records whose key is new; on the disk when this returns. Gives their number.

        records: dictionaries with the columns of the table. Raises SourceError for a record that
        does not fit them, and CatalogError where the disk refuses; then none of them is there.
        """
        if not isinstance(records, list | tuple):
            raise SourceError(f"records are {short(records)}: give a list of dictionaries")
        records, faults = checked(records, self.schema)
        if faults:
            fault = faults[0]
            raise SourceError(f"record {fault.place}: {fault.field}: {fault.reason}")
        for record in records:
            record["user_id"] = self._pseudonym(record["user_id"])
        return len(self.append_batches([records])[0])

    def append_batches(self, batches: Sequence[Sequence[Record]]) -> list[list[Record]]:
        """Add several batches with one sync: the records of each that were new.

        The records are `checked`, and name listeners by their pseudonyms. Raises CatalogError where
        the disk refuses; then none of them is there.
        """
        codes: set[int] = set()
        new: list[list[Record]] = []
        for records in batches:
            new.append([])
            for record in records:
                code = _code(record[self.key])
                if not (code in codes or code in self._known[0] or code in self._known[1]):
                    codes.add(code)
                    new[-1].append(record)
        if codes:
            self._write_line(
                line_of([record for records in new for record in records], self.schema)
            )
            self._remember(codes)
            self._count(len(codes))
        return new

    def append_encoded(self, rows: Sequence[bytes]) -> None:
        """Add rows whose keys are new for certain, each as JSON: a list in the order of the schema.

        They outlive this process, and a loss of power once `sync` was called. Raises CatalogError
        where the disk refuses; then none of them is there.
        """
        self._write_line(checksummed(b"[" + b",".join(rows) + b"]"), sync=False)
        self._count(len(rows))

    def sync(self) -> None:
        """Have all that was added on the disk. Raises CatalogError where the disk refuses."""
        if self._journal is not None:
            with plain_errors(self.folder):
                os.fsync(self._journal.fileno())

    def _count(self, rows: int) -> None:
        self._rows += rows
        if self._rows >= JOURNAL_ROWS and not (self._beside and self._beside.is_alive()):
            self._turn()

    def _turn(self) -> None:
        """Begin a new journal; the full one becomes a segment while that is written to."""
        self.sync()
        self._close_journal()
        full = open_journals(self.folder)
        self._number, self._rows = full[-1] + 1, 0
        self._beside = Thread(target=self._settle_beside, args=(full,), daemon=True)
        self._beside.start()

    def _settle_beside(self, full: Sequence[int]) -> None:
        """Make full journals a segment; where the disk refuses, they stay until the next time."""
        try:
            self._make_segment(full)
            self._join_small()
        except CatalogError as error:
            _LOG.warning("a journal cannot become a segment yet: %s", error)
        pa.default_memory_pool().release_unused()  # a hundred megabytes, which nobody needs now

    def _make_segment(self, full: Sequence[int]) -> None:
        table = table_of_journals(self.folder, full, self.schema)
        write_segment(self.folder, once(table, self.key), full[0], full[-1])
        self._remove_covered()

    def _wait(self) -> None:
        """Let what is made beside come to its end."""
        if self._beside is not None:
            self._beside.join()

    def settle(self) -> None:
        """Make the journal a segment, and join small segments where there are many."""
        self._wait()
        self._close_journal()
        waiting = open_journals(self.folder)
        if not waiting:
            return
        rows = rows_table(list(journal_rows(self.folder, self.schema)), self.schema)
        self._write_segment(rows, waiting)
        self._join_small()

    def compact(self) -> None:
        """Join neighbouring segments into files of a million rows, each key once."""
        self._wait()
        self._close_journal()
        self._join(segments(self.folder))

    def _join_small(self) -> None:
        small = [s for s in segments(self.folder) if s[2].stat().st_size < SMALL_BYTES]
        if len(small) >= SMALL_SEGMENTS:
            self._join(segments(self.folder))

    def _join(self, found: Sequence[Segment]) -> None:
        for group in neighbours(found):
            table = once(pa.concat_tables(map(read_segment, group)), self.key)
            numbers = [number for first, last, _ in group for number in (first, last)]
            write_segment(self.folder, table, min(numbers), max(numbers))
        self._remove_covered()

    def rewrite(self, keep: Callable[[pa.Table], pa.ChunkedArray]) -> int:
        """Write every file again that has rows not to keep; the number of rows that went."""
        self.settle()
        gone = 0
        for first, last, path in segments(self.folder):
            table = read_segment((first, last, path))
            kept = table.filter(keep(table))
            if kept.num_rows < table.num_rows:
                gone += table.num_rows - kept.num_rows
                write_segment(self.folder, kept, first, last)
        return gone

    def close(self) -> None:
        """Make what is in the journal a segment."""
        self.settle()
        self._close_journal()

    def _remember(self, codes: Iterable[int]) -> None:
        for code in codes:
            if len(self._known[0]) >= KNOWN_IDS:
                self._known = (set(), self._known[0])
            self._known[0].add(code)

    def _write_line(self, line: bytes, *, sync: bool = True) -> None:
        path = self.folder / journal_name(self._number)
        with plain_errors(path):
            if self._journal is None:
                self._journal = path.open("ab", buffering=0)
            before = self._journal.tell()
            try:
                write_all(self._journal, line)
                if sync:
                    os.fsync(self._journal.fileno())
            except OSError:
                self._journal.truncate(before)
                self._journal.seek(before)
                raise

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _write_segment(self, table: pa.Table, covered: Sequence[int]) -> None:
        write_segment(self.folder, once(table, self.key), min(covered), max(covered))
        self._remove_covered()
        self._number, self._rows = max(covered) + 1, 0

    def _remove_covered(self) -> None:
        """Remove journals and segments that a wider segment covers."""
        with plain_errors(self.folder):
            wide = segments(self.folder)
            for number in journals(self.folder):
                if any(first <= number <= last for first, last, _ in wide):
                    (self.folder / journal_name(number)).unlink(missing_ok=True)
            for first, last, path in all_segments(self.folder):
                if (first, last, path) not in wide:
                    path.unlink(missing_ok=True)


_TABLES = {"exposures": (EXPOSURES, "exposure_id"), "outcomes": (OUTCOMES, "event_id")}


def _folder_of(catalog: Catalog | str | Path) -> Path:
    path = getattr(catalog, "path", catalog)
    if not isinstance(path, str | Path):
        raise QueryError(f"the catalog is {short(catalog)}: give a catalog, or its folder")
    return Path(path) / FOLDER


def read(catalog: Catalog | str | Path, name: str) -> pa.Table:
    """The rows of "exposures" or "outcomes", journal included; empty where there are none.

    Takes no lock: where files are replaced meanwhile it reads again. Raises CatalogError for
    files of a newer version.
    """
    if name not in _TABLES:
        raise QueryError(f"there is no table {name!r} of feedback: {', '.join(_TABLES)}")
    schema, key = _TABLES[name]
    folder = _folder_of(catalog) / name
    for _ in range(100):
        try:
            found = segments(folder)
            parts = [read_segment(segment) for segment in found]
            parts.append(rows_table(list(journal_rows(folder, schema)), schema))
            if segments(folder) == found:
                return once(pa.concat_tables(parts), key)
        except FileNotFoundError:
            continue
    raise CatalogError(f"{folder} changes faster than it can be read: try again")


def _code(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")


def _recent_keys(folder: Path, key: str) -> Iterator[str]:
    """The keys of the newest segments and the journal, oldest first, a million at most."""
    newest: list[Path] = []
    rows = 0
    for _, _, path in reversed(segments(folder)):
        newest.append(path)
        rows += pq.read_metadata(path).num_rows
        if rows >= 2 * KNOWN_IDS:
            break
    for path in reversed(newest):
        yield from pq.read_table(path, columns=[key])[key].to_pylist()
