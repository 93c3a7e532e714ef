"""Common keys and orders of scored things are those of the plain ways."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from musicu.items.joins import join_positions, may_be_among
from musicu.retrieval.names import label, labels
from musicu.retrieval.ordering import best_first, places_in

numbers = st.lists(st.integers(-1, 40), max_size=60).map(lambda n: np.array(n, np.int64))


@given(numbers, numbers)
def test_every_key_that_is_known_is_found(asked: np.ndarray, known: np.ndarray) -> None:
    asked, known = asked << 33, known << 33
    places = join_positions(asked, known)
    assert np.array_equal(places >= 0, np.isin(asked, known))
    assert np.array_equal(known[places[places >= 0]], asked[places >= 0])
    assert may_be_among(asked, known)[np.isin(asked, known)].all()


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1.0, -np.inf]),
                  st.integers(0, 9)),
        max_size=60,
    )
)  # fmt: skip
def test_the_order_is_that_of_lexsort(rows: list[tuple[int, float, int]]) -> None:
    group, score, tie = (np.array([row[n] for row in rows]) for n in range(3))
    group, tie = group.astype(np.int64), tie.astype(np.int64)
    score = score.astype(np.float32)
    order = best_first(group, score, tie)
    plain = np.lexsort((tie, -score, group))
    for values in (group, score, tie):
        np.testing.assert_array_equal(values[order], values[plain])
    expected = [group[order][:n].tolist().count(g) for n, g in enumerate(group[order])]
    assert places_in(group[order]).tolist() == expected


def test_labels_of_a_table_are_the_labels_of_its_rows() -> None:
    words = [None, "", "Plain", "Tab\there", "Ünï – 東京", "zero\u200bwidth"]
    rows = [
        {"track_id": f"t{n}", "title": title, "artists": artists, "album": album, "path": "a/b.mp3"}
        for n, (title, artists, album) in enumerate(
            (title, artists, album)
            for title in words
            for artists in (None, [], ["A"], ["A", None], ["", "B"], ["A", "B\n"])
            for album in words
        )
    ]
    kinds = {"artists": pa.list_(pa.string())}
    names = ("track_id", "title", "artists", "album", "path")
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    table = pa.Table.from_pylist(rows, schema=schema)
    assert labels(table).to_pylist() == [label(row) for row in rows]
    assert labels(table.slice(5, 9)).to_pylist() == [label(row) for row in rows[5:14]]
