"""Tables of listens: CSV, TSV and Parquet, whatever their columns are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from musicu.errors import SourceError
from musicu.ingest.columns import find_column, plain
from musicu.ingest.date_columns import (
    MOMENT,
    DateEvidence,
    DateForm,
    add_times,
    doubts_of,
    read_moments,
)
from musicu.ingest.delimited import csv_options, first_lines, plain_suffix
from musicu.ingest.ids import id_texts
from musicu.ingest.playlist_tables import PLAYLIST
from musicu.listening.importers.apple_music import DAILY_TRACKS, PLAY_ACTIVITY
from musicu.listening.importers.deezer import DEEZER
from musicu.listening.importers.exportify import EXPORTIFY
from musicu.listening.importers.notes import ReadingNotes
from musicu.listening.importers.raw import RAW
from musicu.listening.importers.table_formats import TableFormat, Text, stream_weights
from musicu.listening.importers.tidal import TIDAL

FORMATS = (EXPORTIFY, PLAY_ACTIVITY, DAILY_TRACKS, DEEZER, TIDAL)

#: Names of columns that mean one of RAW or of a format's others, the best first.
SYNONYMS = {
    "user": "user userid username listener listenerid accountid account",
    "timestamp": "timestamp uts listenedat playedat scrobbledat utctime datetime endtime date ts "
    "dateplayed playdate listendate lastplayed lastplayeddate lastviewedat viewedat day time",
    "weight": "weight plays playcount viewcount count listens rating",
    "context": "context session sessionid playlist playlistid playlistname",
    "track_id": "trackid id itemid songid trackuri spotifytrackuri",
    "isrc": "isrc",
    "recording_mbid": "recordingmbid musicbrainzrecordingid trackmbid mbid musicbrainztrackid",
    "artist": "artist artistname artistnames artists performer mastermetadataalbumartistname",
    "title": "track title trackname song songname songtitle name trackname tracktitle "
    "mastermetadatatrackname",
    "album": "album albumname albumtitle release releasename mastermetadataalbumalbumname",
    "path": "path file filename location",
    "time": "time timeofday hour clock",
    "played_ms": "msplayed playedms",
}
_TRACK_NAMED_BY = frozenset({"track_id", "isrc", "recording_mbid", "title", "path", "credit"})
_BYTES_AT_ONCE = 16 << 20
_HEADER_WITHIN = 30  # lines


@dataclass(frozen=True, slots=True)
class ListenTable:
    """A file of listens: where its columns are, and how it writes its dates.

    sources: RAW column, or one of a format's others → the file's columns for it, best first.
    """

    path: Path
    format: TableFormat
    sources: dict[str, list[str]]
    skip_rows: int
    dates: DateForm
    timed: bool


_ANY = TableFormat("a table", (), {name: tuple(words.split()) for name, words in SYNONYMS.items()})


def table_batches(
    path: Path,
    columns: Mapping[str, str] | None = None,
    notes: ReadingNotes | None = None,
    day_first: bool | None = None,
    where: str | None = None,
) -> Iterator[pa.Table]:
    """Tables of RAW from a CSV, TSV or Parquet file, some rows at a time.

    columns: RAW column → the file's column for it, where the names do not say. notes: gets what
    is left out. day_first: what "05/06/2024" means; the column decides where None. where: what the
    file is called in notes. Raises SourceError where the file cannot be read, a column is missing,
    or nothing names the tracks.
    """
    notes, where = notes or ReadingNotes(), where or str(path)
    try:
        found = _opened(path, columns or {}, day_first)
        if found.dates.doubts:
            name = found.sources["timestamp"][0]
            notes.doubts += [f"{where}: {doubt}" for doubt in doubts_of(name, found.dates)]
        for batch in _read(path, found.skip_rows, notes, where):
            yield _raw(pa.Table.from_batches([batch]), found, notes, where)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise SourceError(f"the listens {where} cannot be read: {error}") from error


def table_format(path: Path) -> tuple[TableFormat | None, list[str], int]:
    """The service whose table a file is, its columns, and the lines before its header.

    Raises OSError, ArrowException and UnicodeDecodeError.
    """
    skip_rows = 0
    if plain_suffix(path) not in (".parquet", ".pq"):
        _, lines = first_lines(path, _HEADER_WITHIN)
        told = (n for n, line in enumerate(lines) if _format_of(_cells(line)) is not None)
        skip_rows = next(told, 0)
    names = _names(path, skip_rows)
    return _format_of(names), names, skip_rows


def column_mapping(names: list[str], given: Mapping[str, str], path: Path) -> dict[str, list[str]]:
    """RAW column → the table's columns for it; raises SourceError where none says the track."""
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise SourceError(f"{path} has several columns named {repeated!r}: rename them")
    targets = (*RAW.names, "time")
    for target, source in given.items():
        if target not in targets or source not in names:
            wrong = source if target in targets else target
            raise SourceError(
                f"{path} has no column {wrong!r}: map one of {', '.join(targets)} to one of "
                f"{', '.join(names)}"
            )
    free = [name for name in names if name not in given.values()]
    full = {plain(_short(name)): name for name in reversed(free)}
    mapping = {target: [source] for target, source in given.items()}
    for target, words in SYNONYMS.items():
        found = find_column(list(full), words.split())
        if found is not None and target not in given:
            mapping[target] = [full[found]]
    if mapping.get("time") == mapping.get("timestamp"):
        mapping.pop("time", None)
    if not mapping.keys() & _TRACK_NAMED_BY:
        raise SourceError(
            f"no column of {path} says which track was played: there are {', '.join(names)}; name "
            "one, as with --column title=NAME"
        )
    return mapping


