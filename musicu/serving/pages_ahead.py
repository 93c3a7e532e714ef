"""Pages that are made before they are asked for, by a thread that leaves room for requests."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Condition, Thread

_LOG = logging.getLogger("musicu.serving")

#: So many listeners are somebody at a player each, whose page is made at once. More of them are
#: a delivery of events in bulk, and are made one by one, at most this share of the time.
_FEW = 16
_SHARE = 0.1
#: How many may wait; who waits longest is left out, and made when asked for.
_MOST = 2_000


class PagesAhead:
    """Listeners whose pages are to be made; make: makes one, and keeps it."""

    def __init__(self, make: Callable[[str], object]) -> None:
        self._make = make
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._changed = Condition()
        self._stopping = False
        self._thread = Thread(target=self._run, name="pages ahead", daemon=True)

    def start(self) -> None:
        """Begin with those who wait already."""
        self._thread.start()

    def stop(self) -> None:
        """Make no more."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def add(self, users: Iterable[str]) -> None:
        """Have the pages of some listeners made, each once; whoever is added last comes first."""
        with self._changed:
            for user in users:
                self._waiting[user] = None
                self._waiting.move_to_end(user)
            while len(self._waiting) > _MOST:
                self._waiting.popitem(last=False)
            self._changed.notify()

    def discard(self, user: str) -> None:
        """Leave a listener out."""
        with self._changed:
            self._waiting.pop(user, None)

    def _run(self) -> None:
        pause = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, pause)
                self._changed.wait_for(lambda: self._stopping or self._waiting)
                if self._stopping:
                    return
                user, _ = self._waiting.popitem()
                are_many = len(self._waiting) >= _FEW
            began = time.monotonic()
            try:
                self._make(user)
            except Exception:  # noqa: BLE001 - the pages of the others are made all the same
                _LOG.exception("a page could not be made ahead")
            pause = (time.monotonic() - began) * (1 / _SHARE - 1) if are_many else 0.0
