"""Where a playlist says that a file lies, written and read."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote_to_bytes

from musicu.catalog.locations import absolute, file_url, relative_path
from musicu.errors import QueryError
from musicu.ingest.path_list import absolute as listed_file
from musicu.playlists.entries import Entry

Paths = Literal["relative", "absolute"]

_FILE = re.compile(r"file:", re.IGNORECASE)
#: Addresses of shares: the same files may lie on this disk, under another root.
_SHARE = re.compile(r"(?:smb|cifs|nfs|afp|s?ftp|davs?)://[^/]*(?=/)", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # two letters at least: "C:" is a drive


@dataclass(frozen=True, slots=True)
class Placing:
    """How files are named in a playlist that lies in `folder`."""

    folder: Path
    paths: Paths = "relative"

    def __post_init__(self) -> None:
        """Refuse what is neither."""
        if self.paths not in ("relative", "absolute"):
            raise QueryError(f"paths is {self.paths!r}: it is 'relative' or 'absolute'")

    def text(self, entry: Entry) -> str:
        """A path as plain text; a URL where a line could not hold the name."""
        if entry.file is None or entry.url is not None:
            return self._url(entry)
        file = absolute(entry.file)
        relative = relative_path(file, self.folder) if self.paths == "relative" else None
        text = str(file) if relative is None else relative
        if not text.isprintable() or text != text.strip():  # lone surrogates are not printable
            return file_url(file)
        return f"./{text}" if text.startswith("#") or _SCHEME.match(text) else text

    def uri(self, entry: Entry) -> str:
        """A URI, percent-encoded: relative to the playlist, or file://…"""
        if entry.file is None or entry.url is not None:
            return self._url(entry)
        folder = self.folder if self.paths == "relative" else None
        text = file_url(absolute(entry.file), folder)
        return f"./{text}" if _SCHEME.match(text) and not text.startswith("file:") else text

    @staticmethod
    def _url(entry: Entry) -> str:
        if entry.url is None:
            name = entry.track_id or entry.title
            raise QueryError(f"track {name!r} has no file: a playlist needs one")
        return entry.url


def read_place(text: str, folder: Path, *, is_uri: bool = False) -> tuple[Path | None, str | None]:
    """The file, or else the URL, that a playlist in `folder` names by `text`.

    is_uri: whether a path that is no file:// URL is percent-encoded. An address on a share gives
    both: the path there may be the end of one here.
    """
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    if not text:
        return None, None
    if share := _SHARE.match(text):
        return Path(listed_file(text[share.end() :], folder)), text
    local = _FILE.match(text)
    if local is None and _SCHEME.match(text):
        return None, text
    if is_uri and local is None:  # by bytes: not every name is UTF-8
        text = os.fsdecode(unquote_to_bytes(os.fsencode(text)))
    return Path(listed_file(text, folder)), None
