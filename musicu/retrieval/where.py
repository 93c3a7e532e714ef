"""Conditions on tracks, answered by Arrow's compute functions.

Conventions. Text compares without regard to case. A list (artists, genres, markets) meets a
condition if any of its elements does; it meets `!=` and `not in` if none equals the value. A
missing value, NaN or an empty list meets no comparison, nor its opposite (SQL's three-valued
logic): `is missing` finds it. A date may be partial and then stands for all of its days, so
that `released > 2024` begins on 2025-01-01.
"""

from __future__ import annotations

import difflib
import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.errors import QueryError

#: Text columns that hold dates of any precision; compared by the first day that they cover.
PARTIAL_DATES = ("date", "original_date")

_ORDERED: dict[str, Callable[[Any, Any], Any]] = {
    "=": pc.equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_TEXTUAL = {**_ORDERED, "contains": pc.match_substring, "starts with": pc.starts_with}
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_DATE = re.compile(r"\s*(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?\s*", re.ASCII)


@dataclass(frozen=True)
class Where:
    """Conditions joined by "and" or "or", or one under "not"; `&`, `|` and `~` join them too."""

    join: str
    parts: tuple[Where, ...]

    def mask(self, table: pa.Table) -> pa.BooleanArray:
        """True, false or null (nothing is known) for each row of the table."""
        masks = [part.mask(table) for part in self.parts]
        if self.join == "not":
            return pc.invert(masks[0])
        return reduce(pc.and_kleene if self.join == "and" else pc.or_kleene, masks)

    def __str__(self) -> str:
        """The condition as text that `parse_where` reads."""
        if self.join == "not":
            return f"not ({self.parts[0]})"
        plain = (isinstance(part, Compare) or part.join == "not" for part in self.parts)
        texts = zip(self.parts, plain, strict=True)
        return f" {self.join} ".join(str(part) if bare else f"({part})" for part, bare in texts)

    def __and__(self, other: Where) -> Where:
        return Where("and", (self, other))

    def __or__(self, other: Where) -> Where:
        return Where("or", (self, other))

    def __invert__(self) -> Where:
        return Where("not", (self,))


@dataclass(frozen=True, init=False)
class Compare(Where):
    """A column in a relation to a value, given as text.

    op: "=", "<", "<=", ">", ">=", "contains", "starts with", or "missing", which takes no value.
    """

    column: str
    op: str
    value: str

    def __init__(self, column: str, op: str, value: str = "") -> None:
        own = {"join": "", "parts": (), "column": column, "op": op, "value": value}
        for name, given in own.items():
            object.__setattr__(self, name, given)

    def __str__(self) -> str:
        """As text: `popularity <= 0.3`, or `title contains "blue (live)"`."""
        if self.op == "missing":
            return f"{_quoted(self.column)} is missing"
        return f"{_quoted(self.column)} {self.op} {_quoted(self.value)}"

    def mask(self, table: pa.Table) -> pa.BooleanArray:  # noqa: D102
        values, lists = _elements(column_of(table, self.column))
        met = pc.is_valid(values) if self.op == "missing" else self._met(values)
        if lists is not None:
            met = _any_of(met, lists)
        return pc.invert(pc.fill_null(met, False)) if self.op == "missing" else met

    def _met(self, values: pa.Array) -> pa.Array:
        kind = values.type
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        dated = is_text and self.column in PARTIAL_DATES and self.op in _ORDERED
        if pa.types.is_null(kind):
            return pa.nulls(len(values), pa.bool_())
        if is_text and not dated:
            return _TEXTUAL[self.op](_folded(values), _folded(pa.array([self.value]))[0].as_py())
        if self.op not in _ORDERED:
            raise QueryError(f"{self.op!r} is for text, {self.column!r} holds {_plain(kind)}")
        if dated or pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            return self._met_dates(_first_days(values) if dated else values)
        if pa.types.is_boolean(kind):
            return self._met_flag(values)
        return self._met_number(values.cast(pa.float64()) if pa.types.is_decimal(kind) else values)

    def _met_dates(self, values: pa.Array) -> pa.Array:
        span = days_of(self.value)
        if span is None:
            raise self._wrong("a date like 2024, 2024-05 or 2024-05-21")
        first, last = (pa.scalar(day, pa.date32()) for day in span)
        days = values.cast(pa.date32(), safe=False)
        if self.op == "=":
            return pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))
        return _ORDERED[self.op](days, last if self.op in ("<=", ">") else first)

    def _met_flag(self, values: pa.Array) -> pa.Array:
        if self.value.lower() not in _FLAGS:
            raise self._wrong("true or false")
        if self.op != "=":
            raise QueryError(f"{self.column!r} is true or false: compare it with = or !=")
        return pc.equal(values, _FLAGS[self.value.lower()])

    def _met_number(self, values: pa.Array) -> pa.Array:
        kind = values.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise QueryError(f"{self.column!r} holds {_plain(kind)}, which cannot be compared")
        try:
            number = float(self.value)
        except ValueError:
            raise self._wrong("a number") from None
        if pa.types.is_floating(kind):  # as it would be stored there: 0.3 is 0.3 in float32 too
            return _ORDERED[self.op](values, pa.scalar(number, kind))
        if re.fullmatch(r"\s*[+-]?\d{1,18}\s*", self.value):
            return _ORDERED[self.op](values.cast(pa.int64(), safe=False), int(self.value))
        return _ORDERED[self.op](values.cast(pa.float64(), safe=False), number)

    def _wrong(self, wanted: str) -> QueryError:
        return QueryError(f"{self.column!r} compares with {wanted}, not {self.value!r}")


