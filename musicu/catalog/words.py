"""Text from tags, made fit to be shown: one line, in reading order, of bounded length."""

from __future__ import annotations

import unicodedata

#: Characters that turn the direction of the text around them; a title has no business to.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: More combining marks than this on one letter overflow the line ("zalgo").
_MAX_MARKS = 3


def one_line(text: str, limit: int = 300) -> str:
    """Text on one line of at most `limit` characters, cut with an ellipsis.

    Control characters become blanks, direction overrides go, lone surrogates become U+FFFD.
    """
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return " ".join(text.split())
    kept: list[str] = []
    marks = 0
    for c in text[: 4 * limit]:
        category = unicodedata.category(c)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if c in _DIRECTIONS or marks > _MAX_MARKS:
            continue
        kept.append(" " if category in {"Cc", "Zl", "Zp"} else "\ufffd" if category == "Cs" else c)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def clock(seconds: float | None) -> str:
    """A length of time: 3:05, 1:02:03; "" where it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
