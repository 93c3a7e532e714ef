"""Playlists of other players, to be read: PLS, WPL and ZPL, ASX, Traktor's NML, iTunes' XML.

What players write as XML is often none: WPL and ASX are searched for the addresses that they name.
"""

from __future__ import annotations

import configparser
import plistlib
import re
from html import unescape
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from musicu.errors import SourceError
from musicu.ingest.playlist_text import text_lines
from musicu.playlists.entries import Entry, Playlist
from musicu.playlists.places import read_place
from musicu.playlists.xspf import parse_xml

_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_MEDIA = re.compile(r"<media\s[^>]*?src\s*=\s*(?:\"(.*?)\"|'(.*?)')", re.IGNORECASE | re.DOTALL)
_ENTRY = re.compile(r"<entry\b.*?</entry>", re.IGNORECASE | re.DOTALL)
_REF = re.compile(r"<ref\s[^>]*?href\s*=\s*(?:\"(.*?)\"|'(.*?)')", re.IGNORECASE | re.DOTALL)
_AUTHOR = re.compile(r"<author>(.*?)</author>", re.IGNORECASE | re.DOTALL)


def read_pls(data: bytes, folder: Path) -> Playlist:
    """A PLS file: `File1=`, `Title1=`, `Length1=` under `[playlist]`; raises SourceError."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=(";",))
    try:
        parser.read_string("\n".join(line.strip() for line in text_lines(data)))
        said = {name.lower(): dict(parser[name]) for name in parser.sections()}["playlist"]
    except (configparser.Error, KeyError) as error:
        raise SourceError(f"no PLS playlist ({type(error).__name__}: {error})") from error
    numbers = sorted(int(key[4:]) for key in said if re.fullmatch(r"file\d{1,9}", key))
    entries = []
    for number in numbers:
        length = said.get(f"length{number}", "")
        artist, dash, title = said.get(f"title{number}", "").partition(" - ")
        entries.append(
            _entry(
                said[f"file{number}"],
                folder,
                title=title if dash else artist,
                artist=artist if dash else "",
                seconds=float(length) if re.fullmatch(r"[1-9]\d{0,6}", length) else None,
            )
        )
    return Playlist(None, tuple(entries))


def read_wpl(data: bytes, folder: Path) -> Playlist:
    """A list of Windows Media Player or Zune; raises SourceError where it names no media."""
    text = "\n".join(text_lines(data))
    places = [unescape(one or other) for one, other in _MEDIA.findall(text)]
    if not places and "<smil" not in text.lower():
        raise SourceError("no WPL playlist: it has no <smil>")
    return Playlist(_found(_TITLE, text), tuple(_entry(place, folder) for place in places))


def read_asx(data: bytes, folder: Path) -> Playlist:
    """An ASX, WAX or WVX file; raises SourceError where it is none."""
    text = "\n".join(text_lines(data))
    if "<asx" not in text.lower():
        raise SourceError("no ASX playlist: it has no <asx>")
    parts = _ENTRY.findall(text)
    if not parts:
        places = [unescape(one or other) for one, other in _REF.findall(text)]
        return Playlist(_found(_TITLE, text), tuple(_entry(place, folder) for place in places))
    entries = []
    for part in parts:
        for one, other in _REF.findall(part)[:1]:  # the others are copies of it elsewhere
            title, artist = _found(_TITLE, part), _found(_AUTHOR, part)
            entries.append(_entry(unescape(one or other), folder, title=title, artist=artist))
    return Playlist(_found(_TITLE, _ENTRY.sub("", text)), tuple(entries))


def read_nml(data: bytes, folder: Path) -> Playlist:
    """The first playlist of a Traktor file, else its whole collection; raises SourceError."""
    root = parse_xml(data, "NML")
    known = {}
    for entry in root.iterfind("COLLECTION/ENTRY"):
        place = entry.find("LOCATION")
        if place is not None:
            key = "".join(place.get(name, "") for name in ("VOLUME", "DIR", "FILE"))
            known[key] = (entry.get("TITLE"), entry.get("ARTIST"))
    node = root.find(".//NODE[@TYPE='PLAYLIST']")
    listed = [] if node is None else node.iterfind(".//PRIMARYKEY[@TYPE='TRACK']")
    keys = [key.get("KEY", "") for key in listed] or list(known)
    entries = []
    for key in keys:
        title, artist = known.get(key, (None, None))
        entries.append(_entry(key.replace("/:", "/"), folder, title=title, artist=artist))
    return Playlist(None if node is None else node.get("NAME"), tuple(entries))


def read_itunes(data: bytes, folder: Path) -> Playlist:
    """The first playlist with tracks of an iTunes or Music export; raises SourceError."""
    try:
        library = plistlib.loads(data)
        tracks = {str(key): track for key, track in library["Tracks"].items()}
        lists = [(one.get("Name"), one.get("Playlist Items") or ()) for one in library["Playlists"]]
        name, items = next(((n, items) for n, items in lists if items), (None, ()))
        wanted = [tracks.get(str(item.get("Track ID"))) for item in items]
    except (ExpatError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise SourceError(f"no iTunes playlist ({type(error).__name__}: {error})") from error
    entries = tuple(_itunes_entry(track, folder) for track in wanted if isinstance(track, dict))
    return Playlist(name if isinstance(name, str) else None, entries)


def _itunes_entry(track: dict[str, Any], folder: Path) -> Entry:
    def text(name: str) -> str:
        return value if isinstance(value := track.get(name), str) else ""

    length = track.get("Total Time")
    seconds = length / 1000 if isinstance(length, int) and length > 0 else None
    place, album = text("Location"), text("Album")
    return _entry(
        place, folder, title=text("Name"), artist=text("Artist"), album=album, seconds=seconds
    )


def _entry(
    place: str,
    folder: Path,
    *,
    title: str | None = None,
    artist: str | None = None,
    album: str | None = None,
    seconds: float | None = None,
) -> Entry:
    file, url = read_place(place, folder)
    artists = (artist.strip(),) if artist and artist.strip() else ()
    title, album = ((text or "").strip() or None for text in (title, album))
    return Entry(
        file=file, url=url, title=title, artists=artists, album=album, duration_seconds=seconds
    )


def _found(form: re.Pattern[str], text: str) -> str | None:
    match = form.search(text)
    return unescape(match[1]).strip() or None if match else None
