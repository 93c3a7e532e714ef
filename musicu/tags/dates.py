"""Partial dates: a year, a month or a day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

#: Years outside this range are typing errors ("0000", "20205").
FIRST_YEAR, LAST_YEAR = 1860, 2200

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*\.?"
_END = r"(?:[T\s,].*)?$"  # a time and zone may follow
_CLOCK = r"(?:,?\s+(?:at\s+)?\d{1,2}:\d\d.*)?$"  # only a time may follow

_FORMS = [
    re.compile(form, re.IGNORECASE | re.DOTALL)
    for form in (
        rf"(?P<year>\d{{4}})[-./](?P<month>\d{{1,2}})[-./](?P<day>\d{{1,2}}){_END}",
        r"(?P<year>\d{4})[-./](?P<month>\d{1,2})$",
        rf"(?P<year>\d{{4}})(?P<month>\d\d)(?P<day>\d\d){_END}",
        r"(?P<month>\d{1,2})[./-](?P<year>\d{4})$",
        rf"{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}){_CLOCK}",
        rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?[\s-]+{_MONTH},?[\s-]+(?P<year>\d{{4}}){_CLOCK}",
        rf"{_MONTH},?[\s-]+(?P<year>\d{{4}})$",
        rf"(?P<year>\d{{4}})[\s-]+{_MONTH}$",
        rf"(?P<year>\d{{4}}){_END}",
    )
]
#: Day and month, or month and day, before the year.
SLASHED = re.compile(
    r"(?P<a>\d{1,2})(?P<mark>[/.-])(?P<b>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})" + _END, re.DOTALL
)
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", re.IGNORECASE)
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})(?:[-./]|$)")


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A year, with its month and day where they are known."""

    year: int
    month: int | None = None
    day: int | None = None

    @property
    def text(self) -> str:
        """As ISO 8601, cut to what is known: "1997", "1997-05" or "1997-05-21"."""
        parts = [f"{self.year:04d}"]
        parts += [f"{part:02d}" for part in (self.month, self.day) if part is not None]
        return "-".join(parts)

    @property
    def first_day(self) -> date:
        """The first day that the date covers."""
        return date(self.year, self.month or 1, self.day or 1)


def parse_date(text: str, day_first: bool | None = None) -> PartialDate | None:
    """Parse a date as people and programs write it; None where it is missing or impossible.

    Reads ISO 8601 of any precision (a time is left out), "19970521", "21.05.1997", "May 1997",
    "21 May 1997" and "May 21, 1997". day_first: what "05/06/1997" means, May or June; where that
    is not known (None) it keeps its year only, and "21/05/1997" is unambiguous. A month or day of
    0, or one that does not exist, counts as unknown. Of years with two digits those up to the next
    one are of this century.
    """
    text = text.strip()
    text = text[match.end() :] if (match := _WEEKDAY.match(text)) else text
    for form in _FORMS:
        if match := form.match(text):
            found = match.groupdict()
            name = found.get("name")
            month = _MONTHS.index(name.lower()) + 1 if name else int(found.get("month") or 0)
            return _checked(int(found["year"]), month, int(found.get("day") or 0))
    if match := SLASHED.match(text):
        return _slashed(match, day_first)
    if match := _YEAR_FIRST.match(text):
        return _checked(int(match["year"]), 0, 0)
    return None


def _slashed(match: re.Match[str], day_first: bool | None) -> PartialDate | None:
    """Day/month or month/day, by what is above 12, else as is known; points mean day first."""
    a, b, year = int(match["a"]), int(match["b"]), _full_year(match["year"])
    if max(a, b) > 12:
        day_first = a > 12
    elif a == b or match["mark"] == ".":
        day_first = True if day_first is None else day_first
    if day_first is None:
        return _checked(year, 0, 0)
    return _checked(year, b, a) if day_first else _checked(year, a, b)


def _full_year(digits: str) -> int:
    year, now = int(digits), date.today().year
    if len(digits) == 4:
        return year
    return now - now % 100 + year - (100 if year > now % 100 + 1 else 0)


def _checked(year: int, month: int, day: int) -> PartialDate | None:
    """The date, cut to the parts that exist."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    if not 1 <= month <= 12:
        return PartialDate(year)
    try:
        date(year, month, day)
    except ValueError:
        return PartialDate(year, month)
    return PartialDate(year, month, day)
