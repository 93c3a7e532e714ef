"""Which format a file of listens has, told by what it holds, and its records."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import Any

from musicu.catalog.locations import absolute
from musicu.errors import SourceError
from musicu.ingest.encodings import text_of
from musicu.listening.importers import (
    jspf,
    lastfm,
    listenbrainz,
    plain_records,
    playlist_rows,
    rockbox,
    spotify,
    youtube_music,
)
from musicu.listening.importers.raw import RecordError, Records, Row

TABLES = (".csv", ".tsv", ".parquet", ".pq")
PLAYLISTS = (".m3u", ".m3u8", ".xspf", ".pls", ".wpl", ".zpl", ".asx", ".wax", ".wvx", ".nml")
LINES = (".jsonl", ".ndjson", ".listens")
DOCUMENTS = (".json", ".jspf")
PAGES = (".html", ".htm")
LOGS = (".log",)
#: Endings of files that may hold listens.
SUFFIXES = (*TABLES, *PLAYLISTS, *LINES, *DOCUMENTS, *PAGES, *LOGS)

_KNOWN = "a service that we know, nor a list of objects with title, artist and timestamp"
_FIRST = 1000  # lines by which a file of lines is known


class _BadLine:
    """A line that is not JSON."""


def records_in(name: str, content: bytes, where: str) -> Records:
    """The records of a file that is no table; `name` is its own, without ".gz".

    Raises SourceError where it is none of the formats that we know, or cannot be read.
    """
    ending = PurePath(name).suffix.lower()
    if ending in PLAYLISTS:
        folder = absolute(Path(where)).parent if Path(where).is_file() else Path()
        return _rows(lambda: playlist_rows.playlist_rows(name, content, folder), where)
    text = text_of(content, where)
    if (log := rockbox.log_records(text)) is not None:
        return log
    if ending in LINES:
        return _line_records(text, where)
    if ending in DOCUMENTS:
        return _document_records(text, PurePath(name).stem, where)
    if ending in PAGES and (page := youtube_music.page_records(text)) is not None:
        return page
    raise SourceError(
        f"{where} is no file of listens that we know: CSV, TSV, Parquet, JSON, JSON lines, "
        "playlists, .scrobbler.log, watch-history.html and ZIP are"
    )


def _document_records(text: str, name: str, where: str) -> Records:
    """The records of one JSON document, whoever wrote it."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        if "\n" in text.strip():  # lines of JSON under the name of a document
            return _line_records(text, where)
        raise SourceError(f"{where} is not JSON: {error}") from error
    if document == []:
        return Records([], dict)
    found = _known(document, name)
    if found is None:
        raise SourceError(
            f"{where} is JSON, but neither that of {_KNOWN}: convert it to CSV with the columns "
            "user, artist, title and timestamp"
        )
    return found


def _known(document: Any, name: str) -> Records | None:
    formats: tuple[Callable[[], Records | None], ...] = (
        lambda: listenbrainz.listens_within(document),
        lambda: spotify.history_within(document),
        lambda: youtube_music.history_within(document),
        lambda: jspf.jspf_within(document, name),
        lambda: lastfm.scrobbles_within(document),
        lambda: plain_records.records_within(document),
    )
    return next((found for read in formats if (found := read()) is not None), None)


def _line_records(text: str, where: str) -> Records:
    """The records of JSON lines; a line that is not JSON is a record that cannot be read."""
    lines = _lines(text)
    first = list(islice(lines, _FIRST))
    if not first:
        return Records([], dict)
    every = chain(first, lines)
    found = listenbrainz.listens_among(every, first)
    found = found or spotify.history_within(first) or youtube_music.history_within(first)
    found = found or plain_records.records_within(first)
    if found is None:
        if all(isinstance(line, _BadLine) for line in first):
            raise SourceError(f"{where} is not JSON: neither as a whole nor line by line")
        raise SourceError(f"{where} is lines of JSON, but neither those of {_KNOWN}")
    row = found.row
    return Records(every, lambda record: _line_row(record, row))


def _lines(text: str) -> Iterator[Any]:
    for line in io.StringIO(text):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                yield _BadLine()


def _line_row(record: Any, row: Callable[[Any], Row]) -> Row:
    if isinstance(record, _BadLine):
        raise RecordError("a line that is not JSON")
    return row(record)


def _rows(read: Callable[[], Iterator[Row]], where: str) -> Records:
    """Rows that are made of a whole file."""
    try:
        return Records(list(read()), dict)
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error
