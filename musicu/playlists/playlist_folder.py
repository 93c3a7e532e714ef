"""A playlist's tracks in a folder: copied or linked, in order, under safe names."""

from __future__ import annotations

import filecmp
import re
import shutil
from pathlib import Path
from typing import Literal

from musicu.catalog.files import plain_errors, write_atomically
from musicu.catalog.locations import absolute
from musicu.catalog.words import one_line
from musicu.errors import CatalogError, QueryError
from musicu.playlists.entries import Entry, Playlist

How = Literal["copy", "link"]

#: What Windows, macOS or a memory card refuses in a name.
_REFUSED = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_LONGEST = 180  # bytes of a name, before its ending


def place_tracks(playlist: Playlist, folder: str | Path, how: How = "copy") -> list[Path]:
    """Put each entry's file into the folder as "01 Artist - Title.flac"; returns where they are.

    Nothing is ever overwritten: a file that is there already and the same is left alone, another
    one of that name makes ours "… (2)". Links are symbolic, to the absolute path. Raises
    QueryError for an entry without a file, CatalogError where the disk refuses or a file is gone.
    """
    if how not in ("copy", "link"):
        raise QueryError(f"tracks are put into a folder by 'copy' or 'link', not {how!r}")
    digits = max(2, len(str(len(playlist.entries))))
    placed = []
    for number, entry in enumerate(playlist.entries, start=1):
        if entry.file is None:
            raise QueryError(f"track {entry.title or entry.url!r} has no file to {how}")
        name = f"{number:0{digits}d} {safe_name(entry)}"
        placed.append(_put(absolute(entry.file), Path(folder), name, how))
    return placed


def safe_name(entry: Entry) -> str:
    """ "Artist - Title.flac" as every file system takes it; the file's own name without a title."""
    assert entry.file is not None
    known = entry.title and " - ".join(filter(None, [entry.artist, entry.title]))
    text = _REFUSED.sub("_", one_line(known or entry.file.stem)).strip(". ") or "track"
    text = f"_{text}" if _RESERVED.match(text) else text
    text = text.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore").rstrip(". ")
    return text + _REFUSED.sub("_", one_line(entry.file.suffix))


def _put(file: Path, folder: Path, name: str, how: How) -> Path:
    """Copy or link one file to a name that is free, or where it lies already."""
    stem, suffix = Path(name).stem, Path(name).suffix
    target = folder / name
    again = 2
    while target.is_symlink() or target.exists():
        if _is_there(file, target, how):
            return target
        target = folder / f"{stem} ({again}){suffix}"
        again += 1
    if not file.is_file():
        raise CatalogError(f"{file} is no longer there: run `musicu embed` on its source")
    if how == "copy":
        write_atomically(target, lambda to: shutil.copy2(file, to))
        return target
    with plain_errors(target):
        folder.mkdir(parents=True, exist_ok=True)
        target.symlink_to(file)
    return target


def _is_there(file: Path, target: Path, how: How) -> bool:
    """Whether the target is what would be put there."""
    if target.is_symlink():
        return how == "link" and target.readlink() == file
    return how == "copy" and file.is_file() and filecmp.cmp(file, target, shallow=False)
