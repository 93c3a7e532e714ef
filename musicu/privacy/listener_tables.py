"""Tables with a column of listeners: Parquet, CSV and TSV, written again without some of them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from musicu.catalog.files import write_atomically
from musicu.errors import SourceError
from musicu.ingest.columns import plain
from musicu.ingest.delimited import csv_options, first_lines, plain_suffix
from musicu.ingest.encodings import UTF_8
from musicu.ingest.ids import id_text, id_texts

#: What a column of listeners is called, without case, spaces and underscores. A playlist counts
#: as a listener, as in every other table.
LISTENER_NAMES = (
    *("userid", "user", "username", "listenerid", "listener", "unit"),
    *("playlistid", "pid", "playlist", "playlistname"),
)
TEXT_TABLES, PARQUET = (".csv", ".tsv"), (".parquet", ".pq")


def is_table(path: Path) -> bool:
    """Whether a file's name says that it is a table which can be written again."""
    return plain_suffix(path) in (*TEXT_TABLES, *PARQUET)


def listener_columns(path: Path, extra: Sequence[str] = ()) -> list[str]:
    """The columns of a table that name listeners, by their names; extra: more such columns."""
    with _reading(path):
        names = _parquet_names(path) if plain_suffix(path) in PARQUET else _text_names(path)
    return [name for name in names if plain(name) in LISTENER_NAMES or name in extra]


def count_rows(path: Path, ids: Collection[str], columns: Sequence[str]) -> int:
    """How many rows of a table are of one of the listeners."""
    with _reading(path):
        if plain_suffix(path) in PARQUET:
            return sum(batch.num_rows - kept.num_rows for batch, kept in _split(path, ids, columns))
        return sum(not keep for _, keep in _lines(path, ids, columns))


def remove_rows(path: Path, ids: Collection[str], columns: Sequence[str]) -> int:
    """Write a table again without the rows of some listeners; the number of rows that went.

    A table without them is left as it is, and so are all other rows: of a text table to the byte.
    """
    gone = count_rows(path, ids, columns)
    if gone:
        is_parquet = plain_suffix(path) in PARQUET
        write = _write_parquet if is_parquet else _write_text
        with _reading(path):
            write_atomically(path, lambda to: write(path, to, ids, columns))
    return gone


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"the table {path} cannot be read: {reason}") from error


def _parquet_names(path: Path) -> list[str]:
    names: list[str] = pq.read_schema(path).names
    return names


def _split(
    path: Path, ids: Collection[str], columns: Sequence[str]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Some rows at a time, and those of them that stay."""
    wanted = pa.array(sorted(ids), pa.string())
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            rows = pa.Table.from_batches([batch])
            stays = pa.chunked_array([pa.repeat(True, rows.num_rows)])
            for name in columns:
                named = pc.is_in(id_texts(rows[name]), value_set=wanted)
                stays = pc.and_(stays, pc.invert(named))
            yield rows, rows.filter(stays)


def _write_parquet(path: Path, to: Path, ids: Collection[str], columns: Sequence[str]) -> None:
    with pq.ParquetWriter(to, pq.read_schema(path), compression="zstd") as writer:
        for _, kept in _split(path, ids, columns):
            writer.write_table(kept)


def _opened(path: Path, mode: str, like: Path) -> IO[bytes]:
    """A file, gzipped where the name of the table says so."""
    if like.suffix.lower() == ".gz":
        return gzip.open(path, mode)  # type: ignore[return-value]
    return path.open(mode)


def _text_names(path: Path) -> list[str]:
    read, parse = csv_options(path)
    _, lines = first_lines(path, read.skip_rows + 1)
    header = "".join(lines[read.skip_rows :]).lstrip("\ufeff")
    return next(csv.reader([header], delimiter=parse.delimiter), [])


def _lines(path: Path, ids: Collection[str], columns: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The text of each row as it stands, and whether it stays; head lines stay."""
    read, parse = csv_options(path)
    names = _text_names(path)
    places = [names.index(name) for name in columns]
    with _opened(path, "rb", path) as raw:
        waiting: list[str] = []
        text = io.TextIOWrapper(raw, _encoding(path), newline="")
        for _ in range(read.skip_rows):
            yield next(text), True
        noted = (waiting.append(line) or line for line in text)  # type: ignore[func-returns-value]
        for number, cells in enumerate(csv.reader(noted, delimiter=parse.delimiter)):
            found = {id_text(cells[place]) for place in places if place < len(cells)}
            yield "".join(waiting), number == 0 or not found & set(ids)
            waiting.clear()


def _write_text(path: Path, to: Path, ids: Collection[str], columns: Sequence[str]) -> None:
    with (
        _opened(to, "wb", path) as raw,
        io.TextIOWrapper(raw, _encoding(path), newline="") as text,
    ):
        text.writelines(line for line, stays in _lines(path, ids, columns) if stays)


def _encoding(path: Path) -> str:
    """How a text is written; a mark at its beginning is read as a letter, and so written again."""
    encoding, _ = first_lines(path, 1)
    return "utf-8" if encoding == UTF_8 else encoding
