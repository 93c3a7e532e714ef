"""A file that a scan found, and the name by which it is known on every machine."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from musicu.errors import SourceError
from musicu.object_store import is_object, look_at_object
from musicu.records import Failure


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to take into a catalog.

    track_id: given by the table, or derived from the relative path (see `derived_id`).
    root: the folder that `path` is relative to; "" where a path is known only as absolute.
    path: relative, with forward slashes; bytes that are not UTF-8 are shown as \\xNN.
    path_bytes: the exact relative name, only where it is not valid UTF-8.
    file: an openable path.
    size_bytes, modified_ns: of the file; nanoseconds since 1970.
    given: typed columns of a table; {} otherwise.
    changed_ns: when the file's inode was changed last, which no program can set: it tells of tags
    that were written with size and time kept. None where that is not to be asked (nor on Windows,
    which keeps no such time).
    """

    track_id: str
    root: str
    path: str
    path_bytes: bytes | None
    file: Path
    size_bytes: int
    modified_ns: int
    given: dict[str, Any] = field(default_factory=dict)
    changed_ns: int | None = None


@dataclass(slots=True)
class SourceNotes:
    """What a walk through a source met beside files.

    left_out: how many folders and files of the system's own, by name ("@eaDir", "._*");
    own_folders: the paths of those folders.
    unreachable: parts that may hold files which nobody can see now, each path with the reason.
    """

    left_out: Counter[str] = field(default_factory=Counter)
    own_folders: set[str] = field(default_factory=set)
    unreachable: dict[str, str] = field(default_factory=dict)


def derived_id(name: bytes) -> str:
    """16 hex digits for a relative path (forward slashes, NFC): the same under any root."""
    return hashlib.blake2b(name).hexdigest()[:16]


def relative_bytes(path: str) -> bytes:
    """A relative path as bytes with forward slashes, whatever the system's separator."""
    return os.fsencode(path.replace(os.sep, "/"))


def composed(name: bytes) -> bytes:
    """The NFC form of a name, which macOS and other systems spell differently."""
    try:
        return unicodedata.normalize("NFC", name.decode("utf-8")).encode("utf-8")
    except UnicodeDecodeError:
        return name


def distinct(names: Sequence[bytes]) -> list[bytes]:
    """The NFC form of each name, or its exact bytes where another name has that form already.

    A name that is in NFC keeps it, so that a twin in another spelling never takes its place.
    """
    taken = {name for name in names if composed(name) == name}
    ids = []
    for name in names:
        form = composed(name)
        if form != name and form in taken:
            form = name
        taken.add(form)
        ids.append(form)
    return ids


def shown(name: bytes) -> str:
    """A name for people: bytes that are not UTF-8 appear as \\xNN."""
    return name.decode("utf-8", "backslashreplace")


def examine(
    file: Path, name: bytes, id_name: bytes, root: str, track_id: str | None = None
) -> SourceFile | Failure:
    """The record of one file, or why it cannot be one.

    name: the exact relative path; id_name: what the id is derived from, where none is given.
    """
    track_id = track_id or derived_id(id_name)
    path = shown(name)
    if is_object(file):
        return _examine_object(file, path, root, track_id)
    try:
        status = file.stat()
    except (OSError, ValueError) as error:
        return Failure(track_id, path, "scan", _why_not(file, error))
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        return Failure(track_id, path, "scan", f"is {kind}, not a file")
    odd = name if path.encode("utf-8") != name else None
    changed = None if os.name == "nt" else status.st_ctime_ns
    size, modified = status.st_size, status.st_mtime_ns
    return SourceFile(track_id, root, path, odd, file, size, modified, changed_ns=changed)


def _examine_object(file: Path, path: str, root: str, track_id: str) -> SourceFile | Failure:
    """The record of a file on an object store."""
    try:
        stored = look_at_object(file)
    except FileNotFoundError:
        return Failure(track_id, path, "scan", "no such file")
    except SourceError as error:
        return Failure(track_id, path, "scan", str(error))
    return SourceFile(track_id, root, path, None, file, stored.size_bytes, stored.modified_ns)


def _why_not(file: Path, error: OSError | ValueError) -> str:
    """What keeps a file from being looked at, in words."""
    if isinstance(error, ValueError):
        return f"no file can have this name ({error})"
    try:
        if file.is_symlink():
            target = os.fsencode(file.readlink()).decode("utf-8", "backslashreplace")
            return f"a link that leads nowhere ({target})"[:300]
    except OSError:
        pass
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return f"cannot be looked at: {error.strerror}"
