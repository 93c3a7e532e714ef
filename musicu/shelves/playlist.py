"""Shelves as M3U8 playlists.

The file is UTF-8, opens with `#EXTM3U`, and has two lines a track: `#EXTINF:<seconds>,<artist> -
<title>` and where the file lies. A line cannot hold every name that a disk can: control
characters in titles become blanks, and a file whose name has line breaks, blanks at its ends or
bytes that are not UTF-8 is written as a `file://` URL, percent-encoded, which players understand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute, file_url, relative_path
from musicu.catalog.words import one_line
from musicu.errors import QueryError
from musicu.shelves.shelf import Shelf, ShelfItem

Paths = Literal["relative", "absolute"]


def write_m3u8(shelf: Shelf, path: Path, paths: Paths = "relative") -> None:
    """Write a playlist; relative paths are seen from the playlist's folder.

    Raises QueryError where an item has no file, CatalogError where the disk refuses.
    """
    text = m3u8_text(shelf, absolute(path).parent, paths)
    write_atomically(path, lambda to: to.write_text(text, encoding="utf-8", newline="\n"))


def m3u8_text(shelf: Shelf, folder: Path, paths: Paths = "relative") -> str:
    """The playlist's text, to lie in `folder`."""
    if paths not in ("relative", "absolute"):
        raise QueryError(f"paths is {paths!r}: it is 'relative' or 'absolute'")
    lines = ["#EXTM3U", f"#PLAYLIST:{one_line(shelf.title)}"]
    for item in shelf:
        seconds = item.row.get("duration_seconds")
        length = -1 if seconds is None else round(seconds)  # -1: not known
        lines.append(f"#EXTINF:{length},{one_line(item.artist)} - {one_line(item.title)}")
        lines.append(_location(item, folder, paths))
    return "\n".join([*lines, ""])


def _location(item: ShelfItem, folder: Path, paths: Paths) -> str:
    """One line that names an item's file."""
    if item.file is None:
        raise QueryError(f"track {item.track_id!r} has no file: a playlist needs one")
    file = absolute(item.file)
    relative = relative_path(file, folder) if paths == "relative" else None
    text = str(file) if relative is None else relative
    if not text.isprintable() or text != text.strip():  # lone surrogates are not printable
        return file_url(file)
    return f"./{text}" if text.startswith("#") else text
