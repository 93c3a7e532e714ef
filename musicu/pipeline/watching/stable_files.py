"""Which files are whole, so that one that is still being copied is not taken half."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from musicu.audio import open_source, reaches_end
from musicu.errors import AudioError, MissingExtraError

#: Size in bytes, modification time and change of the inode in nanoseconds.
Stamp = tuple[int, ...]


@dataclass(slots=True)
class _File:
    """A file as it was last seen: its state, and in how many looks it has not changed."""

    stamp: Stamp
    still: int = 0
    whole: bool = False


class StableFiles:
    """Says of each look at a folder which files may be taken.

    A file may be taken once two looks have found it the same and it can be decoded to its end; or
    once it has not changed in `patience` looks, since what is damaged for good must not wait for
    ever. is_whole: whether a file can be decoded to its end.
    """

    def __init__(
        self,
        known: Mapping[Path, Stamp],
        is_whole: Callable[[Path], bool],
        patience: int = 30,
    ) -> None:
        self._files = {path: _File(stamp, 1, whole=True) for path, stamp in known.items()}
        self._is_whole, self._patience = is_whole, patience

    def look(self, found: Mapping[Path, Stamp]) -> frozenset[Path]:
        """The files of a look that may be taken; the others are waited for."""
        for gone in self._files.keys() - found.keys():
            del self._files[gone]
        return frozenset(path for path, stamp in found.items() if self._may_be_taken(path, stamp))

    def _may_be_taken(self, path: Path, stamp: Stamp) -> bool:
        file = self._files.get(path)
        if file is None or file.stamp != stamp:
            self._files[path] = _File(stamp)
            return False
        file.still += 1
        if not file.whole and stamp[0] > 0:
            file.whole = self._is_whole(path)
        return file.whole or file.still >= self._patience


def is_whole(path: Path) -> bool:
    """Whether a file decodes to the end that its header or structure promises.

    One that needs an optional dependency counts as whole: waiting would not help.
    """
    try:
        with open_source(path) as source:
            return not source.cut and (not source.promised or reaches_end(source))
    except MissingExtraError:
        return True
    except AudioError:
        return False
