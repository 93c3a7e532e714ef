from __future__ import annotations

import operator
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicu.errors import QueryError
from musicu.retrieval import Where, matching_rows, parse_where, where_options

TABLE = pa.table(
    {
        "title": ["Alpha", "Hip Hop and You", "ÉTUDE", None, "drum'n'bass (live)"],
        "artists": pa.array([["Björk", "The Knife"], ["Rock Band"], [], None, ["A", None]]),
        "genres": pa.array(
            [["Rock", "pop"], ["hip hop"], ["R&B"], [], None], pa.large_list(pa.string())
        ),
        "popularity": [0.1, 0.3, 0.9, None, float("nan")],
        "gain": pa.array([0.3, -1.5, None, 2.0, 0.0], pa.float32()),
        "bitrate": pa.array([128, 320, None, 0, 256], pa.int32()),
        "released": pa.array(
            [date(2024, 1, 1), date(2024, 5, 31), date(2023, 12, 31), None, date(2025, 1, 1)]
        ),
        "date": ["2024", "2024-05-31", "2023", None, "unknown"],
        "added": pa.array([datetime(2024, 5, 31, 23, 59), None, None, None, None]),
        "explicit": [True, False, None, True, False],
        "mood": pa.array(["Calm", "wild", None, "calm", "wild"]).dictionary_encode(),
        "nothing": pa.nulls(5),
        "blob": pa.array([b"x", None, None, None, None]),
        "my column": ["a", "b", "c", "d", None],
    }
)


def rows(where: str | Where | pc.Expression | None) -> list[int]:
    return matching_rows(TABLE, where).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("popularity <= 0.3", [0, 1]),
        ("popularity != 0.3", [0, 2]),
        ("not popularity <= 0.3", [2]),
        ("popularity is missing", [3, 4]),
        ("POPULARITY is missing".lower(), [3, 4]),
        ("popularity IS NOT missing", [0, 1, 2]),
        ("popularity is present AND popularity > .2", [1, 2]),
        ("popularity between 0.1 and 0.3", [0, 1]),
        ("popularity not between 0.1 and 0.3", [2]),
        ("gain = 0.3", [0]),
        ("gain < -1e0", [1]),
        ("bitrate >= 255.5", [1, 4]),
        ("bitrate in (128, 320)", [0, 1]),
        ("bitrate not in (128, 320)", [3, 4]),
        ("title = étude", [2]),
        ("title = E\u0301tude", [2]),
        ('title = "hip hop and you"', [1]),
        ("title contains 'HOP AND'", [1]),
        ("title not contains hop", [0, 2, 4]),
        ("title starts with al", [0]),
        ("title = \"DRUM'n'bass (live)\"", [4]),
        ("title contains drum'n'bass", [4]),
        ("title > b", [1, 2, 4]),
        ("artists = the knife", [0]),
        ("artists = björk and artists = the knife", [0]),
        ("artists != björk", [1, 4]),
        ("artists contains rock", [1]),
        ("artists is missing", [2, 3]),
        ("genres = ROCK", [0]),
        ("genres in (hip hop, r&b)", [1, 2]),
        ("genres not in (pop, r&b)", [1]),
        ("released >= 2024-05", [1, 4]),
        ("released > 2024", [4]),
        ("released <= 2024", [0, 1, 2]),
        ("released < 2024-05-31", [0, 2]),
        ("released = 2024", [0, 1]),
        ("released != 2024", [2, 4]),
        ("released between 2023 and 2024-01", [0, 2]),
        ("date = 2024", [0, 1]),
        ("date >= 2024-02", [1]),
        ("date contains 05", [1]),
        ("added = 2024-05-31", [0]),
        ("explicit = yes", [0, 3]),
        ("explicit != true", [1, 4]),
        ("mood = calm", [0, 3]),
        ("nothing = 1", []),
        ("nothing is missing", [0, 1, 2, 3, 4]),
        ("blob is present", [0]),
        ('"my column" = b', [1]),
        ("mood = calm or mood = wild and popularity < 0.2", [0, 3]),
        ("(mood = calm or mood = wild) and popularity < 0.2", [0]),
        ("not (mood = calm or popularity = 0.9)", [1]),
        ("title == alpha", [0]),
    ],
)
def test_text_finds_the_rows_that_it_says(text: str, expected: list[int]) -> None:
    assert rows(text) == expected


