"""CSV and TSV as programs write them: UTF-8 or UTF-16, gzipped or not, parted by , ; or tabs."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow.csv as pc_csv

#: How a file in UTF-16 begins.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def plain_suffix(path: Path) -> str:
    """The ending that says what a file holds, in small letters: ".csv" of "Plays.csv.GZ" too."""
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return name.suffix.lower()


def csv_options(
    path: Path, block_size: int | None = None
) -> tuple[pc_csv.ReadOptions, pc_csv.ParseOptions]:
    """How to read a text table: its encoding, and what its header has most of parts the columns.

    block_size: bytes that are read at once. Raises OSError and UnicodeDecodeError.
    """
    try:
        with _opened(path) as file:
            encoding = "utf-16" if file.read(2) in UTF_16 else "utf-8-sig"
        with _opened(path) as file:
            header = io.TextIOWrapper(file, encoding).readline()
    except (EOFError, zlib.error) as error:
        raise OSError(f"it is no whole gzip file ({error})") from error
    marks = "\t" if plain_suffix(path) == ".tsv" else ",;\t"
    parse = pc_csv.ParseOptions(delimiter=max(marks, key=header.count), newlines_in_values=True)
    read = pc_csv.ReadOptions(block_size=block_size)
    if encoding == "utf-16":
        read.encoding = encoding
    return read, parse


def _opened(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast("BinaryIO", gzip.open(path))
    return path.open("rb")
