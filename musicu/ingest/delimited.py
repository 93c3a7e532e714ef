"""CSV and TSV as programs write them: UTF-8 or UTF-16, gzipped or not, parted by , ; | or tabs."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow.csv as pc_csv

#: How a file in UTF-16 begins.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")

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
    if encoding == "utf-16":
        read.encoding = encoding
    return read, parse


def first_lines(path: Path, count: int) -> tuple[str, list[str]]:
    """The encoding of a text and its first lines; raises OSError and UnicodeDecodeError."""
    try:
        with _opened(path) as file:
            encoding = "utf-16" if file.read(2) in UTF_16 else "utf-8-sig"
        with _opened(path) as file:
            return encoding, list(islice(io.TextIOWrapper(file, encoding), count))
    except (EOFError, zlib.error) as error:
        raise OSError(f"it is no whole gzip file ({error})") from error


def _opened(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast("BinaryIO", gzip.open(path))
    return path.open("rb")
