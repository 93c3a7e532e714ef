"""The present generation, and the thread that opens the catalog anew when others wrote to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock, Thread

from musicu.catalog.catalog import Catalog
from musicu.catalog.manifest import NAME, read_manifest
from musicu.errors import MusicuError
from musicu.serving.generation import FreshTrack, Generation, OpenedCatalog

_LOG = logging.getLogger("musicu.serving")
_LOOK_SECONDS = 0.5
#: Opening anew takes at most this share of the time while another process keeps writing.
_SHARE = 0.2


class GenerationKeeper:
    """Holds the present generation; readers take `current` and keep it while they answer.

    prepare: is given each newly opened catalog before anybody sees it, to make what is slow.
    """

    def __init__(
        self,
        catalog: Path,
        model: str | None,
        prepare: Callable[[OpenedCatalog], None] = lambda base: None,
    ) -> None:
        self._catalog = Catalog.open(catalog)
        self._model, self._prepare = model, prepare
        self._lock = Lock()
        self._stopping = Event()
        self._openings = 0
        self._seen = self._stamp()
        self.current = Generation(1, self._opened())
        self._thread = Thread(target=self._watch, name="generations", daemon=True)

    def _opened(self) -> OpenedCatalog:
        self._openings += 1
        base = OpenedCatalog.open(self._catalog, self._model, self._openings)
        self._prepare(base)
        return base

    def start(self) -> None:
        """Look for what others write, from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def add(self, tracks: Sequence[FreshTrack]) -> None:
        """Let everybody see more tracks; at once, where no track was searchable before."""
        if self.current.base.items is None and any(track.vector is not None for track in tracks):
            self.reopen()
        with self._lock:
            self.current = self.current.with_fresh(tracks)

    def wrote(self, before: int, after: int) -> None:
        """Take in that this service has committed what it shows already.

        before, after: the sequence of the manifest. Where nobody else wrote between, nothing has
        to be opened.
        """
        if before == self.current.base.sequence:
            self.current.base.sequence = after
            self._seen = self._stamp()

    def reopen(self) -> None:
        """Open the catalog as it is now, and show it when it is ready."""
        base = self._opened()
        with self._lock:
            self.current = self.current.over(base)
        _LOG.info("catalog opened", extra={"generation": self.current.number})

    def _watch(self) -> None:
        pause = _LOOK_SECONDS
        while not self._stopping.wait(pause):
            pause = _LOOK_SECONDS
            try:
                if self._is_newer():
                    began = time.monotonic()
                    self.reopen()
                    pause += (time.monotonic() - began) / _SHARE
            except MusicuError as error:  # a writer was faster, or the disk is away: look again
                _LOG.warning("the catalog cannot be opened: %s", error)

    def _is_newer(self) -> bool:
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        sequence = read_manifest(self._catalog.path).sequence
        self._seen = stamp
        return sequence != self.current.base.sequence

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            state = (self._catalog.path / NAME).stat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size, state.st_ino
