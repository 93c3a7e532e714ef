"""A shelf as one page: it works offline, from the disk, and runs nothing that a tag says.

The page holds its style, its script and its covers itself. Text from tags is escaped by the
template engine and stands in text and labels only; addresses are made by `locations.file_url`
alone. A content security policy names the digests of the one style and the one script, so that
nothing else could run even so.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute, file_url
from musicu.catalog.words import clock, one_line
from musicu.errors import QueryError
from musicu.shelves.covers import Cover, cover_of, data_url
from musicu.shelves.shelf import Shelf, ShelfItem, ShelfTrack

if TYPE_CHECKING:
    from jinja2 import Template

AudioPlacing = Literal["relative", "absolute", "embedded"]

TEMPLATES = Path(__file__).parent / "templates"

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


def write_page(shelf: Shelf, path: Path, audio: AudioPlacing, embed_limit_bytes: int) -> list[str]:
    """Write the page; returns a sentence for each track that cannot be played on it."""
    text, problems = render_page(shelf, absolute(path).parent, audio, embed_limit_bytes)
    write_atomically(path, lambda to: to.write_text(text, encoding="utf-8", newline="\n"))
    return problems


def render_page(
    shelf: Shelf, folder: Path, audio: AudioPlacing, embed_limit_bytes: int
) -> tuple[str, list[str]]:
    """The page's text, to lie in `folder`, and what cannot be played on it."""
    if audio not in ("relative", "absolute", "embedded"):
        raise QueryError(f"audio is {audio!r}: it is 'relative', 'absolute' or 'embedded'")
    placing = _Placing(audio, folder, embed_limit_bytes)
    seed = _page_track(shelf.seed, placing) if shelf.seed else None
    scores = [item.score for item in shelf]
    items = [_page_track(item, placing, _bar(item.score, scores)) for item in shelf]
    shown = [track for track in (seed, *items) if track is not None]
    problems = [f"{t.artist} - {t.title}: {t.why}" for t in shown if t.why]
    hue = shown[0].cover.hue if shown else 220
    style = _template("page.css").replace("__HUE__", str(hue))
    script = _template("page.js")
    return _fill(shelf, seed, items, problems, style, script), problems


def _fill(
    shelf: Shelf,
    seed: PageTrack | None,
    items: list[PageTrack],
    problems: list[str],
    style: str,
    script: str,
) -> str:
    """Fill the template; everything but our own style and script is escaped."""
    from markupsafe import Markup

    text: str = _page_template().render(
        title=one_line(shelf.title),
        seed=seed,
        items=items,
        problems=problems,
        style=Markup(style),  # ours, no tag in it
        script=Markup(script),
        style_digest=_digest(style),
        script_digest=_digest(script),
    )
    return text


@cache
def _page_template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """A content security policy's name for an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _bar(score: float, scores: list[float]) -> int:
    """The length of a score's bar, 0 to 100: cosines as they are, other scales by the best."""
    top = max(1.0, *scores)
    return round(100 * min(1.0, max(0.0, score / top)))


def _page_track(track: ShelfTrack, placing: _Placing, bar: int = 0) -> PageTrack:
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
        cover=cover_of(track),
        source=source,
        media_type=media_type(track.file) or "",
        link=placing.link(track),
        why=why,
        score=f"{item.score:.2f}" if item else "",
        bar=bar,
        reason=one_line(item.reason) if item else "",
    )


def media_type(file: Path | None) -> str | None:
    """What a browser calls a file's format; None where no browser plays it."""
    return _MEDIA_TYPES.get(file.suffix.lower()) if file is not None else None


class _Placing:
    """Where the sound of each track lies, as seen from the page."""

    def __init__(self, audio: AudioPlacing, folder: Path, embed_limit_bytes: int) -> None:
        self._audio = audio
        self._folder = folder
        self._left = embed_limit_bytes

    def link(self, track: ShelfTrack) -> str | None:
        """The address of the file itself; None for a page that is to be sent to others."""
        if track.file is None or self._audio == "embedded":
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
        if self._audio != "embedded":
            return self.link(track), ""
        return self._embed(file, kind)

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
