from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicu.tags.dates import parse_date


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("1997", "1997"),
        (" 1997 ", "1997"),
        ("1997-05", "1997-05"),
        ("1997-5-2", "1997-05-02"),
        ("1997/05/21", "1997-05-21"),
        ("1997.05.21", "1997-05-21"),
        ("1997-05-21T10:11:12Z", "1997-05-21"),
        ("1997-05-21 10:11:12+02:00", "1997-05-21"),
        ("19970521", "1997-05-21"),
        ("21.05.1997", "1997-05-21"),
        ("1.2.1997", "1997-02-01"),
        ("05/1997", "1997-05"),
        ("May 1997", "1997-05"),
        ("Sept. 1997", "1997-09"),
        ("21 May 1997", "1997-05-21"),
        ("21. May 1997", "1997-05-21"),
        ("21-May-1997", "1997-05-21"),
        ("May 21, 1997", "1997-05-21"),
        ("May 1st 1997", "1997-05-01"),
        ("1997 May", "1997-05"),
        ("05/06/1997", "1997"),
        ("05/05/1997", "1997-05-05"),
        ("21/05/1997", "1997-05-21"),
        ("05/21/1997", "1997-05-21"),
        ("1997-00-00", "1997"),
        ("1997-05-00", "1997-05"),
        ("1997-02-30", "1997-02"),
        ("1997-13-01", "1997"),
        ("1997-??-??", "1997"),
    ],
)
def test_a_date_keeps_the_precision_that_it_has(text: str, normal: str) -> None:
    found = parse_date(text)
    assert found is not None
    assert found.text == normal


@pytest.mark.parametrize(
    "text", ["", "0000", "0", "0000-05-21", "97", "unknown", "9999", "1234", "20205", "5/6", "٣"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None


def test_first_day_is_the_earliest_the_date_covers() -> None:
    days = [parse_date(text) for text in ("1997", "1997-05", "1997-05-21")]
    found = [day.first_day for day in days if day is not None]
    assert found == [date(1997, 1, 1), date(1997, 5, 1), date(1997, 5, 21)]


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    found = parse_date(text)
    assert found is None or parse_date(found.text) == found


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_every_day_survives(day: date) -> None:
    found = parse_date(day.isoformat())
    assert found is not None
    assert found.first_day == day