def _opened(path: Path, columns: Mapping[str, str], day_first: bool | None) -> ListenTable:
    """What is to be known of a file before its rows are read."""
    form, names, skip_rows = table_format(path)
    if form is not None and not columns:
        sources = form.mapping(names)
    else:
        form, sources = _ANY, column_mapping(names, columns, path)
    evidence = DateEvidence(day_first=form.day_first if day_first is None else day_first)
    for name in sources.get("timestamp", [])[:1]:
        for batch in _read(path, skip_rows, ReadingNotes(), "", [name]):
            evidence.add(batch[name])
    return ListenTable(path, form, sources, skip_rows, evidence.form(), evidence.timed)


def _format_of(names: list[str]) -> TableFormat | None:
    return next((form for form in FORMATS if form.fits(names)), None)


def _cells(line: str) -> list[str]:
    """The cells of a header's line, whatever parts them."""
    mark = max(",;\t", key=line.count)
    return [cell.strip().strip('"') for cell in line.strip("\ufeff\r\n").split(mark)]


def _names(path: Path, skip_rows: int) -> list[str]:
    if plain_suffix(path) in (".parquet", ".pq"):
        return list(pq.read_schema(path).names)
    read, parse = csv_options(path, _BYTES_AT_ONCE, skip_rows)
    parse.invalid_row_handler = lambda row: "skip"
    with pc_csv.open_csv(path, read_options=read, parse_options=parse) as reader:
        return list(reader.schema.names)


def _read(
    path: Path, skip_rows: int, notes: ReadingNotes, where: str, only: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    if plain_suffix(path) in (".parquet", ".pq"):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(columns=only)
        return

    def leave_out(row: Any) -> str:
        why = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        notes.leave_out(where, why)
        return "skip"

    read, parse = csv_options(path, _BYTES_AT_ONCE, skip_rows)
    parse.invalid_row_handler = leave_out
    names = only or _names(path, skip_rows)
    text = pc_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), include_columns=names
    )
    with pc_csv.open_csv(path, read, parse, text) as reader:
        yield from reader


def _raw(table: pa.Table, found: ListenTable, notes: ReadingNotes, where: str) -> pa.Table:
    """Rows of RAW; those that are no listens are left out and counted."""
    own = [name for name in table.column_names if plain(name) in found.format.looks_at]
    text = {plain(name): _text(_whole(table[name])) for name in own}
    columns = {target: _column(table, found, target) for target in found.sources}
    if "credit" in columns:
        _part_credit(columns)
    columns["timestamp"] = _moments(table, found, columns)
    if "timestamp" in found.sources:
        notes.leave_undated(where, columns["timestamp"], _column(table, found, "timestamp"))
    columns["weight"] = _weights(columns, found.format.skipped(text), table.num_rows)
    if found.format.playlist:
        columns["context"] = pa.repeat(
            PLAYLIST + found.path.name.partition(".csv")[0], table.num_rows
        )
    given = [
        columns[field.name].cast(field.type)
        if field.name in columns
        else pa.nulls(table.num_rows, field.type)
        for field in RAW
    ]
    rows = pa.Table.from_arrays(given, schema=RAW)
    return rows.filter(_listens(rows, found.format, text, notes, where))


