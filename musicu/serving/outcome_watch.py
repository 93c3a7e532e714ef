"""What the service that writes takes in, for a replica that only reads."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from threading import Event, Thread

from musicu.errors import MusicuError
from musicu.listening.feedback.feedback_log import FOLDER, read
from musicu.serving.listener_states import ListenerStates

_LOG = logging.getLogger("musicu.serving")
_LOOK_SECONDS = 1.0
#: Reading anew takes at most this share of the time.
_SHARE = 0.2


class OutcomeWatch:
    """Brings listeners up to date when the outcomes beside a catalog change, in a thread."""

    def __init__(self, catalog: Path, states: ListenerStates) -> None:
        self._catalog, self._states = catalog, states
        self._stopping = Event()
        self._seen = self._files()
        self._thread = Thread(target=self._watch, name="outcomes", daemon=True)

    def start(self) -> None:
        """Read the outcomes, and look for more from now on."""
        self._states.load(read(self._catalog, "outcomes"))
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = _LOOK_SECONDS
        while not self._stopping.wait(pause):
            pause = _LOOK_SECONDS
            files = self._files()
            if files == self._seen:
                continue
            began = time.monotonic()
            try:
                fresh = ListenerStates()
                fresh.load(read(self._catalog, "outcomes"))
                self._states.take_over(fresh)
                self._seen = files
            except MusicuError as error:  # the disk is away: look again
                _LOG.warning("the outcomes cannot be read: %s", error)
            pause += (time.monotonic() - began) / _SHARE

    def _files(self) -> frozenset[tuple[str, int, int]]:
        """What lies there: names, sizes, and when each was written."""
        try:
            with os.scandir(self._catalog / FOLDER / "outcomes") as found:
                states = [(entry.name, entry.stat()) for entry in found]
        except OSError:
            return frozenset()
        return frozenset((name, state.st_size, state.st_mtime_ns) for name, state in states)
