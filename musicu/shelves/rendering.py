"""Tracks as pages show them, and the parts that all pages are made of.

A page holds its style and its script itself. Text from tags is escaped by the template engine and
stands in text and labels only; addresses are made by `locations.file_url` alone. A content
security policy names the digests of the style and the script, so that nothing else could run
even so.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute, file_url
from musicu.catalog.words import clock, one_line
from musicu.errors import QueryError
from musicu.shelves.covers import Cover, cover_of, data_url
from musicu.shelves.reasons import sentence_of
from musicu.shelves.shelf import ShelfItem, ShelfTrack

if TYPE_CHECKING:
    from jinja2 import Environment

#: How a page finds the music: by its place as seen from the page, by its full path, inside the
#: page, or copied into a folder beside it.
AudioPlacing = Literal["relative", "absolute", "embedded", "copied"]

TEMPLATES = Path(__file__).parent / "templates"
COPIES = "music"

#: What browsers play, by the file's ending; the page asks the browser again before it tries.
_MEDIA_TYPES = {
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg; codecs=opus",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".aac": "audio/aac",
    ".webm": "audio/webm",
}


@dataclass(frozen=True, slots=True)
class PageTrack:
    """A track in the words and addresses of a page.

    source: the address of its sound, None where it cannot be played there; why: the reason.
    short: the two strongest reasons alone.
    """

    number: int
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
    score: str
    bar: int
    reason: str
    short: str


def filled(template: str, style: str, script: str, **values: Any) -> str:
    """A template's text with a style and a script, ours; everything else is escaped."""
    from markupsafe import Markup

    text: str = (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # ours, no tag in it
            script=Markup(script),
            style_digest=digest(style),
            script_digest=digest(script),
            **values,
        )
    )
    return text


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(name: str) -> str:
    """A style or script of ours."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """A content security policy's name for an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def problems_of(shown: Sequence[PageTrack]) -> list[str]:
    """A sentence for each track that cannot be played, each once."""
    return list(dict.fromkeys(f"{t.artist} - {t.title}: {t.why}" for t in shown if t.why))


def bar(score: float, scores: list[float]) -> int:
    """The length of a score's bar, 0 to 100: cosines as they are, other scales by the best."""
    top = max(1.0, *scores)
    return round(100 * min(1.0, max(0.0, score / top)))


def page_track(track: ShelfTrack, placing: Placing, length: int = 0) -> PageTrack:
    """A track as the page shows it."""
    source, why = placing.source(track)
    item = track if isinstance(track, ShelfItem) else None
    return PageTrack(
        number=item.position if item else 0,
        title=one_line(track.title),
        artist=one_line(track.artist),
        album=one_line(track.row.get("album") or ""),
        year=track.year or "",
        duration=clock(track.row.get("duration_seconds")),
        cover=placing.cover(track),
        source=source,
        media_type=media_type(track.file) or "",
        link=placing.link(track),
        why=why,
        score=f"{item.score:.2f}" if item else "",
        bar=length,
        reason=one_line(item.reason) if item else "",
        short=one_line(sentence_of(item.reasons[:2], item.reason)) if item else "",
    )


def media_type(file: Path | None) -> str | None:
    """What a browser calls a file's format; None where no browser plays it."""
    return _MEDIA_TYPES.get(file.suffix.lower()) if file is not None else None


class Placing:
    """Where the sound of each track lies, as seen from the page."""

    def __init__(
        self,
        audio: AudioPlacing,
        folder: Path,
        embed_limit_bytes: int = 0,
        *,
        covers: Path | None = None,
    ) -> None:
        """For a page that lies in `folder`; pictures go into `covers`, else into the page."""
        if audio not in get_args(AudioPlacing):
            known = ", ".join(map(repr, get_args(AudioPlacing)))
            raise QueryError(f"audio is {audio!r}: it is one of {known}")
        self._audio = audio
        self._folder = folder
        self._left = embed_limit_bytes
        self._covers = covers

    def cover(self, track: ShelfTrack) -> Cover:
        """The track's cover, in the page or beside it."""
        if self._covers is None:
            return cover_of(track)
        return cover_of(track, partial(_kept, self._covers, self._folder))

    def link(self, track: ShelfTrack) -> str | None:
        """The address of the file itself; None for a page that is to be sent to others."""
        if track.file is None or self._audio in ("embedded", "copied"):
            return None
        return file_url(absolute(track.file), None if self._audio == "absolute" else self._folder)

    def source(self, track: ShelfTrack) -> tuple[str | None, str]:
        """The address of a track's sound, or None and why there is none."""
        file = track.file
        if file is None:
            return None, "its file is not known"
        kind = media_type(file)
        if kind is None:
            name = one_line(file.suffix.lstrip(".").upper()) or "files without an ending"
            return None, f"most browsers do not play {name}"
        if self._audio == "copied":
            return self._copy(track.track_id, file)
        if self._audio == "embedded":
            return self._embed(file, kind)
        return self.link(track), ""

    def _copy(self, track_id: str, file: Path) -> tuple[str | None, str]:
        """The address of a copy beside the page, under a name that no tag has a say in."""
        copy = self._folder / COPIES / copy_name(track_id, file)
        try:
            size = file.stat().st_size
        except OSError as error:
            return None, f"its file cannot be read: {error.strerror}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.stat().st_size != size:
            write_atomically(copy, lambda to: shutil.copyfile(file, to))
        return file_url(absolute(copy), self._folder), ""

    def _embed(self, file: Path, kind: str) -> tuple[str | None, str]:
        """The sound itself as a data URL, as long as there is room."""
        try:
            size = file.stat().st_size
            if size > self._left:
                room = f"{self._left / 1e6:.1f} MB of room are left"
                return None, f"left out: it has {size / 1e6:.1f} MB, {room} in this page"
            data = file.read_bytes()
        except OSError as error:
            return None, f"its file cannot be read: {error.strerror}"
        self._left -= len(data)
        return data_url(data, kind.split(";")[0]), ""


def copy_name(track_id: str, file: Path) -> str:
    """The name of a track's copy."""
    digest = hashlib.sha256(track_id.encode("utf-8", "replace")).hexdigest()
    return f"{digest[:16]}{file.suffix.lower()}"


def _kept(covers: Path, folder: Path, data: bytes, kind: str) -> str:
    """The address of a picture, seen from `folder`, that is written once into `covers`."""
    ending = kind.split("/")[1].split("+")[0]
    file = covers / f"{hashlib.sha256(data).hexdigest()[:16]}.{ending}"
    if not file.exists():
        covers.mkdir(parents=True, exist_ok=True)
        write_atomically(file, lambda to: to.write_bytes(data))
    return file_url(absolute(file), folder)
