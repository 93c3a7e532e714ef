"""M3U and M3U8.

Written as UTF-8 with `#EXTM3U`, and two lines a track: `#EXTINF:<seconds>,<artist> - <title>` and
where the file lies. A line cannot hold every name that a disk can: control characters in titles
become blanks, and a file whose name has line breaks, blanks at its ends or bytes that are not
UTF-8 is written as a `file://` URL, percent-encoded, which players understand. Read as UTF-8, or
as Windows-1252 where it is not that.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Any

from musicu.catalog.words import one_line
from musicu.playlists.entries import Entry, Playlist
from musicu.playlists.places import Placing, read_place

_EXTINF = re.compile(r"#EXTINF:\s*(-?\d+(?:\.\d+)?)?([^,\"]*(?:\"[^\"]*\"[^,\"]*)*),(.*)")


def write(playlist: Playlist, placing: Placing) -> str:
    """The playlist's text."""
    lines = ["#EXTM3U", f"#PLAYLIST:{one_line(playlist.title or '')}"]
    for entry in playlist.entries:
        length = -1 if entry.duration_seconds is None else round(entry.duration_seconds)
        lines.append(f"#EXTINF:{length},{one_line(_named(entry))}")
        lines.append(placing.text(entry))
    return "\n".join([*lines, ""])


def _named(entry: Entry) -> str:
    """Performer and title; what is unknown is told by the file's name, or left open."""
    title = entry.title or (PurePath(entry.file).stem if entry.file else entry.url or "")
    return f"{entry.artist or 'Unknown artist'} - {title}"


def read(data: bytes, folder: Path) -> Playlist:
    """A playlist that lies in `folder`."""
    title, entries = None, []
    said: dict[str, Any] = {}
    for line in _decoded(data).splitlines():
        line = line.strip("\ufeff \t\r")
        if line.startswith("#PLAYLIST:"):
            title = line.removeprefix("#PLAYLIST:").strip() or None
        elif line.startswith("#EXTALB:"):
            said["album"] = line.removeprefix("#EXTALB:").strip() or None
        elif line.startswith("#EXTINF:"):
            said |= _told(line)
        elif line and not line.startswith("#"):
            file, url = read_place(line, folder)
            entries.append(Entry(file=file, url=url, **said))
            said = {}
    return Playlist(title, tuple(entries))


def _told(line: str) -> dict[str, Any]:
    """Length, performer and title of an `#EXTINF` line."""
    match = _EXTINF.match(line)
    if match is None:
        return {}
    seconds = float(match[1]) if match[1] else -1.0
    artist, dash, title = match[3].strip().partition(" - ")
    if not dash:
        artist, title = "", artist
    return {
        "duration_seconds": seconds if seconds > 0 else None,
        "artists": (artist,) if artist and artist != "Unknown artist" else (),
        "title": title.strip() or None,
    }


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
