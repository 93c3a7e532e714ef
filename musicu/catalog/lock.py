"""One writer at a time: a lock that the system releases when its holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from musicu.catalog.files import plain_errors
from musicu.errors import CatalogError

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def write_lock(folder: Path) -> Iterator[None]:
    """Hold the catalog folder for writing; raises CatalogError where another process does."""
    path = folder / ".lock"
    with plain_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            _take(descriptor)
        except OSError:
            raise CatalogError(
                f"another process is writing to {folder}: wait until it has finished, then run "
                "again"
            ) from None
        yield
    finally:
        os.close(descriptor)
