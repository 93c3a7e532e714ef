"""A table of listens of any size, divided so that each part holds whole listeners."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from musicu.errors import QueryError
from musicu.ingest.date_columns import DateEvidence, DateForm
from musicu.ingest.delimited import csv_options, plain_suffix
from musicu.ingest.playlist_tables import listeners_of
from musicu.listening.listens import LISTENS, listens_table
from musicu.progress import tracked

if TYPE_CHECKING:
    import pyarrow.dataset as ds

LISTENS_PER_SHARD = 500_000
LISTENERS_PER_SHARD = 8_192

_PARQUET, _TEXT = (".parquet", ".pq"), (".csv", ".tsv")
_AS_TEXT = ("user_id", "track_id", "playlist_id", "pid", "track_ids", "timestamp")  # "007" stays so

_COUNTS = pa.schema([("name", pa.string()), ("count", pa.int64())])
_NAMES_WAITING = 1 << 20  # names counted that are not summed yet


@dataclass(frozen=True, slots=True)
class Census:
    """What a table of listens holds.

    users: how many listeners. firsts: the first of each shard, rising. plays: name and count, how
    often each track was played by anybody, a row a track.
    """

    users: int
    firsts: tuple[str, ...]
    plays: pa.Table


@dataclass(frozen=True, slots=True)
class ListenLog:
    """A table of listens on the disk. dates: how all of it writes its timestamps."""

    data: ds.Dataset
    dates: DateForm | None

    @property
    def files(self) -> list[str]:
        """The files that hold it."""
        found: list[str] = self.data.files
        return found


def open_listens(path: Path) -> ListenLog:
    """A Parquet, CSV or TSV file of listens, text gzipped or not, or a folder of Parquet files.

    Raises QueryError where there is none, or it cannot be read.
    """
    suffix = ".parquet" if path.is_dir() else plain_suffix(path)
    if not path.exists() or suffix not in (*_PARQUET, *_TEXT):
        what = "is not there" if not path.exists() else "is neither Parquet nor CSV"
        raise QueryError(
            f"the listens {path} {what}: give a table with the columns user_id, track_id and "
            "timestamp, or make one with `musicu listens`"
        )
    import pyarrow.dataset as ds  # 27 MB

    try:
        found = ds.dataset(path, format="parquet" if suffix in _PARQUET else _text_form(path))
        columns = found.schema.empty_table()  # before anything is read
        listens_table(listeners_of(columns))
        return ListenLog(found, _dates(found))
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise QueryError(f"the listens {path} cannot be read: {error}") from error


def _dates(found: ds.Dataset) -> DateForm | None:
    """How the timestamps of the whole table are written; None where they are of a type of time."""
    if "timestamp" not in found.schema.names:
        return None
    kind = found.schema.field("timestamp").type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return None
    evidence = DateEvidence()
    for batch in _read(found, ["timestamp"], ", ".join(found.files[:1])):
        evidence.add(batch["timestamp"])
    return evidence.form()


def _text_form(path: Path) -> ds.CsvFileFormat:
    import pyarrow.dataset as ds

    read, parse = csv_options(path)
    types = pc_csv.ConvertOptions(column_types={name: pa.string() for name in _AS_TEXT})
    return ds.CsvFileFormat(parse, read_options=read, convert_options=types)


def batches(listens: ListenLog, users: Collection[str] | None = None) -> Iterator[pa.Table]:
    """The listens in the form of LISTENS, some at a time; only those of some users, where given."""
    needed = _needed(listens.data.schema.names)
    found = _read(listens.data, needed, ", ".join(listens.files[:1]))
    for batch in tracked(found, "reading listens", unit="listens", size=len):
        rows = listeners_of(pa.Table.from_batches([batch]))
        table = _of(listens_table(rows, listens.dates), users)
        if table.num_rows:
            yield table


def _read(found: ds.Dataset, columns: list[str], what: str) -> Iterator[pa.RecordBatch]:
    """Some rows at a time; raises QueryError where a row further down cannot be read."""
    try:
        for batch in found.to_batches(columns=columns):
            batch.validate(full=True)  # text may hold bytes that are no text
            yield batch
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise QueryError(f"the listens {what} cannot be read: {error}") from error


def _needed(names: list[str]) -> list[str]:
    """The columns to read; of playlists all, whatever they are called."""
    return [name for name in LISTENS.names if name in names] if "user_id" in names else names


def count(listens: ListenLog, users: Collection[str] | None = None) -> Census:
    """Who of the users listens, and what anybody plays; one reading of the table."""
    by_user, plays = _Tally(), _Tally()
    for table in batches(listens):
        by_user.add(_of(table, users)["user_id"])
        plays.add(table.filter(pc.greater(table["weight"], 0))["track_id"])
    rising = by_user.total().sort_by("name")
    return Census(rising.num_rows, _firsts(rising), plays.total())


def _of(table: pa.Table, users: Collection[str] | None) -> pa.Table:
    if users is None:
        return table
    return table.filter(pc.is_in(table["user_id"], value_set=pa.array(sorted(users), pa.string())))


def divide(
    listens: ListenLog, firsts: tuple[str, ...], folder: Path, users: Collection[str] | None
) -> None:
    """Write each shard's listens to `folder`, as `shard_listens` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    writers = [pq.ParquetWriter(_part(folder, n), LISTENS) for n in range(len(firsts))]
    try:
        for table in batches(listens, users):
            for number, part in _parted(table, firsts):
                writers[number].write_table(part)
    finally:
        for writer in writers:
            writer.close()


def shard_listens(folder: Path, number: int) -> pa.Table:
    """One shard's listens."""
    with pq.ParquetFile(_part(folder, number)) as file:
        return file.read()


def _parted(table: pa.Table, firsts: tuple[str, ...]) -> Iterator[tuple[int, pa.Table]]:
    encoded = table["user_id"].combine_chunks().dictionary_encode()
    shards = [bisect.bisect_right(firsts, name) - 1 for name in encoded.dictionary.to_pylist()]
    shard = np.array(shards, np.int64)[encoded.indices.to_numpy()]
    for number in np.unique(shard).tolist():
        yield number, table.take(pa.array(np.flatnonzero(shard == number)))


def _firsts(by_user: pa.Table) -> tuple[str, ...]:
    """The first listener of each shard; by_user: name and count, rising by name."""
    firsts: list[str] = []
    listens = listeners = 0
    for name, own in zip(*(column.to_pylist() for column in by_user.columns), strict=True):
        full = listens + own > LISTENS_PER_SHARD or listeners == LISTENERS_PER_SHARD
        if full or not firsts:
            firsts.append(name)
            listens = listeners = 0
        listens += own
        listeners += 1
    return tuple(firsts)


@dataclass(slots=True)
class _Tally:
    """How often each name was added; the counts of many additions are summed at once."""

    parts: list[pa.Table] = field(default_factory=lambda: [_COUNTS.empty_table()])
    waiting: int = 0

    def add(self, names: pa.ChunkedArray) -> None:
        counted = pc.value_counts(names)
        self.parts.append(pa.table(counted.flatten(), schema=_COUNTS))
        self.waiting += len(counted)
        if self.waiting > max(_NAMES_WAITING, self.parts[0].num_rows):
            self.parts, self.waiting = [self.total()], 0

    def total(self) -> pa.Table:
        """name and count, a row a name, in no order."""
        summed = pa.concat_tables(self.parts).group_by("name").aggregate([("count", "sum")])
        return summed.select(["name", "count_sum"]).rename_columns(_COUNTS.names)


def _part(folder: Path, number: int) -> Path:
    return folder / f"listens-{number:05d}.parquet"
