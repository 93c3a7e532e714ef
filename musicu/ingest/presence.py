"""Whether a file that a scan did not find is deleted, or only out of sight for now."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from musicu.errors import MissingExtraError, SourceError
from musicu.ingest.system_names import is_system_folder
from musicu.object_store import find_objects, is_object, look_at_object

#: Why a folder may hide files although it can be read.
EMPTY = "it is empty, as where a disk is not mounted"
#: The folder of a catalog's music was moved, deleted, or lies on a disk that is away.
ABSENT = "it is not there"

_NOISE = frozenset((".ds_store", "thumbs.db", "desktop.ini", ".directory"))
_DEEPEST = 8
_MISSING = (FileNotFoundError, NotADirectoryError)


@dataclass(slots=True)
class Presence:
    """Looks for files, and takes down the folders that cannot be seen into.

    A file is out of sight where a folder above it is behind a broken link, cannot be read, or is
    empty (as the mount folder of a disk that is not mounted), and where its root is not there.
    unreachable: such folders, each with the reason.
    """

    unreachable: dict[str, str] = field(default_factory=dict)
    _folders: dict[Path, str | None] = field(default_factory=dict)

    def is_there(self, file: Path) -> bool:
        """Whether there is a file, or a link, of this name."""
        if is_object(file):
            return self._object_state(file) is None
        try:
            file.lstat()
        except (OSError, ValueError):
            return False
        return True

    def hidden_by(self, file: Path, root: Path) -> str | None:
        """The folder that keeps a missing file out of sight; None where the file is deleted."""
        if is_object(file):
            if root not in self._folders:
                self._folders[root] = self._look_at_bucket(file, root)
            return self._folders[root]
        try:
            file.lstat()
        except _MISSING:
            return self._folder(file.parent, root)
        except (OSError, ValueError) as error:
            return self._note(file.parent, _words(error))
        return None

    def _object_state(self, file: Path) -> str | None:
        """None where an object is there; "" where it is not; why that cannot be told."""
        try:
            look_at_object(file)
        except FileNotFoundError:
            return ""
        except (SourceError, MissingExtraError) as error:
            return str(error)
        return None

    def _look_at_bucket(self, file: Path, root: Path) -> str | None:
        """What is wrong with the folder that an object is missing from."""
        unknown = self._object_state(file)
        if unknown:
            return self._note(file.parent, unknown)
        try:
            empty = next(find_objects(root), None) is None
        except (FileNotFoundError, SourceError):
            empty = True
        return self._note(root, EMPTY) if empty else None

    def _folder(self, folder: Path, root: Path) -> str | None:
        if folder not in self._folders:
            self._folders[folder] = self._look(folder, root)
        return self._folders[folder]

    def _look(self, folder: Path, root: Path) -> str | None:
        """What is wrong with a folder, or with the nearest one above it that is there."""
        try:
            if _is_empty(folder):
                return self._note(folder, EMPTY)
        except _MISSING:
            if folder.is_symlink():
                return self._note(folder, "a link that leads nowhere")
            if folder in (root, folder.parent):
                return self._note(folder, ABSENT)
            return self._folder(folder.parent, root)
        except OSError as error:
            return self._note(folder, _words(error))
        return None

    def _note(self, folder: Path, reason: str) -> str:
        self.unreachable[str(folder)] = reason
        return str(folder)


def _is_empty(folder: Path, depth: int = 0) -> bool:
    """Whether there is no file in a folder, nor in those that it holds."""
    with os.scandir(folder) as listing:
        return all(
            _is_noise(entry)
            or (
                depth < _DEEPEST
                and entry.is_dir(follow_symlinks=False)
                and _is_empty(Path(entry.path), depth + 1)
            )
            for entry in listing
        )


def _is_noise(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is what a system leaves in a folder that holds nothing."""
    return entry.name.casefold() in _NOISE or is_system_folder(Path(entry.path))


def _words(error: OSError | ValueError) -> str:
    return f"it cannot be read: {getattr(error, 'strerror', None) or error}"
