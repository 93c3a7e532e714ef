"""What commands print: tables for people, JSON lines for programs.

JSON is UTF-8 whatever the terminal or the redirected output takes; what is for people is written
in letters that it takes (`use_known_letters`).
"""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from musicu.cli.progress_display import DISPLAY

_WORD = 32  # characters: longer words, such as paths, are broken where lines end


_DEGRADED = "musicu.degraded"
_PLAIN = {"–": "-", "—": "-", "−": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "→": "->", "×": "x"}


def use_known_letters() -> None:
    """Make standard output and error write what their encoding lacks in the nearest ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_DEGRADED)


def _degraded(error: UnicodeError) -> tuple[str, int]:
    """The nearest ASCII of characters that an encoding lacks; "?" where there is none."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_nearest, error.object[error.start : error.end])), error.end


def _nearest(character: str) -> str:
    plain = _PLAIN.get(character) or unicodedata.normalize("NFKD", character)
    return plain.encode("ascii", "ignore").decode("ascii") or "?"


codecs.register_error(_DEGRADED, _degraded)


def safe(value: object) -> str:
    """Text that a terminal shows as it is: control characters and lone surrogates escaped."""
    text = ";".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def print_json(record: Mapping[str, Any]) -> None:
    """Print one JSON line to standard output."""
    print_document(json.dumps(record, ensure_ascii=True, default=_encode))


def print_lines(records: Iterable[Mapping[str, Any]]) -> None:
    """Print a JSON line for each record."""
    for record in records:
        print_json(record)


def print_document(text: str) -> None:
    """Print JSON to standard output, in UTF-8."""
    DISPLAY.clear()
    sys.stdout.flush()
    if (raw := getattr(sys.stdout, "buffer", None)) is None:
        sys.stdout.write(text + "\n")  # a notebook's, which takes text alone
    else:
        raw.write(text.encode("utf-8", "backslashreplace") + b"\n")
        raw.flush()


def _encode(value: object) -> Any:
    """JSON for dates, paths, NumPy's values, and bytes, which are names that are not UTF-8."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    raise TypeError(f"{value!r} does not go into JSON")


def print_text(text: str) -> None:
    """Print lines for people to standard output."""
    DISPLAY.clear()
    sys.stdout.write(text + "\n")  # click's echo writes UTF-8 where the encoding is ASCII


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table for people to standard output; numbers stand to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(columns))
    for i, name in enumerate(columns):
        number = any(isinstance(row[i], int | float) for row in rows)
        words = all(_is_word(_cell(row[i])) or _is_interval(_cell(row[i])) for row in rows)
        table.add_column(
            name, justify="right" if number else "left", overflow="fold", no_wrap=words
        )
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    DISPLAY.clear()
    Console(width=_line_width()).print(table)


def print_wide(columns: Sequence[str], rows: Sequence[Sequence[object]], keys: int = 1) -> None:
    """A table of which what does not fit beside the first `keys` columns goes into further ones.

    A row that has nothing (None) for one of them is not in it.
    """
    widths = [
        3 + max(len(_cell(cell)) for cell in (name, *(row[i] for row in rows)))
        for i, name in enumerate(columns)
    ]
    parts: list[list[int]] = [[]]
    for i in range(keys, len(columns)):
        if parts[-1] and sum(widths[n] for n in (*range(keys), *parts[-1], i)) > _line_width():
            parts.append([])
        parts[-1].append(i)
    for part in parts:
        shown = (*range(keys), *part)
        told = (row for row in rows if any(row[i] is not None for i in part))
        print_table([columns[i] for i in shown], [[row[i] for i in shown] for row in told])


def _line_width() -> int:
    """Characters in a line of the terminal; in a pipe or file enough to break none."""
    from rich.console import Console

    console = Console()
    return console.width if console.is_terminal else max(console.width, 240)


def _is_word(text: str) -> bool:
    """Whether a cell is a name, id or number, that should stand in one line."""
    return len(text) <= _WORD and " " not in text


def _is_interval(text: str) -> bool:
    """Whether a cell is a number with its interval, which means nothing in two lines."""
    return re.fullmatch(r"\S+ \[\S+ \S+\]", text) is not None


def _cell(value: object) -> str:
    """A value as it stands in a table."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return safe(value).encode(encoding, _DEGRADED).decode(encoding)


def note(text: str) -> None:
    """Tell people something, on standard error."""
    DISPLAY.clear()
    sys.stderr.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")
    sys.stderr.flush()


def warn(texts: Iterable[str]) -> None:
    """Tell people what they should look at."""
    for text in texts:
        note(f"warning: {safe(text)}")


def print_result(result: Any, as_json: bool, for_people: Callable[[Any], None]) -> None:
    """A result with `to_json` for programs, or for people; its notes on standard error."""
    if as_json:
        print_document(result.to_json())
    else:
        for_people(result)
    for text in getattr(result, "notes", ()):
        note(f"note: {text}")


def write_page(result: Any, html: Path | None) -> None:
    """Write the page of a result with `to_html`, where one is asked for."""
    if html:
        result.to_html(html)
        note(f"page: {html}")
