"""Rows of text files in a stream: CSV and TSV, JSON lines, and elements of XML.

A damaged row is counted and named, and the next one is read: of CSV a row with too few or too many
fields, a quote that is not closed, or bytes that are no UTF-8; of JSON a line that is no object; of
XML an element that is not well-formed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv

from musicu.errors import SourceError
from musicu.joining.given_file import GivenFile, GivenPart, LineBlock

_NEWLINE, _QUOTE = 10, 34
_LINES_IN_A_ROW = 50  # that a quoted value may run over


def csv_rows(
    file: GivenFile, part: GivenPart, names: list[str] | None = None
) -> Iterator[pa.Table]:
    """The rows of a CSV or TSV part, all columns as text; names: of its columns, where no line is.

    Raises SourceError where the first line is no header.
    """
    delimiter = "\t" if re.search(r"\.tsv(\.\w+)?$", part.name, re.IGNORECASE) else None
    for block in file.lines(part):
        data = _utf8(block, part, file)
        if names is None:
            head, _, data = data.partition(b"\n")
            header = head.decode("utf-8-sig").strip("\r\n")
            delimiter = delimiter or max(",;\t|", key=header.count)
            names = next(csv.reader([header], delimiter=delimiter), [])
            if len(set(names)) < len(names) or not any(names):
                raise SourceError(
                    f"{file.path} has no header with a name for each column: {header[:80]!r}"
                )
            block = LineBlock(data, block.first_line + 1)
        mark = delimiter or ","
        data = _closed_quotes(data, len(names), mark, block.first_line, part, file)
        if data.strip():
            yield _parsed(data, names, mark, block.first_line, part, file)


def header_of(file: GivenFile) -> list[str]:
    """The names in the first line of the first part; none where it is empty."""
    return next(iter(first_rows(file, 1)), [])


def first_rows(file: GivenFile, count: int) -> list[list[str]]:
    """The fields of the first lines of the first part."""
    for part in file.parts():
        for block in file.lines(part):
            head = block.data[: 1 << 16].decode("utf-8-sig", "replace").splitlines()[:count]
            return list(csv.reader(head, delimiter=max(",;\t|", key=head[0].count)))
    return []


def _utf8(block: LineBlock, part: GivenPart, file: GivenFile) -> bytes:
    """The lines of a block that are UTF-8."""
    try:
        block.data.decode()
        return block.data
    except UnicodeDecodeError:
        kept = []
    for number, line in enumerate(block.data.split(b"\n"), block.first_line):
        try:
            line.decode()
            kept.append(line)
        except UnicodeDecodeError:
            file.notes.damage("bytes that are not UTF-8", f"{part.name}:{number}", line[:400])
    return b"\n".join(kept)


def _closed_quotes(
    data: bytes, width: int, mark: str, first: int, part: GivenPart, file: GivenFile
) -> bytes:
    """The lines without those that open a quote which nothing closes."""
    if data.count(b'"') == 0:
        return data
    codes = np.frombuffer(data, np.uint8)
    ends = np.append(np.flatnonzero(codes == _NEWLINE), len(codes))
    quotes = np.searchsorted(np.flatnonzero(codes == _QUOTE), ends)
    odd = np.flatnonzero(np.diff(quotes, prepend=0) % 2)
    if not len(odd):
        return data
    lines, kept, at = data.split(b"\n"), [], 0
    places = [*odd.tolist(), len(lines) + _LINES_IN_A_ROW]
    while len(places) > 1:
        start, stop = places[0], places[1]
        kept += lines[at:start]
        whole = b"\n".join(lines[start : stop + 1])
        if stop - start < _LINES_IN_A_ROW and _is_row(whole, width, mark):
            kept.append(whole)
            at, places = stop + 1, places[2:]
        else:
            where = f"{part.name}:{first + start}"
            file.notes.damage("a quote that is not closed", where, lines[start][:400])
            at, places = start + 1, places[1:]
    return b"\n".join([*kept, *lines[at:]])


def _is_row(text: bytes, width: int, mark: str) -> bool:
    try:
        rows = list(csv.reader(io.StringIO(text.decode()), delimiter=mark, strict=True))
    except (csv.Error, UnicodeDecodeError):
        return False
    return len(rows) == 1 and len(rows[0]) == width


def _parsed(
    data: bytes, names: list[str], mark: str, first: int, part: GivenPart, file: GivenFile
) -> pa.Table:
    def skip(row: Any) -> str:
        number = "" if row.number is None else f":{first + row.number - 1}"
        reason = f"{row.actual_columns} fields where {row.expected_columns} are expected"
        file.notes.damage(
            "a row with too few or too many fields",
            f"{part.name}{number}",
            f"({reason}) {row.text or ''}",
        )
        return "skip"

    parse = pc_csv.ParseOptions(delimiter=mark, newlines_in_values=True, invalid_row_handler=skip)
    read = pc_csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False)
    convert = pc_csv.ConvertOptions(
        column_types={name: pa.string() for name in names},
        check_utf8=False,
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        null_values=["", "\\N"],
    )
    return pc_csv.read_csv(pa.BufferReader(data), read, parse, convert)


def json_lines(file: GivenFile, part: GivenPart) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a part of JSON lines, each with its line.

    Take what is needed of each at once: thousands of whole objects are slow to hold.
    """
    import orjson

    for block in file.lines(part):
        for number, line in enumerate(block.data.split(b"\n"), block.first_line):
            if not line or line.isspace():
                continue
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                file.notes.damage(f"no JSON ({_kind(error)})", f"{part.name}:{number}", line[:400])
                continue
            if isinstance(found, dict):
                yield number, found
            else:
                file.notes.damage("no JSON object", f"{part.name}:{number}", line[:400])


def _kind(error: Exception) -> str:
    """An error of a parser without the place, so that equal ones count together."""
    return str(error).split(":")[0]


def xml_elements(file: GivenFile, part: GivenPart, tag: str) -> Iterator[ElementTree.Element]:
    """The elements of a name, parsed one by one: each begins at its tag and ends before the next.

    So a damaged one costs itself alone. Document types and entities of one's own are refused.
    """
    start = re.compile(rb"<%s(?=[\s>])" % tag.encode())
    end = b"</%s>" % tag.encode()
    number, rest, blocks = 0, b"", file.blocks(part)
    while True:
        block = next(blocks, b"")
        rest += block
        starts = [found.start() for found in start.finditer(rest)]
        last = len(rest) if not block else (starts[-1] if starts else max(0, len(rest) - 64))
        if len(rest) - last > 1 << 26:
            file.notes.damage(
                f"a {tag} of more than 64 MB", f"{part.name}: {tag} {number}", rest[:200]
            )
            rest = b""
            continue
        edges = [s for s in starts if s < last] + [last]
        for first, stop in pairwise(edges):
            number += 1
            text = rest[first:stop]
            close = text.rfind(end)
            element = _element(text[: close + len(end)] if close >= 0 else text)
            if isinstance(element, str):
                file.notes.damage(
                    f"no well-formed XML ({element})", f"{part.name}: {tag} {number}", text[:400]
                )
            else:
                yield element
        rest = rest[last:]
        if not block:
            return


def _element(text: bytes) -> ElementTree.Element | str:
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        return "it declares entities"
    try:
        return ElementTree.fromstring(text.decode())
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
    except ElementTree.ParseError as error:
        return _kind(error)
