"""Writing files so that a kill at any moment leaves the old or the new, never a half."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from musicu.errors import CatalogError

TEMPORARY_SUFFIX = ".tmp"
#: How long a reader may keep a file open that is to be replaced; only Windows minds.
_READERS_SECONDS = 2.0 if os.name == "nt" else 0.0

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and run again, finished work is kept",
    errno.EDQUOT: "the disk quota is used up: free some space and run again, finished work is kept",
    errno.EROFS: "the disk is read-only: choose another folder",
    errno.EACCES: "permission denied: choose a folder you may write to",
    errno.EPERM: "permission denied: choose a folder you may write to",
}


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn an OSError while writing `path` into a CatalogError that says what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        raise CatalogError(f"cannot write {path}: {advice}") from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path, sync what it wrote, and rename it to `path`.

    Raises CatalogError where the disk refuses; the temporary file is then removed.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    with plain_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(temporary)
            temporary.chmod(_mode())  # whatever mode the writer's library has of its own
            _sync(temporary)
            _replace(temporary, path)
            _sync_folder(path.parent)
        except BaseException:  # Ctrl-C too must leave no half; it is raised again
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def _replace(temporary: Path, path: Path) -> None:
    """Rename a file to `path`; on Windows, once readers have closed what lies there."""
    until = time.monotonic() + _READERS_SECONDS
    while True:
        try:
            temporary.replace(path)
            return
        except PermissionError:
            if time.monotonic() >= until:
                raise
        time.sleep(0.01)


@cache
def _mode() -> int:
    """The mode of a new file: what the process's umask leaves."""
    mask = os.umask(0o077)  # it can be read only by being set
    os.umask(mask)
    return 0o666 & ~mask


def _sync(path: Path) -> None:
    """Flush a file's bytes to the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Flush a rename to the disk, where the system can (Windows cannot open folders)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