def _quoted(text: str) -> str:
    """A column or value as it stands in a filter's text."""
    if re.fullmatch(r"[\w.:-]+", text) and text.lower() not in ("and", "or", "not"):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def days_of(text: str) -> tuple[date, date] | None:
    """The first and last day of a date of any precision; None where it is not one."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(part or 0) for part in match.groups())
    try:
        first = date(year, month or 1, day or 1)
        return first, date(year, month or 12, day or monthrange(year, month or 12)[1])
    except ValueError:
        return None


def column_of(table: pa.Table, name: str) -> pa.Array:
    """A table's column; raises QueryError with the nearest names where there is none."""
    names = table.column_names
    if names.count(name) != 1:
        near = difflib.get_close_matches(name, names, 3, cutoff=0.6)
        meant = f"did you mean {' or '.join(map(repr, near))}?"
        told = meant if near else f"there are {', '.join(names)}"
        raise QueryError(f"no column {name!r}: {told}")
    column = table[name]
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _elements(values: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """Plain values, NaN as null, and the lists that they are the elements of."""
    lists = None
    if pa.types.is_fixed_size_list(values.type):
        values = values.cast(pa.list_(values.type.value_type))
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        lists, values = values, pc.list_flatten(values)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values, lists


def _any_of(met: pa.Array, lists: pa.Array) -> pa.Array:
    """Whether any element of each list met something; null where of none anything is known."""
    rows = pc.list_parent_indices(lists).to_numpy()
    found, known = np.zeros((2, len(lists)), bool)
    found[rows[pc.fill_null(met, False).to_numpy(zero_copy_only=False)]] = True
    known[rows[pc.is_valid(met).to_numpy(zero_copy_only=False)]] = True
    return pa.array(found, mask=~known)


def _folded(values: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.utf8_normalize(values.cast(pa.string()), form="NFC"))


def _first_days(values: pa.Array) -> pa.Array:
    """The first day of each partial date, null where it is none; each spelling read once."""
    encoded = values.cast(pa.string()).dictionary_encode()
    spans = [days_of(text) for text in encoded.dictionary.to_pylist()]
    return pa.array([span and span[0] for span in spans], pa.date32()).take(encoded.indices)


def _plain(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "true or false"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "dates"
    return "numbers" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else str(kind)
