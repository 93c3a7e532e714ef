"""Tables of listens: CSV, TSV and Parquet, whatever their columns are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from musicu.errors import SourceError
from musicu.ingest.columns import find_column, plain
from musicu.ingest.delimited import csv_options, plain_suffix
from musicu.listening.importers.raw import RAW, moment

#: Names of columns that mean one of RAW, compared without case, spaces and punctuation.
SYNONYMS = {
    "user": "user userid username listener listenerid accountid account",
    "timestamp": "timestamp uts listenedat playedat scrobbledat time ts utctime date datetime "
    "endtime",
    "weight": "weight plays playcount count listens rating",
    "context": "context session sessionid playlist playlistid playlistname",
    "track_id": "trackid id itemid songid",
    "isrc": "isrc",
    "recording_mbid": "recordingmbid musicbrainzrecordingid trackmbid mbid musicbrainztrackid",
    "artist": "artist artistname artists performer",
    "title": "track title trackname song songname name trackname",
    "album": "album albumname release releasename",
    "path": "path file filename location",
}
_BYTES_AT_ONCE = 16 << 20
_MS = 32_503_680_000  # numbers from here on count milliseconds


def table_batches(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[pa.Table]:
    """Tables of RAW from a CSV, TSV or Parquet file, some rows at a time.

    columns: RAW column → the file's column for it, where the names do not say. Raises SourceError
    where the file cannot be read, a column is missing, or nothing names the tracks.
    """
    mapping: dict[str, str] | None = None
    try:
        for batch in _read(path):
            if mapping is None:
                mapping = column_mapping(batch.schema.names, columns or {}, path)
            yield _raw(pa.Table.from_batches([batch]), mapping)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise SourceError(f"the listens {path} cannot be read: {error}") from error


def column_mapping(names: list[str], given: Mapping[str, str], path: Path) -> dict[str, str]:
    """RAW column → the table's column for it; raises SourceError where no column says the track."""
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise SourceError(f"{path} has several columns named {repeated!r}: rename them")
    for target, source in given.items():
        if target not in RAW.names or source not in names:
            wrong = source if target in RAW.names else target
            raise SourceError(
                f"{path} has no column {wrong!r}: map one of {', '.join(RAW.names)} to one of "
                f"{', '.join(names)}"
            )
    free = [name for name in names if name not in given.values()]
    full = {plain(_short(name)): name for name in reversed(free)}
    mapping = dict(given)
    for target, words in SYNONYMS.items():
        found = find_column(list(full), words.split())
        if found is not None and target not in given:
            mapping[target] = full[found]
    if not mapping.keys() & {"track_id", "isrc", "recording_mbid", "title", "path"}:
        raise SourceError(
            f"no column of {path} says which track was played: there are {', '.join(names)}; name "
            "one, as with --column title=NAME"
        )
    return mapping


def _read(path: Path) -> Iterator[pa.RecordBatch]:
    if plain_suffix(path) in (".parquet", ".pq"):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches()
        return
    read, parse = csv_options(path, _BYTES_AT_ONCE)
    with pc_csv.open_csv(path, read_options=read, parse_options=parse) as reader:
        names = reader.schema.names
    text = pc_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    with pc_csv.open_csv(path, read, parse, text) as reader:
        yield from reader


def _raw(table: pa.Table, mapping: dict[str, str]) -> pa.Table:
    columns = []
    for field in RAW:
        if field.name not in mapping:
            value = 1.0 if field.name == "weight" else None
            columns.append(pa.repeat(pa.scalar(value, field.type), table.num_rows))
            continue
        column = table[mapping[field.name]].combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        columns.append(_read_as(field, column, mapping[field.name]))
    return pa.Table.from_arrays(columns, schema=RAW)


def _read_as(field: pa.Field, column: pa.Array, name: str) -> pa.Array:
    try:
        return _moments(column) if field.name == "timestamp" else _typed(column, field)
    except pa.ArrowException as error:
        raise SourceError(f"the column {name!r} cannot be read as {field.name}: {error}") from error


def _typed(column: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    if pa.types.is_list(column.type):
        column = pc.binary_join(column, "; ")
    return column.cast(field.type)


def _moments(column: pa.Array) -> pa.Array:
    """Moments from times, numbers or text; each distinct text is read once."""
    kind = RAW.field("timestamp").type
    if pa.types.is_timestamp(column.type):
        return column.cast(kind, safe=False)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        number = column.cast(pa.float64())
        seconds = pc.if_else(pc.greater_equal(number, _MS), pc.divide(number, 1000), number)
        return pc.round(pc.multiply(seconds, 1e6)).cast(pa.int64()).cast(kind)
    encoded = column.cast(pa.string()).dictionary_encode()
    read = pa.array([moment(text) for text in encoded.dictionary.to_pylist()], kind)
    return read.take(encoded.indices)


def _short(name: str) -> str:
    """lastfmstats.com writes the user's name behind a column's: "Date#someone"."""
    return name.partition("#")[0] or name
