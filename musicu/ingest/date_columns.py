"""How a column writes its dates, decided for the column as a whole, and its dates so read.

Plain numbers may count seconds to nanoseconds or days since 1970, be days as spreadsheets count
them, or digits like 20240531; "05/06/2024" may be May or June. One cell does not tell, the others
of its column do. Where they don't either, nothing is guessed: it is said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.ingest.moments import parse_moment, parse_time
from musicu.records import counted
from musicu.tags.dates import LAST_YEAR, SLASHED, PartialDate, parse_date

Floats = NDArray[np.float64]
MOMENT = pa.timestamp("us", tz="UTC")

_DAY_US = 86_400e6
_1970 = datetime(1970, 1, 1, tzinfo=timezone.utc)
_1899 = 25_569  # days from the first of spreadsheets, 1899-12-30, to 1970
_NUMBER = r"^[+-]?\d+(?:[.,]\d+)?(?:[eE]\+?\d+)?$"
_CLOCK = r"\d:\d\d"
_ORDERED = r"^\d{1,2}[/-]\d{1,2}[/-]\d\d"


@dataclass(frozen=True, slots=True)
class DateUnit:
    """What plain numbers mean. said: for people. micros: float64 microseconds since 1970, or NaN.

    earliest: the least size of a number that speaks for this unit.
    """

    said: str
    micros: Callable[[Floats], Floats]
    earliest: float


def _since_1970(unit_us: float) -> Callable[[Floats], Floats]:
    return lambda numbers: numbers * unit_us


def _spreadsheet(numbers: Floats) -> Floats:
    found: Floats = np.where(numbers > 0, np.round((numbers - _1899) * 86_400) * 1e6, np.nan)
    return found


def _digits(parts: int) -> Callable[[Floats], Floats]:
    """Year, month, day, hour, minute, second in one number, as many of them as it says."""

    def micros(numbers: Floats) -> Floats:
        size = 4 + 2 * (parts - 1)
        whole = np.where((numbers >= 10 ** (size - 1)) & (numbers < 10**size), numbers, 0)
        left = whole.astype(np.int64)
        found = [1, 1, 1, 0, 0, 0]
        columns = [np.full(len(left), value) for value in found]
        for place in range(parts - 1, 0, -1):
            left, columns[place] = np.divmod(left, 100)
        columns[0] = left
        return np.where(whole == numbers, _civil(*columns), np.nan)

    return micros


def _civil(*parts: NDArray[np.int64]) -> Floats:
    """Microseconds since 1970 of calendar parts, NaN where there is no such day or time."""
    year, month, day, hour, minute, second = parts
    months = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    good = (year >= 1000) & (month >= 1) & (month <= 12) & (day >= 1)
    good &= (days.astype("datetime64[M]") == months) & (hour < 24) & (minute < 60) & (second < 60)
    seconds = 86_400 * days.astype(np.int64) + 3600 * hour + 60 * minute + second
    return np.where(good, 1e6 * seconds, np.nan)


_COUNTS = tuple(
    DateUnit(f"{said} since 1970", _since_1970(unit_us), earliest)
    for said, unit_us, earliest in (
        ("seconds", 1e6, 1e7),
        ("milliseconds", 1e3, 1e10),
        ("microseconds", 1.0, 1e13),
        ("nanoseconds", 1e-3, 1e16),
    )
)
_SPREADSHEET = DateUnit("days as spreadsheets count them", _spreadsheet, 1e4)
#: Units of moments, the first before the others where numbers speak for both.
MOMENT_UNITS = (
    DateUnit("digits like 20240531", _digits(3), 1e7),
    DateUnit("digits like 202405312046", _digits(5), 1e11),
    DateUnit("digits like 20240531204600", _digits(6), 1e13),
    _SPREADSHEET,
    DateUnit("days since 1970", _since_1970(_DAY_US), 1e3),
    *_COUNTS,
)
#: Units of releases, which may be known to the year or month alone, and be of before 1970.
RELEASE_UNITS = (
    DateUnit("years", _digits(1), 1e3),
    DateUnit("digits like 202405", _digits(2), 1e5),
    DateUnit("digits like 20240531", _digits(3), 1e7),
    _SPREADSHEET,
    *_COUNTS,
)


@dataclass(frozen=True, slots=True)
class DateForm:
    """How a column writes its dates.

    unit: what plain numbers are; None where there are none. day_first: whether "05/06/2024" is
    the fifth of June; None where nothing tells. doubts: sentences on what nothing tells.
    """

    unit: DateUnit | None = None
    day_first: bool | None = None
    doubts: tuple[str, ...] = ()


@dataclass(slots=True)
class DateEvidence:
    """What the cells of a column, added some at a time, tell of its form.

    moments: whether they are moments of listening, or days of release.
    """

    moments: bool = True
    day_first: bool | None = None
    votes: Counter[int] = field(default_factory=Counter)
    largest: float = 0.0
    orders: Counter[str] = field(default_factory=Counter)
    shown: dict[str, str] = field(default_factory=dict)
    timed: bool = False

    def add(self, column: pa.Array | pa.ChunkedArray) -> None:
        """Take in some cells; those that hold times already tell nothing."""
        held = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_timestamp(held) or pa.types.is_date(held):
            some = column.null_count < len(column)
            self.timed = self.timed or (some and pa.types.is_timestamp(held))
            return
        numbers, texts = _parted(column)
        known = numbers[np.isfinite(numbers) & (numbers != 0)]
        if len(known):
            self._vote(known)
        self.timed = self.timed or bool(pc.any(pc.match_substring_regex(texts, _CLOCK)).as_py())
        for text in texts.filter(pc.match_substring_regex(texts, _ORDERED)).to_pylist():
            if match := SLASHED.match(text):
                self._order(int(match["a"]), int(match["b"]), text)

    def form(self) -> DateForm:
        """The form that fits most cells."""
        first, second, unclear = (self.orders[name] for name in ("first", "second", "unclear"))
        day_first, doubts = self.day_first, []
        if day_first is None and bool(first) != bool(second):
            day_first = bool(first)
        elif day_first is None and unclear:
            cells, shown = counted(unclear, "date"), self.shown["unclear"]
            why = "nothing tells day from month"
            if first:
                why = f"{self.shown['first']!r} has the day first, {self.shown['second']!r} second"
            doubts.append(f"{cells} such as {shown!r} can be two days, {why}")
        return DateForm(self._unit(), day_first, tuple(doubts))

    def _vote(self, numbers: Floats) -> None:
        self.largest = max(self.largest, float(np.abs(numbers).max()))
        low, high = _window(self.moments)
        for place, unit in enumerate(self._units):
            with np.errstate(over="ignore", invalid="ignore"):
                micros = unit.micros(numbers)
            fits = (micros >= low) & (micros <= high) & (np.abs(numbers) >= unit.earliest)
            self.votes[place] += int(fits.sum())

    def _order(self, a: int, b: int, text: str) -> None:
        said = "unclear" if max(a, b) <= 12 and a != b else "first" if a > 12 else "second"
        if max(a, b) <= 31 and min(a, b) in range(1, 13) and a != b:
            self.orders[said] += 1
            self.shown.setdefault(said, text)

    @property
    def _units(self) -> tuple[DateUnit, ...]:
        return MOMENT_UNITS if self.moments else RELEASE_UNITS

    def _unit(self) -> DateUnit | None:
        """The unit of which most numbers make sense; else by their size."""
        best = max(range(len(self._units)), key=lambda place: (self.votes[place], -place))
        if self.votes[best]:
            return self._units[best]
        if not self.moments or not self.largest:
            return None
        return _COUNTS[sum(self.largest >= size for size in (3.3e10, 3.3e13, 3.3e16))]


def form_of(column: pa.Array | pa.ChunkedArray, moments: bool = True) -> DateForm:
    """The form of a whole column."""
    evidence = DateEvidence(moments)
    evidence.add(column)
    return evidence.form()


def read_moments(column: pa.Array | pa.ChunkedArray, form: DateForm) -> pa.Array:
    """A column as moments, timestamp[us, UTC]; null where a cell is none, or is 0."""
    column = _whole(column)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        zoned = pa.timestamp(MOMENT.unit) if getattr(column.type, "tz", None) is None else MOMENT
        return column.cast(zoned, safe=False).cast(MOMENT)
    numbers, texts = _parted(column)
    found = np.full(len(column), np.nan)
    if form.unit is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            found = form.unit.micros(np.where(numbers > 0, numbers, np.nan))
    good = found < _civil_us(3000)
    moments = pa.array(np.where(good, np.round(found), 0).astype(np.int64), mask=~good)
    encoded = texts.dictionary_encode()
    said = [_micros(parse_moment(t, form.day_first)) for t in encoded.dictionary.to_pylist()]
    return pc.coalesce(moments, pa.array(said, pa.int64()).take(encoded.indices)).cast(MOMENT)


def add_times(moments: pa.Array, times: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Days with the time that another column says; a day without one stays its midnight."""
    encoded = _texts(_whole(times)).dictionary_encode()
    passed = [parse_time(text) for text in encoded.dictionary.to_pylist()]
    micros = [None if t is None else t // timedelta(microseconds=1) for t in passed]
    added = pc.fill_null(pa.array(micros, pa.int64()).take(encoded.indices), 0)
    return pc.add(moments.cast(pa.int64()), added).cast(MOMENT)


def moment(cell: Any) -> datetime | None:
    """The moment in one cell, by itself; None where it is none, or lies outside the calendar."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return None
    column = pa.array([str(cell).encode("utf-8", "replace").decode()])
    micros = read_moments(column, form_of(column)).cast(pa.int64())[0].as_py()
    try:
        return None if micros is None else _1970 + timedelta(microseconds=micros)
    except OverflowError:
        return None


def release_date(cell: Any, form: DateForm) -> PartialDate | None:
    """The date of a release in a cell of a column of that form, as precise as it says."""
    text = cell.isoformat() if hasattr(cell, "isoformat") else str(cell).strip()
    if form.unit is not None and re.match(_NUMBER, text):
        number = float(text.replace(",", "."))
        micros = form.unit.micros(np.array([number]))[0] if number else np.nan
        if _civil_us(1) <= micros < _civil_us(3000):
            day = (_1970 + timedelta(microseconds=float(micros))).date().isoformat()
            return parse_date(day[: {"years": 4, "digits like 202405": 7}.get(form.unit.said, 10)])
    return parse_date(text, form.day_first)


def _parted(column: pa.Array | pa.ChunkedArray) -> tuple[Floats, pa.Array]:
    """The numbers of a column, float64 with NaN, and its texts that are none, null elsewhere."""
    column = _whole(column)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        numbers = pc.fill_null(column.cast(pa.float64(), safe=False), float("nan")).to_numpy(False)
        return numbers, pa.nulls(len(column), pa.string())
    texts = _texts(column)
    numeric = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), False)
    nothing = pa.scalar(None, pa.string())
    digits = pc.replace_substring(pc.if_else(numeric, texts, nothing), ",", ".")
    numbers = pc.fill_null(digits.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
    return numbers, pc.if_else(numeric, nothing, texts)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array, without dictionary encoding."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole.cast(whole.type.value_type) if pa.types.is_dictionary(whole.type) else whole


def _texts(column: pa.Array) -> pa.Array:
    """Cells as text without surrounding space; what is no text, number or time is null."""
    try:
        texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    except pa.ArrowException:
        return pa.nulls(len(column), pa.string())
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _micros(found: datetime | None) -> int | None:
    return None if found is None else (found - _1970) // timedelta(microseconds=1)


def _window(moments: bool) -> tuple[float, float]:
    """From when to when dates make sense: microseconds since 1970."""
    return _listening_window() if moments else (_civil_us(1860), _civil_us(LAST_YEAR))


def _listening_window() -> tuple[float, float]:
    """Since there are programs that log, to a day from now."""
    now = datetime.now(timezone.utc) + timedelta(days=1)
    return _civil_us(1980), float((now - _1970) // timedelta(microseconds=1))


def _civil_us(year: int) -> float:
    return float((datetime(year, 1, 1, tzinfo=timezone.utc) - _1970) // timedelta(microseconds=1))


def doubts_of(name: str, form: DateForm) -> Iterator[str]:
    """A sentence for each thing that nothing tells about a column of this name."""
    for doubt in form.doubts:
        yield f"the column {name!r}: {doubt}"
