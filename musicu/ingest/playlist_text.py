"""The lines of a playlist or a list of paths, whatever program has written it."""

from __future__ import annotations

import re

from musicu.ingest.encodings import UTF_8, encoding_of


def text_lines(data: bytes) -> list[str]:
    """The lines of a text, without their ends and byte order marks.

    As several programs may have added lines, those that are UTF-8 are read so, and the others in
    the code page that all of them suggest: no line is ever refused.
    """
    encoding = encoding_of([data])
    if encoding.startswith("utf-"):
        text = data.decode(encoding, "replace")
        return [line.strip("\ufeff") for line in re.split(r"\r\n|\r|\n", text)]
    return [_line(part, encoding).strip("\ufeff") for part in re.split(rb"\r\n|\r|\n", data)]


def _line(data: bytes, encoding: str) -> str:
    try:
        return data.decode(UTF_8)
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252" if encoding == "latin-1" else encoding)
    except UnicodeDecodeError:
        return data.decode(encoding, "replace")