def test_missing_values_meet_neither_a_comparison_nor_its_opposite() -> None:
    for test in ("popularity < 0.5", "genres = rock", "released > 2024", "explicit = yes"):
        met, opposite = rows(test), rows(f"not ({test})")
        missing = rows(f"{test.split()[0]} is missing")
        assert sorted(met + opposite + missing) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("popularity", "ends where an operator"),
        ("popularity <", "ends where a value"),
        ("popularity < 1 and", "ends where a column"),
        ("(popularity < 1", r'ends where "\)"'),
        ("popularity < 1)", r"has '\)' at character 15"),
        ("popularity ~ 1", "has '~' at character 12, where an operator"),
        ("bitrate in 3", r'where "\("'),
        ('title = "open', "quote left open"),
        ("title not = 3", '"in", "between"'),
        ("popularity between 1", 'ends where "and"'),
        ("genre = rock", r"no column 'genre': did you mean 'genres'\?$"),
        ("xyz = rock", "no column 'xyz': there are title, artists"),
        ("popularity = rock", "'popularity' compares with a number, not 'rock'"),
        ("bitrate = rock", "compares with a number, not 'rock'"),
        ("released = soon", "a date like 2024, 2024-05 or 2024-05-21, not 'soon'"),
        ("released = 2024-13", "not '2024-13'"),
        ("released contains 2024", "'contains' is for text, 'released' holds dates"),
        ("popularity starts with 0", "is for text, 'popularity' holds numbers"),
        ("explicit = maybe", "true or false, not 'maybe'"),
        ("explicit < true", "compare it with = or !="),
        ("blob = x", "holds binary, which cannot be compared"),
        ("(" * 500 + "title = a" + ")" * 500, "nests deeper than 100"),
    ],
)
def test_text_that_says_nothing_sensible_is_refused(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        rows(text)


WORDS = [
    *("title", "released", "popularity", "and", "or", "not", "(", ")", "=", "<", "in", ",", "is"),
    *("missing", "between", "contains", "2024-05", "0.3", "'x'", '"', "rock", "é"),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=30))
def test_any_text_is_answered_or_refused(text: str) -> None:
    try:
        found = rows(text)
    except QueryError:
        return
    assert set(found) <= set(range(5))


OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def known(tree: Any, row: dict[str, float | None]) -> bool | None:
    """The plain three-valued meaning of a tree of conditions."""
    if tree[0] in OPERATORS:
        value = row[tree[1]]
        return None if value is None else OPERATORS[tree[0]](value, tree[2])
    parts = [known(part, row) for part in tree[1:]]
    if tree[0] == "not":
        return None if parts[0] is None else not parts[0]
    decided = tree[0] == "or"
    if decided in parts:
        return decided
    return None if None in parts else not decided


def written(tree: Any) -> str:
    if tree[0] in OPERATORS:
        return f"{tree[1]} {tree[0]} {tree[2]}"
    if tree[0] == "not":
        return f"not ({written(tree[1])})"
    return f"({written(tree[1])}) {tree[0]} ({written(tree[2])})"


TREES: st.SearchStrategy[Any] = st.recursive(
    st.tuples(st.sampled_from(list(OPERATORS)), st.sampled_from("ab"), st.integers(-2, 2)),
    lambda part: (
        st.tuples(st.just("not"), part) | st.tuples(st.sampled_from(["and", "or"]), part, part)
    ),
    max_leaves=8,
)
NUMBERS = st.none() | st.integers(-2, 2)


