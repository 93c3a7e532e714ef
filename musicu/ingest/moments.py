"""Moments in text, as people and programs write them: a date with a time of day and its zone."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from musicu.tags.dates import parse_date

_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:$|[T ]\d\d:)")
_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?$")
_TIME = re.compile(
    r"(?<!\d)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?"
    r"\s*(?P<half>[ap]\.?m\.?\b)?\s*(?:(?P<zone>[A-Z]{1,4})\b)?\s*(?P<offset>[+-]\d\d:?(?:\d\d)?)?",
    re.IGNORECASE,
)
_SPACES = re.compile(r"[\s\u00a0\u202f]+")
#: Hours before or after UTC; names of RFC 2822, and Europe's. All others count as UTC.
_ZONES = {
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3,
}  # fmt: skip


def parse_moment(text: str, day_first: bool | None = None) -> datetime | None:
    """The moment in a text, in UTC where it names no zone; None where there is none to be trusted.

    A day alone is its midnight; a month or a year is no moment. Reads ISO 8601, RFC 2822,
    "31 May 2016, 20:46", "May 31, 2016 at 08:46PM", "5/31/2016 8:46:00 PM" and the like.
    day_first: see `parse_date`.
    """
    text = _SPACES.sub(" ", text).strip()
    text = _BASIC.sub(r"\1-\2-\3T\4:\5:\6\7", text)
    if _ISO.match(text):
        try:
            found = datetime.fromisoformat(re.sub(r"\s*(?:Z|UTC|GMT)$", "+00:00", text))
            return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        except ValueError:
            pass  # a fraction of another length, in older Pythons
    time = _TIME.search(text)
    rest = [text] if time is None else [text[: time.start()], text[time.end() :]]
    days = (
        parse_date(re.sub(r"(?:\bat|[T,@–-])?\s*$", "", r).strip(" ,"), day_first) for r in rest
    )
    day = next((day for day in days if day is not None and day.day is not None), None)
    if day is None:
        return None
    midnight = datetime(day.year, day.month or 1, day.day or 1, tzinfo=timezone.utc)
    passed = timedelta(0) if time is None else _time_of(time)
    try:
        return None if passed is None else midnight + passed
    except OverflowError:
        return None


def parse_time(text: str) -> timedelta | None:
    """The time of day in a text as what has passed since midnight, in UTC where it names no zone.

    "20:46", "8:46:00 PM", "204600", or the part of a day as spreadsheets count it, "0.8653".
    """
    text = _SPACES.sub(" ", text).strip()
    if match := re.fullmatch(r"([01]?\d|2[0-3])([0-5]\d)([0-5]\d)?", text):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if re.fullmatch(r"0?[.,]\d+", text):
        return timedelta(seconds=round(86_400 * float(text.replace(",", "."))))
    match = _TIME.fullmatch(text)
    return _time_of(match) if match else None


def _time_of(match: re.Match[str]) -> timedelta | None:
    """What has passed since midnight UTC; None where there is no such time."""
    hours, minutes, seconds = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    if match["half"]:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if match["half"][0] in "pP" else 0)
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    micros = int((match["part"] or "0").ljust(6, "0")[:6])
    passed = timedelta(hours=hours, minutes=minutes, seconds=min(seconds, 59), microseconds=micros)
    if match["offset"]:
        sign, digits = match["offset"][0], match["offset"][1:].replace(":", "")
        ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
        return passed + ahead if sign == "-" else passed - ahead
    return passed - timedelta(hours=_ZONES.get((match["zone"] or "").upper(), 0))
