"""CSV and TSV as programs write them: in any encoding, gzipped or not, parted by , ; | or tabs."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow.csv as pc_csv

from musicu.ingest.encodings import UTF_8, encoding_of, warn_of_guess

_BLOCK = 1 << 20

#: The first line by which Excel says what parts the columns.
_SEP = re.compile(r"\ufeff?\"?sep=(.)\"?\s*", re.IGNORECASE)


def plain_suffix(path: Path) -> str:
    """The ending that says what a file holds, in small letters: ".csv" of "Plays.csv.GZ" too."""
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return name.suffix.lower()


def csv_options(
    path: Path, block_size: int | None = None, skip_rows: int = 0
) -> tuple[pc_csv.ReadOptions, pc_csv.ParseOptions]:
    """How to read a text table: its encoding, and what parts the columns.

    That is what Excel's line "sep=;" says, else what the header has most of. block_size: bytes
    that are read at once. skip_rows: lines before the header. Raises OSError, UnicodeDecodeError.
    """
    encoding, lines = first_lines(path, skip_rows + 2)
    header = "".join(lines[skip_rows:][:1])
    marks = "\t" if plain_suffix(path) == ".tsv" else ",;\t|"
    if said := _SEP.fullmatch(header):
        skip_rows, mark = skip_rows + 1, said[1]
    else:
        mark = max(marks, key=header.count)
    parse = pc_csv.ParseOptions(delimiter=mark, newlines_in_values=True)
    read = pc_csv.ReadOptions(block_size=block_size, skip_rows=skip_rows)
    if encoding != UTF_8:
        read.encoding = encoding
    return read, parse


def first_lines(path: Path, count: int) -> tuple[str, list[str]]:
    """The encoding of a text and its first lines; warns where the encoding is a guess.

    Raises OSError and UnicodeDecodeError.
    """
    try:
        status = path.stat()
        encoding = _encoding(path, status.st_size, status.st_mtime_ns)
        with _opened(path) as file:
            return encoding, list(islice(io.TextIOWrapper(file, encoding), count))
    except (EOFError, zlib.error) as error:
        raise OSError(f"it is no whole gzip file ({error})") from error


@lru_cache(64)
def _encoding(path: Path, size: int, modified_ns: int) -> str:
    """The encoding of a file of this size and time, said once where it is a guess."""
    with _opened(path) as file:
        encoding = encoding_of(iter(lambda: file.read(_BLOCK), b""))
    warn_of_guess(encoding, str(path))
    return encoding


def _opened(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast("BinaryIO", gzip.open(path))
    return path.open("rb")
