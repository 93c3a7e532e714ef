"""When a run saves what it has done."""

from __future__ import annotations

import time

_SOONEST_SECONDS = 2.0
_LATEST_SECONDS = 60.0
_SHARE = 0.02


class CommitInterval:
    """Due after 2 % of the run's time so far, but between 2 and 60 seconds.

    A kill loses no more than that, and a long run does not drown in small files.
    """

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to commit; a time that is due counts as taken."""
        now = time.monotonic()
        wait = min(_LATEST_SECONDS, max(_SOONEST_SECONDS, _SHARE * (now - self._began)))
        if now - self._last < wait:
            return False
        self._last = now
        return True