def _listens(
    rows: pa.Table, form: TableFormat, text: Text, notes: ReadingNotes, where: str
) -> pa.Array:
    """Which rows are listens; why the others are none is counted."""
    why = form.left_out(text)
    why = pa.nulls(rows.num_rows, pa.string()) if why is None else why
    for name in form.needs:
        lacking = pc.and_(pc.is_null(rows[name]), pc.is_null(why)).combine_chunks()
        why = pc.if_else(lacking, f"no {name}", why)
    for entry in pc.value_counts(why.drop_null()).to_pylist():
        notes.leave_out(where, entry["values"], entry["counts"])
    return pc.is_null(why)


def _column(table: pa.Table, found: ListenTable, target: str) -> pa.Array:
    """What the columns for a target say, the first that says something."""
    columns = [_whole(table[name]) for name in found.sources[target]]
    if target in ("timestamp", "time"):
        return columns[0]
    if target in ("weight", "played_ms", "played_s"):
        return pc.coalesce(*(_numbers(column) for column in columns))
    if target in ("track_id", "user"):
        numeric = not pa.types.is_nested(columns[0].type)
        return _text(id_texts(columns[0]).combine_chunks()) if numeric else _text(columns[0])
    return pc.coalesce(*(_text(column) for column in columns))


def _moments(table: pa.Table, found: ListenTable, columns: dict[str, pa.Array]) -> pa.Array:
    """Moments: a day may have its time in another column, and a moment its zone."""
    moments = pa.nulls(table.num_rows, MOMENT)
    for name in found.sources.get("timestamp", []):
        moments = pc.coalesce(moments, read_moments(table[name], found.dates))
    if "time" in columns and not found.timed:
        moments = add_times(moments, columns["time"])
    return _zoned(moments, columns["zone"]) if "zone" in columns else moments


def _zoned(moments: pa.Array, zones: pa.Array) -> pa.Array:
    """Moments that are told by the clocks of named time zones; of unknown ones by UTC."""
    local = moments.cast(pa.timestamp("us"))
    for zone in zones.unique().drop_null().to_pylist():
        try:
            there = pc.assume_timezone(local, zone, ambiguous="earliest", nonexistent="earliest")
        except (pa.ArrowException, ValueError):
            continue
        moments = pc.if_else(
            pc.fill_null(pc.equal(zones, zone), False), there.cast(MOMENT), moments
        )
    return moments


def _weights(columns: dict[str, pa.Array], skipped: pa.Array | None, count: int) -> pa.Array:
    """The weights that are given, or what follows from how long it was played; 1 without either."""
    if "weight" in columns:
        return columns["weight"]
    if "played_s" in columns:
        columns["played_ms"] = pc.multiply(columns["played_s"], 1000.0)
    if "played_ms" in columns:
        return stream_weights(columns["played_ms"], skipped)
    return pa.repeat(pa.scalar(1.0), count)


def _part_credit(columns: dict[str, pa.Array]) -> None:
    """Artist and title out of "Artist - Title"; without a dash there is no artist."""
    parts = pc.extract_regex(columns["credit"], r"(?s)^(?P<artist>.*?) - (?P<title>.*)$")
    columns["artist"] = pc.struct_field(parts, "artist")
    columns["title"] = pc.coalesce(pc.struct_field(parts, "title"), columns["credit"])


def _numbers(column: pa.Array) -> pa.Array:
    """A column as float64; what is no number is null."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column.cast(pa.float64(), safe=False)
    texts = pc.replace_substring_regex(_text(column), r"^(-?\d+),(\d+)$", r"\1.\2")
    numeric = pc.match_substring_regex(texts, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$")
    nothing = pa.scalar(None, pa.string())
    return pc.if_else(pc.fill_null(numeric, False), texts, nothing).cast(pa.float64())


def _text(column: pa.Array) -> pa.Array:
    """A column as text, null where it is empty; lists are joined, of records nothing is taken."""
    try:
        if pa.types.is_list(column.type):
            column = pc.binary_join(column.cast(pa.list_(pa.string())), "; ")
        texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    except pa.ArrowException:
        return pa.nulls(len(column), pa.string())
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.cast(whole.type.value_type) if pa.types.is_dictionary(whole.type) else whole


def _short(name: str) -> str:
    """lastfmstats.com writes the user's name behind a column's: "Date#someone"."""
    return name.partition("#")[0] or name
