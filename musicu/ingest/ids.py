"""Ids as text, the same whatever a table made of them: 1, 1.0, "1", " 1" and "1.0" are one."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

#: Whole numbers that pandas wrote with a point, as it does where a column has a gap.
_WHOLE = r"^([+-]?\d+)\.0$"
_EXACT = 2.0**63


def id_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of ids as text without surrounding space; whole numbers without ".0".

    NaN is null; "007" stays so. Raises ArrowException where the column holds what can be no id.
    """
    if isinstance(column, pa.ChunkedArray):
        chunks = [_texts(chunk) for chunk in column.chunks]
        return pa.chunked_array(chunks or [_texts(pa.array([], column.type))])
    return pa.chunked_array([_texts(column)])


def id_text(cell: str | None) -> str | None:
    """One id out of a cell of text; None where it is empty."""
    return re.sub(_WHOLE, r"\1", (cell or "").strip()) or None


def _texts(ids: pa.Array) -> pa.Array:
    kind = ids.type
    if pa.types.is_dictionary(kind):
        return _texts(ids.cast(kind.value_type))
    if pa.types.is_floating(kind):
        ids = pc.if_else(pc.is_finite(ids), ids, pa.scalar(None, kind))
        whole = pc.and_(pc.equal(pc.floor(ids), ids), pc.less(pc.abs(ids), _EXACT))
        numbers = pc.if_else(whole, ids, pa.scalar(0, kind)).cast(pa.int64(), safe=False)
        return pc.if_else(whole, numbers.cast(pa.string()), ids.cast(pa.string()))
    if pa.types.is_decimal(kind):
        return pc.replace_substring_regex(ids.cast(pa.string()), r"\.0+$", "")
    texts = pc.utf8_trim_whitespace(ids.cast(pa.string()))
    return pc.replace_substring_regex(texts, _WHOLE, r"\1")
