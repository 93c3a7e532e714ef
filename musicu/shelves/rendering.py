"""Tracks in the words and addresses of a page."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute, file_url
from musicu.catalog.words import clock, one_line
from musicu.pages.page_audio import AudioPlaces, AudioPlacing
from musicu.shelves.covers import Cover, cover_of
from musicu.shelves.shelf_reasons import sentence_of

if TYPE_CHECKING:
    from musicu.shelves.shelf import ShelfItem, ShelfTrack

#: The hue of a page without tracks.
PLAIN_HUE = 220


@dataclass(frozen=True, slots=True)
class PageTrack:
    """A track as a page shows it.

    source: the address of its sound, None where it cannot be played there; why: the reason.
    The fields from `number` on are those of an item of a shelf; short: the two strongest
    reasons alone, bar: the length of the score's bar, 0 to 100. track_id, exposure_id: on a page
    of a service, which is told what becomes of them.
    """

    title: str
    artist: str
    album: str
    year: str
    duration: str
    cover: Cover
    source: str | None
    media_type: str
    link: str | None
    why: str
    number: int = 0
    score: str = ""
    bar: int = 0
    reason: str = ""
    short: str = ""
    track_id: str = ""
    exposure_id: str = ""


@dataclass(slots=True)
class TrackRenderer:
    """Renders tracks for one page, or for all pages of one folder.

    covers: the folder for pictures; they go into the page where it is None.
    """

    audio: AudioPlacing
    folder: Path
    covers: Path | None = None
    embed_limit_bytes: int = 0
    _places: AudioPlaces = field(init=False)

    def __post_init__(self) -> None:
        """Refuse an unknown placing of the audio."""
        limit = self.embed_limit_bytes
        self._places = AudioPlaces(self.audio, self.folder, embed_limit_bytes=limit)

    def track(self, track: ShelfTrack) -> PageTrack:
        """A track that is no item, such as a seed."""
        found = self._places.find(track.file, track.track_id)
        return PageTrack(
            title=one_line(track.title),
            artist=one_line(track.artist),
            album=one_line(track.row.get("album") or ""),
            year=track.year or "",
            duration=clock(track.row.get("duration_seconds")),
            cover=self.cover(track),
            source=found.source,
            media_type=found.media_type,
            link=self._places.link(track.file),
            why=found.why,
        )

    def items(self, items: Sequence[ShelfItem]) -> list[PageTrack]:
        """The items of a shelf: cosines have bars as they are, other scales by the best."""
        top = max(1.0, *(item.score for item in items)) if items else 1.0
        return [
            replace(
                self.track(item),
                number=item.position,
                score=f"{item.score:.2f}",
                bar=round(100 * min(1.0, max(0.0, item.score / top))),
                reason=one_line(item.reason),
                short=one_line(sentence_of(item.reasons[:2], item.reason)),
            )
            for item in items
        ]

    def cover(self, track: ShelfTrack) -> Cover:
        """The track's cover, in the page or beside it."""
        if self.covers is None:
            return cover_of(track)
        return cover_of(track, partial(_kept, self.covers, self.folder))


def problems_of(shown: Sequence[PageTrack]) -> list[str]:
    """A sentence for each track that cannot be played, each once."""
    return list(dict.fromkeys(f"{t.artist} - {t.title}: {t.why}" for t in shown if t.why))


def _kept(covers: Path, folder: Path, data: bytes, kind: str) -> str:
    """The address of a picture, seen from `folder`, that is written once into `covers`."""
    ending = kind.split("/")[1].split("+")[0]
    file = covers / f"{hashlib.sha256(data).hexdigest()[:16]}.{ending}"
    if not file.exists():
        write_atomically(file, lambda to: to.write_bytes(data))
    return file_url(absolute(file), folder)
