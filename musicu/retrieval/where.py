"""Conditions on tracks, and which tracks meet them.

Conventions. Text compares without regard to case. A list (artists, genres, markets) meets a
condition if any of its elements does; it meets `!=` and `not in` if none equals the value. A
missing value, NaN or an empty list meets no comparison, nor its opposite (SQL's three-valued
logic): `is missing` finds it. A date may be partial and then stands for all of its days, so
that `released > 2024` begins on 2025-01-01.
"""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError

#: Text columns that hold dates of any precision; compared by the first day that they cover.
PARTIAL_DATES = ("date", "original_date")

_KERNELS: dict[str, Callable[[Any, Any], Any]] = {
    "=": pc.equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


class Where(ABC):
    """A condition on tracks; `&`, `|` and `~` combine conditions."""

    @abstractmethod
    def mask(self, table: pa.Table) -> pa.BooleanArray:
        """True, false or null (nothing is known) for each row of the table."""

    def __and__(self, other: Where) -> Where:
        return Both(self, other)

    def __or__(self, other: Where) -> Where:
        return Either(self, other)

    def __invert__(self) -> Where:
        return Not(self)


@dataclass(frozen=True, slots=True)
class Both(Where):
    """Both conditions hold."""

    left: Where
    right: Where

    def mask(self, table: pa.Table) -> pa.BooleanArray:  # noqa: D102
        return pc.and_kleene(self.left.mask(table), self.right.mask(table))


@dataclass(frozen=True, slots=True)
class Either(Where):
    """At least one of the conditions holds."""

    left: Where
    right: Where

    def mask(self, table: pa.Table) -> pa.BooleanArray:  # noqa: D102
        return pc.or_kleene(self.left.mask(table), self.right.mask(table))


@dataclass(frozen=True, slots=True)
class Not(Where):
    """The condition is known not to hold."""

    part: Where

    def mask(self, table: pa.Table) -> pa.BooleanArray:  # noqa: D102
        return pc.invert(self.part.mask(table))


@dataclass(frozen=True, slots=True)
class Missing(Where):
    """The column has no value: null, NaN or an empty list."""

    column: str

    def mask(self, table: pa.Table) -> pa.BooleanArray:  # noqa: D102
        values, parents = _elements(table, self.column)
        known = pc.is_valid(values).to_numpy(zero_copy_only=False)
        return pa.array(~_any(known, parents, table.num_rows))


@dataclass(frozen=True, slots=True)
class Compare(Where):
    """The column stands in a relation to a value, given as text.

    op: "=", "<", "<=", ">", ">=", "contains" or "starts with".
    """

    column: str
    op: str
    value: str

    def mask(self, table: pa.Table) -> pa.BooleanArray:  # noqa: D102
        values, parents = _elements(table, self.column)
        met = self._met(values)
        known = pc.is_valid(met).to_numpy(zero_copy_only=False)
        yes = pc.fill_null(met, False).to_numpy(zero_copy_only=False)
        rows = table.num_rows
        return pa.array(_any(yes, parents, rows), mask=~_any(known, parents, rows))

    def _met(self, values: pa.Array) -> pa.Array:
        kind = values.type
        if pa.types.is_null(kind):
            return pa.nulls(len(values), pa.bool_())
        if self.column in PARTIAL_DATES and self.op in _KERNELS and _is_text(kind):
            return self._met_dates(_first_days(values))
        if _is_text(kind):
            return self._met_text(values)
        if self.op not in _KERNELS:
            raise QueryError(f"{self.op!r} is for text, {self.column!r} holds {_plain(kind)}")
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            return self._met_dates(values.cast(pa.date32(), safe=False))
        if pa.types.is_boolean(kind):
            return self._met_flag(values)
        return self._met_number(values.cast(pa.float64()) if pa.types.is_decimal(kind) else values)

    def _met_text(self, values: pa.Array) -> pa.Array:
        values, value = _folded(values), _folded(pa.array([self.value]))[0]
        if self.op == "contains":
            return pc.match_substring(values, value.as_py())
        if self.op == "starts with":
            return pc.starts_with(values, value.as_py())
        return _KERNELS[self.op](values, value)

    def _met_dates(self, days: pa.Array) -> pa.Array:
        span = days_of(self.value)
        if span is None:
            raise self._wrong("a date like 2024, 2024-05 or 2024-05-21")
        first, last = (pa.scalar(day, pa.date32()) for day in span)
        if self.op == "=":
            return pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))
        return _KERNELS[self.op](days, last if self.op in ("<=", ">") else first)

    def _met_flag(self, values: pa.Array) -> pa.Array:
        word = self.value.lower()
        if word not in ("true", "yes", "1", "false", "no", "0"):
            raise self._wrong("true or false")
        if self.op != "=":
            raise QueryError(f"{self.column!r} is true or false: compare it with = or !=")
        return pc.equal(values, word in ("true", "yes", "1"))

    def _met_number(self, values: pa.Array) -> pa.Array:
        kind = values.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise QueryError(f"{self.column!r} holds {_plain(kind)}, which cannot be compared")
        try:
            number = float(self.value)
        except ValueError:
            raise self._wrong("a number") from None
        if pa.types.is_floating(kind):  # as it would be stored there: 0.3 is 0.3 in float32 too
            return _KERNELS[self.op](values, pa.scalar(number, kind))
        if re.fullmatch(r"\s*[+-]?\d{1,18}\s*", self.value):
            return _KERNELS[self.op](values.cast(pa.int64(), safe=False), int(self.value))
        return _KERNELS[self.op](values.cast(pa.float64(), safe=False), number)

    def _wrong(self, wanted: str) -> QueryError:
        return QueryError(f"{self.column!r} compares with {wanted}, not {self.value!r}")


