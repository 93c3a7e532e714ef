"""Pages for listeners: made when something changed, kept until then."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from musicu.policies.policy import POLICIES, order_by_policy
from musicu.serving.generation import Generation, OpenedCatalog
from musicu.serving.listener_states import ListenerStates
from musicu.serving.page_encoding import (
    EncodedShelf,
    PageStamp,
    encode,
    page_bytes,
    page_exposures,
)
from musicu.serving.page_shelves import (
    NEW,
    PageSettings,
    PageShelf,
    catalog_shelves,
    listener_shelves,
    with_arrivals,
)
from musicu.serving.pages_ahead import PagesAhead

#: Listeners whose shelves are kept, some 40 kB each.
_KEPT = 2_000
#: Listeners whose pages are made at the start, before they are asked for.
_WARMED = 1_000
_TRIES = 3  # to make a page while its listener goes on


@dataclass(slots=True, eq=False)
class ListenerPage:
    """A listener's shelves as they were made.

    version: of what was known of the listener. newest: the number of a generation, and the shelf
    of new releases with what had come in by then.
    """

    version: int
    base: OpenedCatalog
    shelves: tuple[PageShelf, ...]
    encoded: dict[str, EncodedShelf]
    newest: tuple[int, EncodedShelf] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ServedPage:
    """One page as it is served: its answer, the exposures, and the shelves in their order."""

    page_id: str
    answer: bytes
    exposures: list[bytes]
    shelves: list[EncodedShelf]


class PageMaker:
    """Makes pages. Those of listeners who were active are made again when something changed."""

    def __init__(
        self,
        current: Callable[[], Generation],
        states: ListenerStates,
        settings: PageSettings,
        policy: str,
    ) -> None:
        self._current, self._states, self._settings = current, states, settings
        self._policy = POLICIES.make(policy)
        self._policy_name = policy
        self._fingerprint = hashlib.blake2b(policy.encode(), digest_size=8).hexdigest()
        self._pages: OrderedDict[str, ListenerPage] = OrderedDict()
        self._lock = Lock()
        self._rng = np.random.default_rng()
        self._asked = ThreadPoolExecutor(1, "page")
        self._ahead = PagesAhead(self._make_ahead)
        self._pending: dict[str, Future[ListenerPage]] = {}

    def stop(self) -> None:
        """Make no more pages."""
        self._ahead.stop()
        self._asked.shutdown(cancel_futures=True)

    def prepare(self, base: OpenedCatalog) -> None:
        """Make what all pages of an opened catalog share."""
        shelves = tuple(catalog_shelves(base, self._settings))
        if base.items is not None:
            base.style_scale  # noqa: B018 - made now, not for the first who skips
        base.shared_page = ListenerPage(0, base, shelves, self._encoded(shelves))

    def warm(self) -> None:
        """Begin to make the pages of the listeners who were active last."""
        self._ahead.add(reversed(self._states.recent(_WARMED)))
        self._ahead.start()

    def anticipate(self, users: Iterable[str]) -> None:
        """Begin to make the pages of listeners who have done something."""
        self._ahead.add(users)

    def forget(self, user: str) -> None:
        """Drop a listener's page."""
        self._ahead.discard(user)
        with self._lock:
            self._pages.pop(user, None)

    async def page(self, user: str, about: dict[str, Any]) -> ServedPage:
        """The page of a listener, given by pseudonym, as it is now.

        about: what the answer says beside page, generation and policy.
        """
        generation = self._current()
        version = self._states.version(user)
        kept = self._kept(user, generation)
        for _ in range(_TRIES):
            if kept is not None and (kept.version >= version or not kept.version):
                break
            # A request that is given up must not take the page away from the others.
            kept = await asyncio.shield(asyncio.wrap_future(self._begin(user)))
        assert kept is not None
        return self._served(kept, generation, user, about)

    def _kept(self, user: str, generation: Generation) -> ListenerPage | None:
        """The page that was made, unless the listener has done something since.

        Where the catalog was opened anew since, it is made again, and until then it stays: all of
        it is of one generation.
        """
        version = self._states.version(user)
        if version == 0:
            return shared_page(generation.base)
        with self._lock:
            kept = self._pages.get(user)
            if kept is None or kept.version != version:
                return None
            self._pages.move_to_end(user)
        if kept.base is not generation.base:
            self._ahead.add([user])
        return kept

    def _begin(self, user: str) -> Future[ListenerPage]:
        """Have a page made that somebody waits for."""
        with self._lock:
            pending = self._pending.get(user)
            if pending is not None:
                return pending
            future = self._pending[user] = self._asked.submit(self._make, user)
        return future

    def _make(self, user: str) -> ListenerPage:
        """Make a page, for all who wait for it."""
        try:
            return self._made_and_kept(user)
        finally:
            with self._lock:
                self._pending.pop(user, None)

    def _make_ahead(self, user: str) -> None:
        """Make a page that nobody waits for, unless somebody does by now."""
        future: Future[ListenerPage] = Future()
        future.set_running_or_notify_cancel()  # from here on nobody can cancel it
        with self._lock:
            if user in self._pending:
                return
            self._pending[user] = future
        try:
            future.set_result(self._make(user))
        except BaseException as error:
            future.set_exception(error)
            raise

    def _made_and_kept(self, user: str) -> ListenerPage:
        """Make a listener's shelves, and keep them."""
        made = self._made(user)
        with self._lock:
            self._pages[user] = made
            self._pages.move_to_end(user)
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
        return made

    def _made(self, user: str) -> ListenerPage:
        """A listener's shelves; those that are kept where they stand as they are to be."""
        base = self._current().base
        with self._lock:
            kept = self._pages.get(user)
        if kept and kept.base is base and kept.version == self._states.version(user):
            return kept
        version, events = self._states.events(user)
        shared = shared_page(base)
        shelves = tuple(listener_shelves(base, events, shared.shelves, self._settings))
        encoded = {
            shelf.name: shared.encoded[shelf.name]
            if shelf in shared.shelves
            else encode(shelf, self._policy_name, self._fingerprint)
            for shelf in shelves
        }
        return ListenerPage(version, base, shelves, encoded)

    def _encoded(self, shelves: Iterable[PageShelf]) -> dict[str, EncodedShelf]:
        return {s.name: encode(s, self._policy_name, self._fingerprint) for s in shelves}

    def _served(
        self, page: ListenerPage, generation: Generation, user: str, about: dict[str, Any]
    ) -> ServedPage:
        """A page of shelves in an order that the policy draws."""
        shelves = [page.encoded[shelf.name] for shelf in page.shelves]
        if generation.arrivals:
            shelves = [
                self._with_arrivals(page, generation, user) if each.shelf.name == NEW else each
                for each in shelves
            ]
        names = [each.shelf.name for each in shelves]
        with self._lock:  # generators are not safe to share
            chosen = order_by_policy(self._policy, names, self._rng)
        ordered = [shelves[choice.action] for choice in chosen]
        propensities = [choice.propensity for choice in chosen]
        stamp = PageStamp.now(user)
        head = {
            **about,
            "page_id": stamp.page_id,
            "generation": generation.number,
            "policy": self._policy_name,
        }
        return ServedPage(
            stamp.page_id,
            page_bytes(ordered, propensities, stamp, head),
            page_exposures(ordered, propensities, stamp),
            ordered,
        )

    def _with_arrivals(self, page: ListenerPage, generation: Generation, user: str) -> EncodedShelf:
        """The shelf of new releases with what has come in; encoded once a generation."""
        if page.newest is None or page.newest[0] != generation.number:
            kept = page.encoded[NEW].shelf
            size = self._settings.size
            events = self._states.events(user)[1] if page.version else ()  # 0: it is anybody's
            heard = {event.track_id for event in events}
            shelf = with_arrivals(kept, generation.arrivals, heard, size)
            page.newest = generation.number, encode(shelf, self._policy_name, self._fingerprint)
        return page.newest[1]


def shared_page(base: OpenedCatalog) -> ListenerPage:
    """The page for anybody, which `PageMaker.prepare` made."""
    made: ListenerPage = base.shared_page
    return made
