"""Where the sound of a track lies, as seen from a page."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute, file_url
from musicu.catalog.words import one_line
from musicu.errors import QueryError

#: How a page finds the music: by its place as seen from the page, by its full path, inside the
#: page, or copied into a folder beside it.
AudioPlacing = Literal["relative", "absolute", "embedded", "copied"]

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
class PageAudio:
    """How a page reaches a sound: its address (None: it cannot be played; `why` says so)."""

    source: str | None
    media_type: str = ""
    why: str = ""


class AudioPlaces:
    """Where a page finds the sound of each track."""

    def __init__(
        self,
        audio: AudioPlacing,
        folder: Path,
        *,
        copies: str = COPIES,
        embed_limit_bytes: int = 0,
    ) -> None:
        """For a page that lies in `folder`; copies go into its subfolder `copies`.

        Raises QueryError for another placing.
        """
        if audio not in get_args(AudioPlacing):
            known = ", ".join(map(repr, get_args(AudioPlacing)))
            raise QueryError(f"audio is {audio!r}: it is one of {known}")
        self._audio = audio
        self._folder = folder
        self._copies = folder / copies
        self._left = embed_limit_bytes

    def link(self, file: Path | None) -> str | None:
        """The address of the file itself; None for a page that is to be sent to others."""
        if file is None or self._audio in ("embedded", "copied"):
            return None
        return file_url(absolute(file), None if self._audio == "absolute" else self._folder)

    def find(self, file: Path | None, track_id: str) -> PageAudio:
        """The sound of a track, or why there is none; of a track of a table nothing is said."""
        if file is None:
            return PageAudio(None)
        kind = media_type(file)
        if kind is None:
            name = one_line(file.suffix.lstrip(".").upper()) or "files without an ending"
            return PageAudio(None, why=f"most browsers do not play {name}")
        try:
            return self._found(file, track_id, kind)
        except OSError as error:
            return PageAudio(None, kind, f"its file cannot be read: {error.strerror}")

    def _found(self, file: Path, track_id: str, kind: str) -> PageAudio:
        if self._audio == "copied":
            return PageAudio(self.copy(file, track_id), kind)
        if self._audio != "embedded":
            return PageAudio(self.link(file), kind)
        size = file.stat().st_size
        if size > self._left:
            room = f"{self._left / 1e6:.1f} MB of room are left"
            why = f"left out: it has {size / 1e6:.1f} MB, {room} in this page"
            return PageAudio(None, kind, why)
        self._left -= size
        return PageAudio(data_url(file.read_bytes(), kind.split(";")[0]), kind)

    def copy(self, file: Path, track_id: str) -> str:
        """The address of a copy beside the page; raises OSError where there is no file."""
        copy = self._copies / copy_name(track_id, file)
        size = file.stat().st_size
        if not copy.exists() or copy.stat().st_size != size:
            write_atomically(copy, lambda to: shutil.copyfile(file, to))
        return file_url(absolute(copy), self._folder)


def media_type(file: str | Path) -> str | None:
    """What a browser calls a file's format; None where no browser plays it."""
    return _MEDIA_TYPES.get(os.path.splitext(file)[1].lower())  # noqa: PTH122 - for names too


def copy_name(track_id: str, file: Path) -> str:
    """The name of a track's copy, which tells nothing and which no tag has a say in."""
    digest = hashlib.sha256(track_id.encode("utf-8", "replace")).hexdigest()
    return f"{digest[:16]}{file.suffix.lower()}"


def data_url(data: bytes, media_type: str) -> str:
    """Bytes as a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
