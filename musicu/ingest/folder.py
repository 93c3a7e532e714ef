"""A folder as a source: every audio file beneath it, in an order that never changes."""

from __future__ import annotations

import mimetypes
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from musicu.errors import SourceError
from musicu.ingest.source_file import (
    SourceFile,
    SourceNotes,
    composed,
    derived_id,
    distinct,
    examine,
    relative_bytes,
    shown,
)
from musicu.ingest.system_names import is_appledouble, is_system_folder
from musicu.records import Failure

_BASE = ".wav .wave .bwf .rf64 .w64 .flac .mp3 .mp2 .ogg .oga .opus .aif .aiff .aifc .au .snd .caf"
_WITH_AV = (
    ".m4a .m4b .mp4 .aac .alac .wma .asf .ape .wv .mpc .tta .ac3 .eac3 .dts .mka .weba .amr .dsf "
    ".dff .tak .spx"
)
#: What counts as an audio file in a folder; a table or list may name files of any suffix.
#: Some need the `av` extra to be heard; without it such files fail with that advice.
AUDIO_SUFFIXES = frozenset(_BASE.split() + _WITH_AV.split())


def is_audio_name(name: str) -> bool:
    """Whether a file name has an audio suffix, whatever it begins with: ".flac" has one too."""
    return "." + name.rpartition(".")[2].lower() in AUDIO_SUFFIXES


def _may_hold_music(name: str) -> bool:
    """Whether what a broken link of this name led to may have been music, or a folder of it."""
    return is_audio_name(name) or mimetypes.guess_type(name)[0] is None


@dataclass(frozen=True, slots=True)
class _Place:
    """A directory to read: where it is, its relative name, and the name that ids are made of."""

    path: str
    name: bytes
    id_name: bytes
    above: frozenset[tuple[int, int]]


def walk(
    folder: Path, root: Path | None = None, notes: SourceNotes | None = None
) -> Iterator[SourceFile | Failure]:
    """Every audio file at any depth, sorted by the bytes of its name.

    root: what paths are relative to, the folder itself or one above it (default: the folder).
    Directories behind links come after all others, each once, so that a new link never changes
    the path of a file. What cannot be read is a Failure. notes: takes down what is left out as
    the system's own (see `system_names`), and what cannot be reached.
    Raises SourceError where nothing was found, or where the root does not hold the folder.
    """
    root = folder if root is None else root
    try:
        name = relative_bytes(str(folder.relative_to(root)))
    except ValueError:
        raise SourceError(f"{folder} lies outside of the root {root}") from None
    name = b"" if name == b"." else name
    found = False
    start = _Place(str(folder), name, composed(name), frozenset())
    for item in _Walk(str(root), SourceNotes() if notes is None else notes).run(start):
        found = True
        yield item
    if not found:
        raise SourceError(
            f"no audio files in {folder}: looked for {' '.join(sorted(AUDIO_SUFFIXES))}"
        )


class _Walk:
    """One walk through a tree: what it has seen, and the links that it keeps for later."""

    def __init__(self, root: str, notes: SourceNotes) -> None:
        self.root, self.notes = root, notes
        self.seen: set[tuple[int, int]] = set()
        self.links: deque[_Place] = deque()

    def run(self, start: _Place) -> Iterator[SourceFile | Failure]:
        """The real directories below `start`, then those that links lead to."""
        stack = [start]
        while stack or self.links:
            place = stack.pop() if stack else self.links.popleft()
            try:
                status = Path(place.path).stat()
                key = (status.st_dev, status.st_ino)
                if key in self.seen:
                    if key in place.above:
                        yield _failed(place, "a link to a folder that holds it, which is read once")
                    continue
                self.seen.add(key)
                with os.scandir(place.path) as listing:
                    entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
            except OSError as error:
                reason = f"the folder cannot be read: {error.strerror}"
                self.notes.unreachable[place.path] = reason
                yield _failed(place, reason)
                continue
            inner: list[_Place] = []
            yield from self._files(entries, place, key, inner)
            stack.extend(reversed(inner))

    def _files(
        self,
        entries: list[os.DirEntry[str]],
        place: _Place,
        key: tuple[int, int],
        inner: list[_Place],
    ) -> Iterator[SourceFile | Failure]:
        """The files of one directory; its directories go to `inner` or, behind links, wait."""
        entries = self._kept(entries)
        names = [os.fsencode(entry.name) for entry in entries]
        for entry, name, id_name in zip(entries, names, distinct(names), strict=True):
            name, id_name = _joined(place.name, name), _joined(place.id_name, id_name)
            if _is_directory(entry):
                below = _Place(entry.path, name, id_name, place.above | {key})
                (self.links if entry.is_symlink() else inner).append(below)
            elif is_audio_name(entry.name) or (entry.is_symlink() and _may_hold_music(entry.name)):
                found = examine(Path(entry.path), name, id_name, self.root)
                hidden = isinstance(found, Failure) and _is_out_of_sight(Path(entry.path))
                if hidden:
                    self.notes.unreachable[entry.path] = getattr(found, "reason", "")
                if hidden or is_audio_name(entry.name):
                    yield found

    def _kept(self, entries: list[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
        """The entries without the system's own, which are counted where they might be music."""
        kept, beside = [], {entry.name for entry in entries}
        for entry in entries:
            path = Path(entry.path)
            if _is_directory(entry):
                kind = entry.name if is_system_folder(path) else None
            else:
                twin = is_audio_name(entry.name) and is_appledouble(path, beside)
                kind = "._*" if twin else None
            if kind is None:
                kept.append(entry)
                continue
            self.notes.left_out[kind] += 1
            if kind != "._*":
                self.notes.own_folders.add(entry.path)
        return kept


def _joined(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a directory or a link to one; a loop of links is neither."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_out_of_sight(path: Path) -> bool:
    """Whether something may be there that cannot be seen now: behind a broken link, or a fault."""
    try:
        path.stat()
    except FileNotFoundError:
        return path.is_symlink()
    except OSError:
        return True
    return False


def _failed(place: _Place, reason: str) -> Failure:
    name = place.name or os.fsencode(Path(place.path).name)
    return Failure(derived_id(place.id_name or name), shown(name), "scan", reason)
