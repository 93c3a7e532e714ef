"""Playlists as files: the ending says the format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import TypeVar

from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute
from musicu.errors import QueryError, SourceError
from musicu.playlists import m3u, other_players, playlist_table, xspf
from musicu.playlists.entries import Playlist
from musicu.playlists.places import Paths, Placing

T = TypeVar("T")

_WRITERS: dict[str, Callable[[Playlist, Placing], str]] = {
    ".m3u8": m3u.write,
    ".m3u": m3u.write,
    ".xspf": xspf.write_xspf,
    ".jspf": xspf.write_jspf,
    ".csv": playlist_table.write,
}
_READERS: dict[str, Callable[[bytes, Path], Playlist]] = {
    ".m3u8": m3u.read,
    ".m3u": m3u.read,
    ".xspf": xspf.read_xspf,
    ".jspf": xspf.read_jspf,
    **dict.fromkeys((".csv", ".tsv", ".txt"), playlist_table.read),
    ".pls": other_players.read_pls,
    **dict.fromkeys((".wpl", ".zpl"), other_players.read_wpl),
    **dict.fromkeys((".asx", ".wax", ".wvx"), other_players.read_asx),
    ".nml": other_players.read_nml,
    ".xml": other_players.read_itunes,
}
#: Endings that are written.
SUFFIXES = tuple(_WRITERS)


def check_ending(path: str | Path) -> None:
    """Raise QueryError where `write_playlist` would not know the path's ending."""
    _by_ending(Path(path), _WRITERS)


def write_playlist(playlist: Playlist, path: str | Path, *, paths: Paths = "relative") -> None:
    """Write a playlist in the format of the path's ending; relative paths are seen from its folder.

    Raises QueryError for another ending or an entry without a place, CatalogError where the disk
    refuses.
    """
    path = Path(path)
    text = _by_ending(path, _WRITERS)(playlist, Placing(absolute(path).parent, paths))
    write_atomically(path, lambda to: to.write_text(text, encoding="utf-8", newline="\n"))


def read_playlist(path: str | Path) -> Playlist:
    """Read a playlist; its title is the file's name where it has none.

    Raises SourceError where the file cannot be read or is no such playlist, QueryError for an
    unknown ending.
    """
    path = Path(path)
    _by_ending(path, _READERS)
    try:
        return parse_playlist(path.read_bytes(), path, absolute(path).parent)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error


def parse_playlist(data: bytes, name: PurePath, folder: Path) -> Playlist:
    """A playlist out of the content of a file of that name, which lies in `folder`.

    Raises SourceError where it is no such playlist, QueryError for an unknown ending.
    """
    found = _by_ending(name, _READERS)(data, folder)
    return Playlist(found.title or name.stem, found.entries)


def _by_ending(path: PurePath, known: Mapping[str, T]) -> T:
    found = known.get(path.suffix.lower())
    if found is None:
        raise QueryError(f"{path.name!r} is no playlist: name a file in {' '.join(known)}")
    return found
