"""Which tracks a question allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.retrieval.parsing import parse_where
from musicu.retrieval.where import Compare, Where, days_of


class ArrowExpression(Protocol):
    """A pyarrow expression: pyarrow has no types of its own."""

    @property
    def isin(self) -> Any:
        """Whether the value is among some."""

    @property
    def is_valid(self) -> Any:
        """Whether there is a value."""


#: What a filter may be: an Arrow expression, text for `parse_where`, or conditions.
Filter: TypeAlias = ArrowExpression | str | Where | None

_ROW = "__row__"


def matching_rows(table: pa.Table, where: Filter) -> NDArray[np.int64]:
    """The rows of a table that meet a filter, rising: int64 [rows]; all of them for None.

    Raises QueryError where the text cannot be read, a column is unknown or cannot be compared so.
    """
    if where is None:
        return np.arange(table.num_rows)
    if isinstance(where, pc.Expression):
        return _expression_rows(table, where)
    if isinstance(where, str):
        where = parse_where(where)
    if not isinstance(where, Where):
        raise QueryError(
            f"a filter is a pyarrow expression or text like 'popularity <= 0.3', not {where!r}"
        )
    met = pc.fill_null(where.mask(table), False)
    return np.flatnonzero(met.to_numpy(zero_copy_only=False)).astype(np.int64)


def where_options(
    *,
    released_after: str | None = None,
    released_before: str | None = None,
    genre: str | Sequence[str] = (),
    artist: str | Sequence[str] = (),
    album: str | Sequence[str] = (),
    label: str | Sequence[str] = (),
    language: str | Sequence[str] = (),
    market: str | Sequence[str] = (),
    min_popularity: float | None = None,
    max_popularity: float | None = None,
    min_duration: float | None = None,
    max_duration: float | None = None,
    where: str | None = None,
) -> Where | None:
    """One condition from the usual options: all must hold; None where none is given.

    Several values of one option are alternatives. `released_after="2024-05"` begins with
    2024-05-01 and `released_before="2024-05"` ends with 2024-04-30: after takes its date in,
    before leaves it out. Durations are in seconds. `where` is text for `parse_where`.
    Raises QueryError where a date or the text cannot be read.
    """
    parts = [
        *_dates(">=", released_after),
        *_dates("<", released_before),
        *_words("genres", genre),
        *_words("artists", artist),
        *_words("album", album),
        *_words("label", label),
        *_words("language", language),
        *_words("markets", market),
        *_number("popularity", ">=", min_popularity),
        *_number("popularity", "<=", max_popularity),
        *_number("duration_seconds", ">=", min_duration),
        *_number("duration_seconds", "<=", max_duration),
    ]
    if where is not None:
        parts.append(parse_where(where))
    return Where("and", tuple(parts)) if parts else None


def _dates(op: str, value: str | None) -> list[Where]:
    if value is None:
        return []
    if days_of(value) is None:
        raise QueryError(f"{value!r} is not a date like 2024, 2024-05 or 2024-05-21")
    return [Compare("released", op, value)]


def _words(column: str, values: str | Sequence[str]) -> list[Where]:
    values = [values] if isinstance(values, str) else values
    parts: list[Where] = [Compare(column, "=", value) for value in values]
    return [Where("or", tuple(parts))] if parts else []


def _number(column: str, op: str, value: float | None) -> list[Where]:
    return [] if value is None else [Compare(column, op, repr(float(value)))]


def _expression_rows(table: pa.Table, where: pc.Expression) -> NDArray[np.int64]:
    import pyarrow.dataset as ds  # 27 MB

    numbered = table.append_column(_ROW, pa.array(np.arange(table.num_rows)))
    try:
        met = ds.dataset(numbered).scanner(columns=[_ROW], filter=where).to_table()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        reason = str(error).splitlines()[0]
        raise QueryError(
            f"the filter {where} does not fit the tracks: {reason}. Columns: "
            f"{', '.join(table.column_names)}; lists take text, like 'genres = rock'"
        ) from error
    return np.sort(met[_ROW].to_numpy())
