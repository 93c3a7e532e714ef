"""In which encoding a text is, of a program that did not write UTF-8 or does not say so.

UTF-8, and UTF-16 and UTF-32 with their marks, are sure; UTF-16 without one shows in its zeros. What
else there is was the code page of somebody's system, and nothing in the text names it: it is
guessed from which bytes stand beside which, and the guess is said.
"""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Iterable, Iterator
from itertools import chain

_MARKED = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UTF_8 = "utf-8-sig"
#: What legacy code pages are called.
_SAID = {
    "cp1252": "Windows-1252 (Western European)",
    "latin-1": "Latin-1 (Western European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp932": "Shift JIS (Japanese)",
    "cp949": "EUC-KR (Korean)",
    "gb18030": "GB 18030 (Chinese)",
    "big5": "Big5 (Chinese)",
}
_SAMPLE = 1 << 16  # bytes by which a code page is guessed


class GuessedEncodingWarning(UserWarning):
    """A text whose encoding nothing tells."""


def encoding_of(blocks: Iterable[bytes]) -> str:
    """The encoding of a text that comes in blocks, the first of which has its beginning."""
    blocks = iter(blocks)
    first = next(blocks, b"")
    for mark, encoding in _MARKED:
        if first.startswith(mark):
            return encoding
    if b"\0" in first:  # no text has one, but as half of a letter
        little = first[1::2].count(0) >= first[::2].count(0)
        return "utf-16-le" if little else "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    tail = b""  # of the block before, where a letter may have begun
    for block in chain([first], blocks):
        try:
            decoder.decode(block)
        except UnicodeDecodeError:
            return _code_page(b"".join(_beyond_ascii(tail + block, blocks)))
        tail = block[-4:]
    return UTF_8 if not decoder.getstate()[0] else _code_page(tail)


def text_of(data: bytes, where: str) -> str:
    """A file's text; warns where its encoding is a guess. where: what the file is called."""
    encoding = encoding_of([data])
    warn_of_guess(encoding, where)
    return data.decode(encoding, "replace").removeprefix("\ufeff")


def warn_of_guess(encoding: str, where: str) -> None:
    """Say that a file was not UTF-8, and as what it is read."""
    if encoding in _SAID:
        warnings.warn(
            f"{where} is not UTF-8: it is read as {_SAID[encoding]}, which is a guess; where "
            "names come out wrong, save it as UTF-8",
            GuessedEncodingWarning,
            stacklevel=1,  # of one place, so that a file that is read twice is told of once
        )


def _beyond_ascii(block: bytes, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines that are not ASCII, some thousand bytes of them."""
    size = 0
    for part in chain([block], blocks):
        for line in part.splitlines():
            if size < _SAMPLE and not line.isascii():
                size += len(line)
                yield line + b"\n"
        if size >= _SAMPLE:
            return


def _code_page(sample: bytes) -> str:
    """The likeliest code page of text that is not UTF-8.

    Western text has single letters beyond ASCII; other scripts have runs of them. Of the bytes of
    Windows-1251 most are small letters, from 0xE0 on, as in no text of two bytes a letter.
    """
    high = [byte >= 0x80 for byte in sample]
    beyond = sum(high)
    runs = sum(one and not before for before, one in zip([False, *high], high, strict=False))
    if beyond >= 1.6 * runs:
        if sum(byte >= 0xE0 for byte in sample) >= 0.6 * beyond and _decodes(sample, "cp1251"):
            return "cp1251"
        for encoding, first, last, share in _SCRIPTS:
            if (text := _decoded(sample, encoding)) is not None:
                letters = [c for c in text if not c.isascii()]
                inside = sum(first <= c <= last for c in letters)
                if inside >= share * len(letters):
                    return "gb18030" if encoding == "gb2312" else encoding
    return "cp1252" if _decodes(sample, "cp1252") else "latin-1"


#: Encodings with the letters that speak for each, and their least share of all beyond ASCII.
_SCRIPTS = (
    ("cp932", "\u3040", "\u30ff", 0.2),
    ("cp949", "\uac00", "\ud7a3", 0.9),
    ("gb2312", "\u4e00", "\u9fff", 0.6),
    ("big5", "\u4e00", "\u9fff", 0.6),
    ("cp932", "\u3040", "\u9fff", 0.7),
)


def _decoded(sample: bytes, encoding: str) -> str | None:
    """The sample without a letter that was cut at its end; None where it is not so encoded."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return None


def _decodes(sample: bytes, encoding: str) -> bool:
    return _decoded(sample, encoding) is not None
