"""`musicu join`: files of other people beside a catalog, one table a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.catalog import Catalog
from musicu.catalog.joined_tables import ROOM
from musicu.catalog.store import Change, Store
from musicu.errors import MusicuError, QueryError, RegistryError, SourceError
from musicu.joining.best_matches import BestMatches
from musicu.joining.given_file import GivenFile
from musicu.joining.join_formats import JOIN_FORMATS, JoinFormat
from musicu.joining.join_notes import JoinNotes, open_damage_list
from musicu.joining.join_records import as_records
from musicu.joining.joined_rows import FileMatches, joined_rows
from musicu.joining.record_matching import MATCHED_BY, RecordMatcher
from musicu.joining.redirects import followed, redirect_files
from musicu.joining.track_keys import TrackKeys
from musicu.progress import tell, tracked


@dataclass(frozen=True, slots=True)
class JoinInput:
    """Files of one source. format: a name in JOIN_FORMATS. columns: which column of a table means
    what, ours → theirs. day: of when the files are; None where their names or archives say it.
    """

    source: str
    format: str
    files: Sequence[Path]
    columns: Mapping[str, str] = field(default_factory=dict)
    day: date | None = None


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What became of a source. rows: read. tracks: of the catalog. matched: tracks, by each of
    MATCHED_BY. distrusted: ISRCs that led to tracks of other names. values: of each column that was
    joined how many tracks have one. notes: damage.
    """

    source: str
    tracks: int
    matched: dict[str, int]
    distrusted: int
    values: dict[str, int]
    notes: JoinNotes

    @property
    def rows(self) -> int:
        """Rows that were read and could be used."""
        return self.notes.read

    def summary(self) -> str:
        """A line for people."""
        ways = ", ".join(f"{count:,} by {way}" for way, count in self.matched.items() if count)
        total = sum(self.matched.values())
        text = f"{self.source}: {total:,} of {self.tracks:,} tracks among {self.rows:,} rows"
        text += f" ({ways})" if ways else ""
        return text + (f"; {self.distrusted:,} ISRCs not trusted" if self.distrusted else "")


def join(
    catalog: str | Path,
    inputs: Sequence[JoinInput],
    *,
    by_names: bool = True,
    damaged: Path | None = None,
) -> list[SourceReport]:
    """Match records of files to the tracks of a catalog, and keep beside it what they say.

    Each source becomes a table of the catalog, in place of an earlier one of that name. by_names:
    whether title, artist and length may match where no id does. damaged: a CSV file to write with
    every row that could not be used. Raises SourceError where a file is not there or holds nothing
    of its format, CatalogError where another process is writing; nothing is written then.
    """
    opened = Catalog.open(catalog)
    _check(inputs)
    out = None if damaged is None else open_damage_list(damaged)
    try:
        done = [_source(opened, one, inputs, by_names, out) for one in inputs]
    finally:
        if out is not None:
            out.close()
    changes = [Change(f"{ROOM}/{report.source}", rows, replace=True) for report, rows in done]
    with Store.writing(opened.path) as store:
        store.commit(changes)
    return [report for report, _ in done]


def _check(inputs: Sequence[JoinInput]) -> None:
    if not inputs:
        raise QueryError("nothing to join: name a file, such as --musicbrainz FILE")
    names = [one.source for one in inputs]
    for name in names:
        if names.count(name) > 1:
            raise QueryError(f"two inputs are called {name!r}: give all files of a source together")
        if not name.isidentifier():
            raise QueryError(f"the source {name!r} would name columns: use letters, digits and _")


def _source(
    catalog: Catalog,
    one: JoinInput,
    inputs: Sequence[JoinInput],
    by_names: bool,
    out: TextIO | None,
) -> tuple[SourceReport, pa.Table]:
    read: JoinFormat = JOIN_FORMATS.load(one.format)
    notes = JoinNotes(out=out)
    tell("reading the names of the catalog")
    keys = TrackKeys(catalog.unjoined_tracks(), one.source)
    files = [_given(path, one, notes) for path in one.files]
    redirecting = redirect_files(_redirecting(inputs))
    redirects = followed(redirecting, keys.mbids)
    matcher = RecordMatcher(keys, redirects, by_names=by_names)
    found = [_file(file, read, matcher, keys.count) for file in files]
    if not notes.read and not redirecting:
        raise SourceError(_nothing(one, notes))
    rows = joined_rows(one.source, keys.ids, found)
    ways = pc.value_counts(rows["matched_by"]).to_pylist()
    counts = {str(pair["values"]): pair["counts"] for pair in ways}
    values = {
        name: rows.num_rows - rows[name].null_count
        for name in rows.column_names
        if not name.endswith(("_source", "_as_of")) and name not in ("track_id", "matched_by")
    }
    matched = {way: counts.get(way, 0) for way in MATCHED_BY}
    return SourceReport(one.source, keys.count, matched, matcher.distrusted, values, notes), rows


def _redirecting(inputs: Sequence[JoinInput]) -> list[GivenFile]:
    """The files that may hold redirects, of all sources."""
    return [
        GivenFile(path, JoinNotes())
        for one in inputs
        if one.format in ("musicbrainz", "listenbrainz")
        for path in one.files
        if ".csv" in path.name.lower() or "canonical" in path.name.lower()
    ]


def _given(path: Path, one: JoinInput, notes: JoinNotes) -> GivenFile:
    file = GivenFile(path, notes, dict(one.columns))
    if one.day is not None:
        file.day, file.day_is_given = one.day, True
    return file


def _file(file: GivenFile, read: JoinFormat, matcher: RecordMatcher, count: int) -> FileMatches:
    best = BestMatches(count)
    name = f"joining {file.path.name}"
    for records in tracked(_records(file, read), name, unit="rows", size=len):
        best.add(records, matcher.match(records))
    return FileMatches(
        file.path.name, file.day, best.result(), best.listens if best.counted else None
    )


def _records(file: GivenFile, read: JoinFormat) -> Iterator[pa.Table]:
    for table in _told(file, read):
        records = as_records(table, file.notes, file.path.name)
        if records.num_rows:
            yield records


def _told(file: GivenFile, read: JoinFormat) -> Iterator[pa.Table]:
    """What a format yields; another package's code may raise anything."""
    try:
        yield from read(file)
    except MusicuError:
        raise
    except Exception as error:
        if read.__module__.startswith("musicu."):
            raise
        raise RegistryError(
            f"the join format {read.__module__}.{read.__name__} failed on {file.path}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _nothing(one: JoinInput, notes: JoinNotes) -> str:
    names = ", ".join(str(path) for path in one.files)
    why = f": {notes.warnings()[0]}" if notes.warnings() else ""
    return f"{names} holds no recording that the format {one.format!r} can read{why}"
