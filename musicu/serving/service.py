"""A service: a catalog, its listeners, its feedback and its uploads, as its routes use them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from musicu.catalog.catalog import Catalog
from musicu.catalog.manifest import read_manifest
from musicu.listening.feedback import OUTCOMES
from musicu.listening.feedback.feedback_log import read
from musicu.listening.feedback.feedback_schemas import RecordFault, checked
from musicu.listening.pseudonyms import KEY_FILE, known_key, listener_key, pseudonym
from musicu.privacy import Forgotten, forget
from musicu.serving.access import Access
from musicu.serving.feedback_writer import FeedbackWriter
from musicu.serving.generation import Generation
from musicu.serving.generation_keeper import GenerationKeeper
from musicu.serving.last_hour import LastHour
from musicu.serving.listener_pages import PageMaker, ServedPage
from musicu.serving.listener_states import ListenerStates
from musicu.serving.outcome_watch import OutcomeWatch
from musicu.serving.page_encoding import PageStamp, list_exposures
from musicu.serving.page_shelves import PageSettings
from musicu.serving.service_config import ServiceConfig
from musicu.serving.service_metrics import ServiceMetrics
from musicu.serving.uploads import Uploads

T = TypeVar("T")
Items = list[dict[str, Any]]

_LOG = logging.getLogger("musicu.serving")


@dataclass(frozen=True, slots=True)
class EventsTaken:
    """What became of a batch of events.

    added: that are new. known: that were there already. faults: why others were left out. user_ids:
    the pseudonyms of whoever did something.
    """

    added: int
    known: int
    faults: list[RecordFault]
    user_ids: frozenset[str]


class ReadOnlyError(Exception):
    """This service writes nothing."""


class Service:
    """What the routes share; in `app.state.service`.

    config, path (of the catalog), access, metrics, last_hour; `generation`: the catalog as it is
    now. `start` before use and `stop` after it, both once.
    """

    def __init__(self, catalog: Path, config: ServiceConfig) -> None:
        read_manifest(catalog)
        self.path, self.config = catalog, config
        self.access = Access(config.token)
        self.metrics = ServiceMetrics()
        self.states = ListenerStates()
        self.last_hour = LastHour()
        self.is_ready = False
        self._feedback = None if config.read_only else FeedbackWriter(catalog)
        self._watch = OutcomeWatch(catalog, self.states) if config.read_only else None
        self._uploads: Uploads | None = None
        self._key = b""
        self._workers = ThreadPoolExecutor(2, "answer")

    def start(self) -> None:
        """Open the catalog, take the lock of the feedback, and learn who did what.

        Raises MusicuError where any of it cannot be.
        """
        if self._feedback is not None:
            self._feedback.start()
        self._key = self._listener_key()
        if self._watch is None:
            self.states.load(read(self.path, "outcomes"))
        else:
            self._watch.start()
        settings = PageSettings(self.config.page_size, self.config.new_days)
        self.pages = PageMaker(
            lambda: self.keeper.current, self.states, settings, self.config.policy
        )
        self.keeper = GenerationKeeper(self.path, self.config.model, self.pages.prepare)
        self.keeper.start()
        if self._feedback is not None:
            self._uploads = Uploads(self.path, self.config, self.keeper)
            self._uploads.start()
        self.pages.warm()
        self.is_ready = True
        _LOG.info("ready", extra={"tracks": len(self.generation), "listeners": len(self.states)})

    def stop(self) -> None:
        """Finish what was begun, and give everything back."""
        self.is_ready = False
        if self._uploads is not None:
            self._uploads.stop()
        if self._watch is not None:
            self._watch.stop()
        self.keeper.stop()
        self.pages.stop()
        self._workers.shutdown()
        if self._feedback is not None:
            self._feedback.stop()

    def _listener_key(self) -> bytes:
        """The key of the pseudonyms; where none is there and none may be made, it fits nobody."""
        file = self.path / KEY_FILE
        if self.config.read_only:
            return known_key(file) or secrets.token_bytes(32)
        return listener_key(file)

    async def compute(self, work: Callable[[], T]) -> T:
        """What some work gives that takes milliseconds, done beside the requests."""
        return await asyncio.wrap_future(self._workers.submit(work))

    @property
    def generation(self) -> Generation:
        """The catalog as it is now; keep it until the answer is done."""
        return self.keeper.current

    @property
    def feedback(self) -> FeedbackWriter:
        """The writer of the feedback; raises ReadOnlyError where this service has none."""
        if self._feedback is None:
            raise ReadOnlyError
        return self._feedback

    @property
    def uploads(self) -> Uploads:
        """What takes tracks in; raises ReadOnlyError where this service writes nothing."""
        if self._uploads is None:
            raise ReadOnlyError
        return self._uploads

    def measure(self) -> None:
        """Bring the numbers of what there is up to date."""
        if self.is_ready:
            self.metrics.tracks.set(len(self.generation))
            self.metrics.generation.set(self.generation.number)
            self.metrics.listeners.set(len(self.states))

    @staticmethod
    def note_error(error: Exception) -> None:
        """Log what went wrong; the client is not told of the disk."""
        _LOG.error("%s", error)

    def pseudonym(self, user_id: str) -> str:
        """What stands for a listener on the disk and in memory."""
        return pseudonym(user_id, self._key)

    async def forget(self, user_id: str) -> Forgotten:
        """Forget a listener, by the id that clients know, on the disk and in memory.

        Raises CatalogError where another process writes to the catalog: then do it again.
        """
        catalog, own = Catalog.open(self.path), self.pseudonym(user_id)
        known = await self.feedback.between_writes(
            lambda log: forget(catalog, [user_id, own], log=log)
        )
        assert isinstance(known, Forgotten)
        self.states.forget(own)
        self.pages.forget(own)
        self.last_hour.forget(own)
        return known

    async def expire(self) -> int:
        """Remove feedback that is older than the settings keep it; the rows that went."""
        days = self.config.retention_days
        gone = await self.feedback.between_writes(lambda log: log.expire(days))
        return int(gone)

    async def take_events(self, events: Sequence[object], user: str | None = None) -> EventsTaken:
        """Take events in: on the disk, each once by its id, when this returns.

        events: with the fields of OUTCOMES, `user_id` as the client knows the listener. user: the
        pseudonym of the only listener whose events are taken. What is wrong is left out, and named.
        Raises CatalogError where the disk refuses, ReadOnlyError where nothing is written.
        """
        writer = self.feedback
        kept, faults = checked(events, OUTCOMES)
        names: dict[str, str] = {}
        for record in kept:
            name = record["user_id"]
            record["user_id"] = names.get(name) or names.setdefault(name, self.pseudonym(name))
        if user is not None:
            wrong = len(kept)
            kept = [record for record in kept if record["user_id"] == user]
            if len(kept) < wrong:
                faults.append(RecordFault(0, "user_id", "this page is another listener's"))
        added = await writer.outcomes(kept) if kept else []
        self.last_hour.note_outcomes(added)
        users = self.states.record(added)
        self.pages.anticipate(users)
        known = len(kept) - len(added)
        became = {"added": len(added), "known": known, "refused": len(faults)}
        for name, count in became.items():
            self.metrics.events.labels(name).inc(count)
        return EventsTaken(len(added), known, faults, frozenset(users))

    async def serve_page(self, user: str, about: Mapping[str, Any]) -> ServedPage:
        """A page for a listener, given by pseudonym; its exposures are written when this returns.

        A service that writes nothing serves pages without exposures.
        """
        page = await self.pages.page(user, dict(about))
        await self._expose(page.exposures)
        return page

    async def show_next(self, user: str, items: Items, policy: str) -> tuple[str, Items]:
        """The id of a list of what comes next, and its items with ids of exposures.

        user: a pseudonym. The exposures are written when this returns, as those of a page are.
        """
        stamp = PageStamp.now(user)
        named, rows = list_exposures(items, "next", policy, stamp)
        await self._expose(rows)
        return stamp.page_id, named

    async def _expose(self, rows: Sequence[bytes]) -> None:
        """Write encoded exposures; count them alone, where nothing may be written."""
        if self._feedback is None:
            self.metrics.unwritten_exposures.inc(len(rows))
        elif rows:
            await self._feedback.exposures(rows)
            self.metrics.exposures.inc(len(rows))
