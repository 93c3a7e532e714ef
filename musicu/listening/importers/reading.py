"""Any file of listens, archive or folder: one that is of something else stops no other."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePath

import pyarrow as pa

from musicu.errors import SourceError
from musicu.ingest.delimited import first_lines, plain_suffix
from musicu.ingest.encodings import text_of
from musicu.listening.importers import lastfm
from musicu.listening.importers.apple_music import DAILY_TRACKS, PLAY_ACTIVITY
from musicu.listening.importers.listen_table import table_batches, table_format
from musicu.listening.importers.notes import ReadingNotes
from musicu.listening.importers.raw import Records, raw_table, rows_of
from musicu.listening.importers.record_formats import SUFFIXES, TABLES, records_in

_ROWS_AT_ONCE = 100_000
_DEEPEST = 4  # archives within archives
_APPLES = "what macOS keeps beside a file"


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How to read files of listens, and what is told of it.

    columns: RAW column → the table's column for it, where the names do not say. day_first: what
    "05/06/2024" means; each column decides where None. notes: gets what is left out.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    day_first: bool | None = None
    notes: ReadingNotes = field(default_factory=ReadingNotes)


def read_listens(
    path: Path, options: ReadingOptions | None = None, where: str | None = None, depth: int = 0
) -> Iterator[pa.Table]:
    """Tables of `raw.RAW` from a file, a ZIP of files or a folder, some rows at a time.

    CSV, TSV, Parquet, M3U, M3U8, XSPF, JSPF, `.scrobbler.log`, the JSON of ListenBrainz, Last.fm
    tools, Spotify and YouTube Music, and its HTML, each gzipped or not. Files of a ZIP or folder
    that are none of these are named in the notes and passed over; records that are no listens are
    counted there. where: what the file is called there. Raises SourceError where there is
    nothing, or a file is none of these and no other is.
    """
    options, where = options or ReadingOptions(), where or str(path)
    if path.is_dir():
        with _something_of(f"the folder {where}", options.notes) as found:
            yield from _all_of(_within(path, options.notes), options, {}, depth, found)
    elif not path.is_file():
        raise SourceError(f"{where} is not there: give a file or folder of listens")
    elif path.suffix.lower() == ".zip":
        yield from _archive(path, options, where, depth)
    elif plain_suffix(path) in TABLES:
        yield from _table(path, options, where)
    else:
        name = path.stem if path.suffix.lower() == ".gz" else path.name
        yield from _in_tables(records_in(name, _content(path), where), where, options.notes)


def _within(folder: Path, notes: ReadingNotes) -> list[Path]:
    """The files of a folder that may hold listens."""
    files = [p for p in sorted(folder.rglob("*")) if plain_suffix(p) in (".zip", *SUFFIXES)]
    notes.skipped += [f"{p}: {_APPLES}" for p in files if _is_apples(p)]
    return [p for p in files if p.is_file() and not _is_apples(p)]


@contextmanager
def _something_of(what: str, notes: ReadingNotes) -> Iterator[list[Path]]:
    """A list of files that held listens; raises SourceError where it is empty at the end."""
    before, found = len(notes.skipped), list[Path]()
    yield found
    if not found:
        why = "; ".join(notes.skipped[before:][:5])
        raise SourceError(f"{what} holds no listens that we know" + (f": {why}" if why else ""))


def _all_of(
    files: Sequence[Path],
    options: ReadingOptions,
    names: dict[Path, str],
    depth: int,
    found: list[Path],
) -> Iterator[pa.Table]:
    """The listens of several files; those that hold any are added to `found`."""
    skipped = options.notes.skipped
    twice = _told_twice(files)
    for file in files:
        where = names.get(file, str(file))
        if reason := twice.get(file):
            skipped.append(f"{where}: {reason}")
            continue
        try:
            yield from read_listens(file, options, where, depth)
            found.append(file)
        except SourceError as error:
            skipped.append(str(error))


def _is_apples(file: PurePath) -> bool:
    """Whether a file is what macOS keeps beside another."""
    return file.name.startswith("._") or "__MACOSX" in file.parts


def _told_twice(files: Iterable[Path]) -> dict[Path, str]:
    """Apple's files that tell the same plays as others beside them, and why they are not read."""
    own: dict[str, list[tuple[Path, list[str]]]] = {PLAY_ACTIVITY.name: [], DAILY_TRACKS.name: []}
    for file in files:
        if file.suffix.lower() == ".csv" and "apple music" in file.name.lower():
            try:
                found, columns, _ = table_format(file)
            except (OSError, pa.ArrowException, UnicodeDecodeError):
                continue
            if found is not None and found.name in own:
                own[found.name].append((file, columns))
    plays, days = own[PLAY_ACTIVITY.name], own[DAILY_TRACKS.name]
    if not plays or not days:
        return {}
    if any("Artist Name" in columns for _, columns in plays):
        return {file: "the same plays as in Apple Music Play Activity" for file, _ in days}
    why = "it names no artists; the same plays are in the Daily Tracks, which do"
    return {file: why for file, _ in plays}