def days_of(text: str) -> tuple[date, date] | None:
    """The first and last day of a date of any precision; None where it is not one."""
    parts = text.strip().split("-")
    if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    if len(parts[0]) != 4 or any(len(part) > 2 for part in parts[1:]):
        return None
    year, month, day = (*map(int, parts), 0, 0)[:3]
    try:
        first = date(year, month or 1, day or 1)
        return first, _last_day(first, len(parts))
    except ValueError:
        return None


def column_of(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A table's column; raises QueryError with the nearest name where there is none."""
    names = table.column_names
    if names.count(name) == 1:
        return table[name]
    near = difflib.get_close_matches(name, names, 1, cutoff=0.6)
    meant = f"; did you mean {near[0]!r}?" if near else "."
    raise QueryError(f"no column {name!r}{meant} There are: {', '.join(names)}")


def _last_day(first: date, parts: int) -> date:
    if parts == 3:
        return first
    if parts == 1 or first.month == 12:
        return date(first.year, 12, 31)
    return date(first.year, first.month + 1, 1) - timedelta(days=1)


def _elements(table: pa.Table, name: str) -> tuple[pa.Array, NDArray[np.int64]]:
    """A column's plain values (NaN as null), and the row that each belongs to."""
    column = column_of(table, name)
    values = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    parents = np.arange(len(values))
    if pa.types.is_fixed_size_list(values.type):
        values = values.cast(pa.list_(values.type.value_type))
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        parents = pc.list_parent_indices(values).to_numpy().astype(np.int64)
        values = pc.list_flatten(values)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values, parents


def _any(flags: NDArray[np.bool_], parents: NDArray[np.int64], rows: int) -> NDArray[np.bool_]:
    found = np.zeros(rows, bool)
    found[parents[flags]] = True
    return found


def _folded(values: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.utf8_normalize(values.cast(pa.string()), form="NFC"))


def _first_days(values: pa.Array) -> pa.Array:
    """The first day of each partial date, null where it is none; each spelling read once."""
    encoded = values.cast(pa.string()).dictionary_encode()
    spans = [days_of(text) for text in encoded.dictionary.to_pylist()]
    days = pa.array([span and span[0] for span in spans], pa.date32())
    return days.take(encoded.indices)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "true or false"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "dates"
    return "numbers" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else str(kind)
