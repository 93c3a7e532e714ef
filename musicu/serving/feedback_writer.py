"""The one writer of a catalog's feedback, for many requests at a time.

Each table has a thread. What has come in while the last write was under way is written together
and synced once, so that a client waits for two writes at most, however many there are.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from musicu.errors import CatalogError
from musicu.listening.feedback import FeedbackLog
from musicu.listening.feedback.feedback_log import FeedbackTable

Record = Mapping[str, Any]

_MOST_TOGETHER = 20_000  # records of one write
_IDLE_SECONDS = 1.0  # until exposures are synced
_MOST_WAITING = 2_000  # batches; more are refused, as memory would run out instead


@dataclass(slots=True)
class _Batch:
    """Records, or encoded rows, and who waits for them."""

    records: Sequence[Record] = ()
    rows: Sequence[bytes] = ()
    work: Callable[[], Any] | None = None
    done: Future[Any] = field(default_factory=Future)

    def __len__(self) -> int:
        return len(self.records) + len(self.rows)


class FeedbackWriter:
    """Holds the lock of the feedback from `start` to `stop`.

    Raises CatalogError where another process has it, or the disk refuses.
    """

    def __init__(self, catalog: Path) -> None:
        self._log = FeedbackLog(catalog)
        self._writers: list[_TableWriter] = []

    def start(self) -> None:
        """Take the lock, and begin."""
        self._log.__enter__()
        self._outcomes = _TableWriter(self._log.outcomes)
        self._exposures = _TableWriter(self._log.exposures)
        self._writers = [self._outcomes, self._exposures]
        for writer in self._writers:
            writer.start()

    def stop(self) -> None:
        """Write what waits, and give the lock back."""
        for writer in self._writers:
            writer.stop()
        self._log.__exit__(None, None, None)

    async def outcomes(self, records: Sequence[Record]) -> list[Record]:
        """Add `checked` outcomes: those that were new. They are on the disk when it returns.

        Raises CatalogError where the disk refuses, or so much waits that it would take too long.
        """
        added: list[Record] = await self._outcomes.ask(_Batch(records=records))
        return added

    async def exposures(self, rows: Sequence[bytes]) -> None:
        """Add encoded exposures; they outlive this process when it returns, and are soon synced."""
        await self._exposures.ask(_Batch(rows=rows))

    async def between_writes(self, work: Callable[[FeedbackLog], Any]) -> Any:
        """What some work on the log gives, done while nobody writes to it."""
        paused: Future[None] = Future()
        finished: Future[None] = Future()

        def wait() -> None:
            paused.set_result(None)
            finished.result()

        held = asyncio.ensure_future(self._exposures.ask(_Batch(work=wait)))
        await asyncio.wrap_future(paused)
        try:
            return await self._outcomes.ask(_Batch(work=lambda: work(self._log)))
        finally:
            finished.set_result(None)
            await held


class _TableWriter:
    """Writes to one table, in a thread of its own."""

    def __init__(self, table: FeedbackTable) -> None:
        self._table = table
        self._waiting: queue.Queue[_Batch | None] = queue.Queue()
        self._unsynced = False
        self._thread = Thread(target=self._run, name=f"writes {table.folder.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._waiting.put(None)
        self._thread.join()

    async def ask(self, batch: _Batch) -> Any:
        if self._waiting.qsize() >= _MOST_WAITING:
            raise CatalogError("too many events wait to be written: try again in a second")
        self._waiting.put(batch)
        return await asyncio.wrap_future(batch.done)

    def _run(self) -> None:
        while True:
            try:
                batch = self._waiting.get(timeout=_IDLE_SECONDS if self._unsynced else None)
            except queue.Empty:
                self._sync()
                continue
            if batch is None:
                self._sync()
                return
            self._write(self._together(batch))

    def _together(self, first: _Batch) -> list[_Batch]:
        """What waits, as far as it is to be written at once."""
        found, count = [first], len(first)
        while count < _MOST_TOGETHER and not self._waiting.empty():
            batch = self._waiting.get()
            if batch is None:
                self._waiting.put(None)
                break
            found.append(batch)
            count += len(batch)
        return found

    def _write(self, batches: Sequence[_Batch]) -> None:
        """Write some batches, and tell who waits for them."""
        records = [batch for batch in batches if batch.records]
        rows = [batch for batch in batches if batch.rows]
        try:
            added = self._table.append_batches([b.records for b in records]) if records else []
            for batch, new in zip(records, added, strict=True):
                batch.done.set_result(new)
            if rows:
                self._table.append_encoded([row for batch in rows for row in batch.rows])
                self._unsynced = True
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            for batch in (*records, *rows):
                if not batch.done.done():
                    batch.done.set_exception(error)
        for batch in batches:
            if batch.work is not None:
                _do(batch)
            elif not batch.done.done():
                batch.done.set_result([])

    def _sync(self) -> None:
        """Have what was written on the disk; where that fails, the next write will say so."""
        try:
            self._table.sync()
        except CatalogError:
            return
        self._unsynced = False


def _do(batch: _Batch) -> None:
    assert batch.work is not None
    try:
        batch.done.set_result(batch.work())
    except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
        batch.done.set_exception(error)