def _archive(path: Path, options: ReadingOptions, where: str, depth: int) -> Iterator[pa.Table]:
    """The listens of a ZIP, each file of it unpacked to the disk before it is read."""
    if depth >= _DEEPEST:
        raise SourceError(f"{where} is an archive in too many others: unpack it yourself")
    with (
        _opened(path, where) as archive,
        tempfile.TemporaryDirectory() as folder,
        _something_of(f"the archive {where}", options.notes) as found,
    ):
        names = {}
        for number, info in enumerate(sorted(archive.infolist(), key=lambda i: i.filename)):
            own = PurePath(info.filename.replace("\\", "/"))
            if info.is_dir() or plain_suffix(Path(own)) not in (".zip", *SUFFIXES):
                continue
            if _is_apples(own):
                options.notes.skipped.append(f"{where}:{own}: {_APPLES}")
                continue
            to = Path(folder, f"{number:06d}", _plain_name(own.name))
            if (error := _unpack(archive, info, to)) is not None:
                options.notes.skipped.append(f"{where}:{own} cannot be unpacked ({error})")
                continue
            names[to] = f"{where}:{own}"
        yield from _all_of(list(names), options, names, depth + 1, found)


def _opened(path: Path, where: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SourceError(f"{where} is not a ZIP file: {error}") from error


def _plain_name(name: str) -> str:
    """A name that every disk takes, with its ending."""
    kept = "".join("_" if c in '<>:"/\\|?*' or ord(c) < 32 else c for c in name)
    return kept if len(kept.encode("utf-8", "replace")) < 200 else kept[-40:]


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, to: Path) -> str | None:
    """Unpack one file; returns what hinders it: encryption, an odd method, damage."""
    to.parent.mkdir()
    try:
        with archive.open(info) as source, to.open("wb") as target:
            shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        return str(error)
    return None


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix.lower() == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{path} cannot be read: {reason}") from error


def _table(path: Path, options: ReadingOptions, where: str) -> Iterator[pa.Table]:
    if plain_suffix(path) == ".csv" and not options.columns and _is_headless(path, where):
        found = lastfm.headless_rows(text_of(_content(path), where))
        yield from _in_tables(found, where, options.notes)
        return
    yield from table_batches(path, options.columns, options.notes, options.day_first, where)


def _is_headless(path: Path, where: str) -> bool:
    try:
        return any(lastfm.is_headless(line) for line in first_lines(path, 1)[1])
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"the listens {where} cannot be read: {error}") from error


def _in_tables(records: Records, where: str, notes: ReadingNotes) -> Iterator[pa.Table]:
    waiting = rows_of(records, where, notes)
    while part := list(islice(waiting, _ROWS_AT_ONCE)):
        yield raw_table(part, where, notes)
