"""Discogs: the monthly dumps of releases (XML). A record is a track of a release: "249504-B2"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element

import pyarrow as pa

from musicu.errors import SourceError
from musicu.joining.given_file import GivenFile, GivenPart
from musicu.joining.join_records import record_tables
from musicu.joining.row_readers import xml_elements

_NUMBERED = re.compile(r"\s\(\d+\)$")  # "Nirvana (2)": another of the name
_LENGTH = re.compile(r"(?:(\d+):)?(\d+):(\d\d)")


def read_discogs(file: GivenFile) -> Iterator[pa.Table]:
    """Records of a dump of releases."""
    name = file.path.name.lower()
    if any(word in name for word in ("artists", "labels", "masters")):
        kind = next(word for word in ("artists", "labels", "masters") if word in name)
        raise SourceError(
            f"{file.path} holds {kind}, which have no tracks: give discogs_…_releases.xml.gz"
        )
    for part in file.parts():
        yield from record_tables(_records(file, part))


def _records(file: GivenFile, part: GivenPart) -> Iterator[dict[str, Any]]:
    for release in xml_elements(file, part, "release"):
        yield from _tracks(release, file, part.name)


def _tracks(release: Element, file: GivenFile, part: str) -> list[dict[str, Any]]:
    release_id = (release.get("id") or "").strip()
    tracklist = release.find("tracklist")
    if not release_id.isdigit() or tracklist is None:
        file.notes.damage("a release without id or tracks", f"{part}: release {release_id or '?'}")
        return []
    shared = _shared(release)
    tracks = [track for track in map(_Track, tracklist.iter("track")) if track.title]
    codes = _isrcs(release, tracks)
    found = []
    for place, track in enumerate(tracks, 1):
        if track.is_heading and not track.position:
            continue  # of what follows
        found.append(
            {
                **shared,
                "record_id": f"{release_id}-{track.position or place}",
                "title": track.title,
                "artist": track.artist or shared["artist"],
                "duration_seconds": _seconds(track.duration) if track.duration else None,
                "isrcs": codes.get(place),
            }
        )
    return found


def _shared(release: Element) -> dict[str, Any]:
    """What all tracks of a release have in common."""
    label = release.find("labels/label")
    formats = " ".join(
        text
        for one in _children(release, "formats")
        for said in _children(one, "descriptions")
        if (text := said.text)
    )
    artist = _credit(release.find("artists"))
    return {
        "album": _text(release, "title"),
        "artist": artist,
        "compilation": "Compilation" in formats or (artist or "").startswith("Various"),
        "date": _text(release, "released"),
        "genres": _genres(release),
        "label": _NUMBERED.sub("", label.get("name") or "") or None if label is not None else None,
        "country": _text(release, "country"),
    }  # fmt: skip


class _Track:
    """What a track says of itself, read in one pass: most have three children."""

    __slots__ = ("artist", "duration", "is_heading", "position", "title")

    def __init__(self, track: Element) -> None:
        self.title = self.position = self.duration = self.artist = None
        self.is_heading = False
        for child in track:
            name = child.tag
            if name == "title":
                self.title = self.title or _plain(child.text)
            elif name == "position":
                self.position = self.position or _plain(child.text)
            elif name == "duration":
                self.duration = self.duration or _plain(child.text)
            elif name == "artists":
                self.artist = self.artist or _credit(child)
            elif name == "sub_tracks":
                self.is_heading = True


def _genres(release: Element) -> list[str] | None:
    found = [g for kind in ("genres", "styles") for g in _children(release, kind)]
    return [genre.text for genre in found if genre.text] or None


def _children(element: Element, name: str) -> Iterable[Element]:
    found = element.find(name)
    return () if found is None else found


def _text(element: Element, name: str) -> str | None:
    found = element.find(name)
    return None if found is None else _plain(found.text)


def _plain(text: str | None) -> str | None:
    return (" ".join(text.split()) or None) if text else None


def _credit(artists: Element | None) -> str | None:
    """Whom a release or track names, joined as it says."""
    parts = []
    for artist in artists if artists is not None else ():
        name = _text(artist, "anv") or _NUMBERED.sub("", _text(artist, "name") or "")
        join = _text(artist, "join") or ""
        parts.append(name + (f"{join} " if join == "," else f" {join} " if join else ""))
    return "".join(parts).strip() or None


@lru_cache(4096)
def _seconds(text: str) -> float | None:
    found = _LENGTH.fullmatch(text)
    return (
        None
        if found is None
        else float(3600 * int(found[1] or 0) + 60 * int(found[2]) + int(found[3]))
    )


def _isrcs(release: Element, tracks: list[_Track]) -> dict[int, list[str]]:
    """ISRCs by the place of the track that their description names, or of the only one."""
    found: dict[int, list[str]] = {}
    for said in _children(release, "identifiers"):
        if said.get("type") != "ISRC" or not said.get("value"):
            continue
        about = f" {said.get('description') or ''} ".lower()
        for place, track in enumerate(tracks, 1):
            position, title = track.position, track.title or ""
            named = bool(
                position and re.search(rf"(?<!\w){re.escape(position.lower())}(?!\w)", about)
            )
            if len(tracks) == 1 or named or (len(title) > 3 and title.lower() in about):
                found.setdefault(place, []).append(str(said.get("value")))
                break
    return found
