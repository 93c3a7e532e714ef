"""XSPF 1 (xspf.org/spec) and JSPF (xspf.org/jspf), the same in XML and in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from musicu.catalog.words import one_line
from musicu.errors import SourceError
from musicu.ingest.playlist_text import text_lines
from musicu.playlists.entries import Entry, Playlist
from musicu.playlists.places import Placing, read_place

NAMESPACE = "http://xspf.org/ns/0/"
_RECORDING = "https://musicbrainz.org/recording/"
_ISRC = "urn:isrc:"
_OWN = "urn:musicu:track:"


def write_jspf(playlist: Playlist, placing: Placing) -> str:
    """The playlist as JSON."""
    document: dict[str, Any] = {"track": [_fields(entry, placing) for entry in playlist.entries]}
    if playlist.title:
        document = {"title": one_line(playlist.title), **document}
    return json.dumps({"playlist": document}, indent=2, ensure_ascii=False) + "\n"


def write_xspf(playlist: Playlist, placing: Placing) -> str:
    """The playlist as XML."""
    root = ElementTree.Element("playlist", {"version": "1", "xmlns": NAMESPACE})
    if playlist.title:
        ElementTree.SubElement(root, "title").text = one_line(playlist.title)
    tracks = ElementTree.SubElement(root, "trackList")
    for entry in playlist.entries:
        track = ElementTree.SubElement(tracks, "track")
        for name, value in _fields(entry, placing).items():
            for text in value if isinstance(value, list) else [value]:
                ElementTree.SubElement(track, name).text = str(text)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _fields(entry: Entry, placing: Placing) -> dict[str, Any]:
    """What both formats say of a track, in the order of the schema."""
    identifiers = [
        prefix + value
        for prefix, value in (
            (_OWN, entry.track_id),
            (_RECORDING, entry.musicbrainz_recording_id),
            (_ISRC, entry.isrc),
        )
        if value
    ]
    seconds = entry.duration_seconds
    said = {
        "location": [placing.uri(entry)],
        "identifier": identifiers,
        "title": one_line(entry.title or ""),
        "creator": one_line(entry.artist or ""),
        "album": one_line(entry.album or ""),
        "duration": None if seconds is None else round(1000 * seconds),
    }
    return {name: value for name, value in said.items() if value not in (None, "", [])}


def read_jspf(data: bytes, folder: Path) -> Playlist:
    """A JSON playlist that lies in `folder`; raises SourceError where it is none."""
    try:
        playlist = json.loads("\n".join(text_lines(data)))["playlist"]
        tracks = [track for track in playlist.get("track") or [] if isinstance(track, dict)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"no JSPF playlist ({type(error).__name__}: {error})") from error
    entries = []
    for track in tracks:
        said = {name: _texts(value) for name, value in track.items()}
        entries.append(_entry(said, folder))
    return Playlist(_first(_texts(playlist.get("title"))), tuple(entries))


def read_xspf(data: bytes, folder: Path) -> Playlist:
    """An XML playlist that lies in `folder`; raises SourceError where it is none."""
    root = parse_xml(data, "XSPF")
    if _plain(root.tag) != "playlist":
        raise SourceError(f"no XSPF playlist: it begins with <{_plain(root.tag)}>")
    entries = []
    for track in (e for e in root.iter() if _plain(e.tag) == "track"):
        said: dict[str, list[str]] = {}
        for child in track:
            if child.text and child.text.strip():
                said.setdefault(_plain(child.tag), []).append(child.text.strip())
        entries.append(_entry(said, folder))
    titles = (child.text for child in root if _plain(child.tag) == "title")
    return Playlist(next(titles, None), tuple(entries))


def parse_xml(data: bytes, what: str) -> ElementTree.Element:
    """The root of a playlist in XML; raises SourceError where it is none, or declares entities."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise SourceError(f"the playlist declares a document type, which {what} has no use for")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # or an unknown encoding
        raise SourceError(f"no {what} playlist: {error}") from error


def _entry(said: dict[str, list[str]], folder: Path) -> Entry:
    """A track as both formats tell it."""
    file, url = read_place(_first(said.get("location", [])) or "", folder, is_uri=True)
    milliseconds = _first(said.get("duration", [])) or ""
    creator = _first(said.get("creator", []))
    return Entry(
        file=file,
        url=url,
        title=_first(said.get("title", [])),
        artists=(creator,) if creator else (),
        album=_first(said.get("album", [])),
        duration_seconds=float(milliseconds) / 1000 if re.fullmatch(r"\d+", milliseconds) else None,
        isrc=_identified(said, _ISRC),
        musicbrainz_recording_id=_identified(said, _RECORDING),
        track_id=_identified(said, _OWN),
    )


def _identified(said: dict[str, list[str]], prefix: str) -> str | None:
    found = (i.removeprefix(prefix) for i in said.get("identifier", []) if i.startswith(prefix))
    return next(found, None)


def _texts(value: Any) -> list[str]:
    """A JSON value as texts: one, several, or none."""
    values: Iterable[Any] = value if isinstance(value, list) else [value]
    return [str(v).strip() for v in values if isinstance(v, str | int) and str(v).strip()]


def _first(values: list[str]) -> str | None:
    return values[0] if values else None


def _plain(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rsplit("}", 1)[-1]
