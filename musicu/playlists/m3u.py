"""M3U and M3U8.

Written as UTF-8 with `#EXTM3U`, and two lines a track: `#EXTINF:<seconds>,<artist> - <title>` and
where the file lies. A line cannot hold every name that a disk can: control characters in titles
become blanks, and a file whose name has line breaks, blanks at its ends or bytes that are not
UTF-8 is written as a `file://` URL, percent-encoded, which players understand. Read in whatever
encoding it is: see `ingest.playlist_text`.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Any

from musicu.catalog.words import one_line
from musicu.ingest.playlist_text import text_lines
from musicu.playlists.entries import Entry, Playlist
from musicu.playlists.places import Placing, read_place

#: Seconds, attributes as name="value", and what is shown; commas in quotes part nothing.
_EXTINF = re.compile(r'\s*(-?\d+(?:\.\d+)?)?[^,"]*(?:"[^"]*"[^,"]*)*,(.*)')


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
    for line in text_lines(data):
        line = line.strip(" \t")
        directive, _, rest = line.partition(":")
        kind, rest = directive.upper(), rest.strip()
        if kind == "#PLAYLIST":
            title = rest or None
        elif kind == "#EXTALB":
            said["album"] = rest or None
        elif kind == "#EXTART":
            said["artists"] = (rest,) if rest else ()
        elif kind == "#EXTINF":
            said = _told(rest) | said
        elif line and not line.startswith("#"):
            file, url = read_place(line, folder)
            entries.append(Entry(file=file, url=url, **said))
            said = {}
    return Playlist(title, tuple(entries))


def _told(text: str) -> dict[str, Any]:
    """Length, performer and title, as an `#EXTINF` has them."""
    match = _EXTINF.match(text)
    if match is None:
        return {}
    seconds = float(match[1] or -1)
    artist, dash, title = match[2].strip().partition(" - ")
    if not dash:
        artist, title = "", artist
    return {
        "duration_seconds": seconds if seconds > 0 else None,
        "artists": (artist,) if artist and artist != "Unknown artist" else (),
        "title": title.strip() or None,
    }
