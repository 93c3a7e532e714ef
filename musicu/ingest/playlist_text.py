"""The lines of a playlist or a list of paths, whatever program has written it."""

from __future__ import annotations

import codecs
import re

_MARKED = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def text_lines(data: bytes) -> list[str]:
    """The lines of a text, without their ends and byte order marks.

    UTF-8, UTF-16 with or without its mark, UTF-32 with it; a line that is not UTF-8 is taken as
    Windows-1252, and bytes without a letter there as Latin-1: no line is ever refused.
    """
    for mark, encoding in _MARKED:
        if data.startswith(mark):
            return _split(data.decode(encoding, "replace"))
    if b"\0" in data:  # no playlist has one, but as half of a letter
        little = data[1::2].count(0) >= data[::2].count(0)
        return _split(data.decode("utf-16-le" if little else "utf-16-be", "replace"))
    return [_line(part).strip("\ufeff") for part in re.split(rb"\r\n|\r|\n", data)]


def _split(text: str) -> list[str]:
    return [line.strip("\ufeff") for line in re.split(r"\r\n|\r|\n", text)]


def _line(data: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")
