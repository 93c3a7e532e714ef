"""Listens as a source tells them, before it is known which tracks they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

#: A row a listen, with whatever names its track. user: as the source says it; null for the one
#: person whose export it is. timestamp: null where unknown. path: of a file, in playlists.
RAW = pa.schema(
    [
        ("user", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("weight", pa.float32()),
        ("context", pa.string()),
        ("track_id", pa.string()),
        ("isrc", pa.string()),
        ("recording_mbid", pa.string()),
        ("artist", pa.string()),
        ("title", pa.string()),
        ("album", pa.string()),
        ("path", pa.string()),
    ]
)

_FORMS = ("%d %b %Y %H:%M", "%d %b %Y, %H:%M", "%d %b %Y %H:%M:%S", "%d/%m/%Y %H:%M")
_YEAR_3000 = 32_503_680_000  # larger numbers count milliseconds


def raw_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of RAW: what is not given is null, an empty text too, and the weight 1."""
    plain = [
        {"weight": 1.0, **{name: value for name, value in row.items() if value not in (None, "")}}
        for row in rows
    ]
    return pa.Table.from_pylist(plain, schema=RAW)


def moment(cell: Any) -> datetime | None:
    """A moment from a cell: seconds or milliseconds since 1970, ISO 8601, or "31 May 2016, 20:46".

    In UTC where it names no zone; None where it is none, is 0 or lies outside the calendar.
    """
    text = str(cell if cell is not None else "").strip()
    try:
        if re.fullmatch(r"-?\d{5,}(\.\d+)?", text):
            seconds = float(text)
            seconds = seconds / 1000 if seconds >= _YEAR_3000 else seconds
            return datetime.fromtimestamp(seconds, timezone.utc) if seconds > 0 else None
        found = datetime.fromisoformat(re.sub(r"Z$|\s*UTC$", "+00:00", text))
        return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError, OSError):
        return _spelled(text)


def _spelled(text: str) -> datetime | None:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
    return None
