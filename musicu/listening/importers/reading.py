"""Any file of listens, told apart by what it holds."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa

from musicu.catalog.locations import absolute
from musicu.errors import SourceError
from musicu.ingest.delimited import UTF_16, plain_suffix
from musicu.listening.importers import lastfm, listenbrainz, playlists, spotify
from musicu.listening.importers.listen_table import table_batches
from musicu.listening.importers.raw import raw_table

_TABLES = (".csv", ".tsv", ".parquet", ".pq")
_PLAYLISTS = (".m3u", ".m3u8", ".xspf")
_JSON = (".json", ".jsonl", ".ndjson", ".jspf", ".listens")
_ROWS_AT_ONCE = 100_000


def read_listens(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[pa.Table]:
    """Tables of `raw.RAW` from a file, a ZIP of files or a folder, some rows at a time.

    CSV, TSV, Parquet, M3U, M3U8, XSPF, JSPF, and the JSON of ListenBrainz, Last.fm tools and
    Spotify, each gzipped or not; what else a ZIP or folder holds is passed over. columns: see
    `table.table_batches`.
    Raises SourceError where there is nothing, or a file is none of these.
    """
    if path.is_dir():
        yield from _folder(path, columns)
    elif not path.is_file():
        raise SourceError(f"{path} is not there: give a file or folder of listens")
    elif path.suffix.lower() == ".zip":
        yield from _archive(path)
    elif plain_suffix(path) in _TABLES:
        yield from _table(path, columns)
    else:
        name = path.stem if path.suffix.lower() == ".gz" else path.name
        yield from _text_file(name, _content(path), str(path))


def _folder(folder: Path, columns: Mapping[str, str] | None) -> Iterator[pa.Table]:
    files = sorted(
        p for p in folder.rglob("*") if plain_suffix(p) in (".zip", *_JSON, *_PLAYLISTS, *_TABLES)
    )
    found = False
    for file in files:
        if _about_something_else(file.name):
            continue
        found = True
        yield from read_listens(file, columns)
    if not found:
        raise SourceError(f"the folder {folder} holds no file of listens")


def _archive(path: Path) -> Iterator[pa.Table]:
    with _opened(path) as archive:
        names = [
            name
            for name in sorted(archive.namelist())
            if PurePath(name).suffix.lower() in (*_JSON, *_PLAYLISTS)
            and not _about_something_else(name)
        ]
        if not names:
            raise SourceError(
                f"the archive {path} holds no listens that we know: unpack it and look"
            )
        for name in names:
            where = f"{path}:{name}"
            yield from _text_file(name, _unpacked(archive, name, where), where)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise SourceError(f"{path} is not a ZIP file: {error}") from error


def _unpacked(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:  # encrypted, or an odd method
        raise SourceError(f"{where} cannot be unpacked ({error}): unpack it yourself") from error


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix.lower() == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{path} cannot be read: {reason}") from error


def _about_something_else(name: str) -> bool:
    """Files of the known exports that hold no listens."""
    known = ("user", "follow", "userdata", "identity", "payments", "searchqueries", "inferences")
    stem = PurePath(name).stem.lower()
    other = ("yourlibrary", "playlist", "streaming_history_video", "marquee", "userprompts")
    return stem in known or (stem.startswith(other) and PurePath(name).suffix.lower() == ".json")


def _table(path: Path, columns: Mapping[str, str] | None) -> Iterator[pa.Table]:
    if plain_suffix(path) == ".csv" and not columns:
        rows = lastfm.headless_rows(_decoded(_content(path), str(path)))
        if rows is not None:
            yield from _in_tables(rows)
            return
    yield from table_batches(path, columns)


def _text_file(name: str, content: bytes, where: str) -> Iterator[pa.Table]:
    if name.lower().endswith(_PLAYLISTS):
        yield from _in_tables(_playlist_rows(name, content, where))
        return
    text = _decoded(content, where)
    if name.lower().endswith((".jsonl", ".ndjson", ".listens")):
        yield from _in_tables(listenbrainz.listen_rows(_lines(text, where)))
    elif name.lower().endswith(_JSON):
        yield from _in_tables(_document_rows(text, PurePath(name).stem, where))
    else:
        raise SourceError(
            f"{where} is no file of listens that we know: CSV, TSV, Parquet, JSON, JSON lines, "
            "XSPF, JSPF, M3U and ZIP are"
        )


def _playlist_rows(name: str, content: bytes, where: str) -> list[Mapping[str, Any]]:
    try:
        folder = absolute(Path(where)).parent if Path(where).is_file() else Path()
        return list(playlists.playlist_rows(name, content, folder))
    except SourceError as error:
        raise SourceError(f"{where}: {error}") from error


def _document_rows(text: str, name: str, where: str) -> Iterable[Mapping[str, Any]]:
    """The rows of one JSON document, whoever wrote it."""
    try:
        document = json.loads(text)
    except ValueError as error:
        if "\n" in text.strip():  # lines of JSON under the name of a document
            return listenbrainz.listen_rows(_lines(text, where))
        raise SourceError(f"{where} is not JSON: {error}") from error
    if document == []:
        return []
    listens = listenbrainz.listens_within(document)
    if listens is not None:
        return listenbrainz.listen_rows(iter(listens))
    for rows in (
        spotify.history_within(document),
        playlists.jspf_within(document, name),
        lastfm.scrobbles_within(document),
    ):
        if rows is not None:
            return rows
    raise SourceError(
        f"{where} is JSON, but not that of ListenBrainz, Last.fm, Spotify or JSPF: convert it to "
        "CSV with the columns user, artist, title and timestamp"
    )


def _lines(text: str, where: str) -> Iterator[Any]:
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise SourceError(f"line {number} of {where} is not JSON: {error}") from error


def _in_tables(rows: Iterable[Mapping[str, Any]]) -> Iterator[pa.Table]:
    waiting = iter(rows)
    while part := list(islice(waiting, _ROWS_AT_ONCE)):
        yield raw_table(part)


def _decoded(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{where} is not UTF-8 text: save it as UTF-8") from None
