"""One writer at a time: a lock that the system releases when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from musicu.catalog.files import plain_errors
from musicu.errors import BusyCatalogError

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_LOOK_SECONDS = 0.02


def _taken(descriptor: int) -> bool:
    """Whether the lock is ours now."""
    try:
        _take(descriptor)
    except OSError:
        return False
    return True


@contextmanager
def write_lock(folder: Path, patience_seconds: float = 0.0) -> Iterator[None]:
    """Hold the catalog folder for writing.

    Raises BusyCatalogError where another process still does after some seconds.
    """
    path = folder / ".lock"
    with plain_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        until = time.monotonic() + patience_seconds
        while not _taken(descriptor):
            if time.monotonic() >= until:
                raise BusyCatalogError(
                    f"another process is writing to {folder}: wait until it has finished, then "
                    "run again"
                )
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)