@settings(max_examples=200, deadline=None)
@given(TREES, st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8))
def test_logic_is_that_of_three_values(
    tree: Any, pairs: list[tuple[int | None, int | None]]
) -> None:
    table = pa.table(
        {
            "a": pa.chunked_array([pa.array([a for a, _ in pairs], pa.int16())]),
            "b": pa.array([b for _, b in pairs], pa.float64()),
        }
    )
    expected = [i for i, row in enumerate(table.to_pylist()) if known(tree, row)]
    assert matching_rows(table, written(tree)).tolist() == expected


def test_many_alternatives_do_not_nest() -> None:
    many = " or ".join(f"bitrate = {number}" for number in range(1_000))
    assert rows(many) == [0, 1, 3, 4]
    assert rows(f"bitrate in ({', '.join(map(str, range(1_000)))})") == [0, 1, 3, 4]


def test_chunks_and_slices_change_no_answer() -> None:
    chunked = pa.concat_tables([TABLE.slice(0, 2), TABLE.slice(2, 1), TABLE.slice(3)])
    for text in ("genres in (hip hop, r&b)", "mood = calm", "released > 2024", "date = 2024"):
        assert matching_rows(chunked, text).tolist() == rows(text)
        shifted = [row - 1 for row in rows(text) if row >= 1]
        assert matching_rows(TABLE.slice(1), text).tolist() == shifted


def test_expressions_are_taken_as_arrow_means_them() -> None:
    assert rows(None) == [0, 1, 2, 3, 4]
    assert rows((pc.field("popularity") <= 0.3) & (pc.field("title") == "Alpha")) == [0]
    assert rows(pc.field("released") >= date(2024, 5, 1)) == [1, 4]
    assert matching_rows(TABLE, None).dtype == matching_rows(TABLE, "bitrate > 1").dtype == np.int64


@pytest.mark.parametrize(
    "where", [pc.field("absent") == 1, pc.field("genres") == "rock", pc.field("title") + 1 == 2]
)
def test_expression_that_does_not_fit_is_refused(where: pc.Expression) -> None:
    with pytest.raises(QueryError, match=r"does not fit the tracks.*Columns: title, artists"):
        rows(where)


def test_other_things_are_no_filter() -> None:
    with pytest.raises(QueryError, match="a filter is a pyarrow expression or text"):
        matching_rows(TABLE, 3)  # type: ignore[arg-type]


def test_conditions_combine_in_python() -> None:
    calm, early = parse_where("mood = calm"), parse_where("released < 2025")
    assert rows(calm & early) == [0]
    assert rows(calm | early) == [0, 1, 2, 3]
    assert rows(~calm & early) == [1]


def test_options_all_hold_and_their_values_are_alternatives() -> None:
    assert where_options() is None
    assert rows(where_options(genre=["rock", "R&B"])) == [0, 2]
    assert rows(where_options(genre=["rock", "R&B"], max_popularity=0.5)) == [0]
    assert rows(where_options(artist="the knife", where="mood = calm")) == [0]
    assert rows(where_options(released_after="2024-05", released_before="2025")) == [1]
    assert rows(where_options(min_popularity=0.3)) == [1, 2]
    with pytest.raises(QueryError, match="'soon' is not a date"):
        where_options(released_after="soon")


@pytest.mark.parametrize(
    "text",
    [
        "popularity <= 0.3",
        'genres = "hip hop" and not (title contains "say ""so"" (live)")',
        "(year > 2000 or year is missing) and (a = 1 or b = 2) or not label starts with x",
        'not in_stock = true and "odd, column" in (and_, "or", "not", "")',
        "released between 2024-05 and 2024-06-01",
    ],
)
def test_a_condition_is_told_as_the_text_that_it_is_read_from(text: str) -> None:
    condition = parse_where(text)
    assert parse_where(str(condition)) == condition
