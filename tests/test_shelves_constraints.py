"""The promises of a shelf, over random catalogs."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelves_samples import MemoryCatalog, items_of, table, vectors

from musicu.catalog.identity import artist_keys
from musicu.errors import QueryError
from musicu.items.constraints import Constraints, allowed_rows
from musicu.items.item_table import ItemTable
from musicu.items.recording_numbers import COPY_COSINE
from musicu.retrieval import similar
from musicu.shelves import build_shelf, more_like

NAMES = ["Ann", "ANN", "Ann feat. Bo", "Bo", "Cy", "Various Artists"]
TITLES = ["Song", "Song (Live)", "song", "Tune", None]
ISRCS = [None, None, "GBAYE0601498", "GB-AYE-06-01498", "USRC17607839"]


@st.composite
def catalogs(draw: st.DrawFn) -> tuple[list[dict[str, Any]], np.ndarray[Any, Any]]:
    count = draw(st.integers(2, 20))
    rows = [
        {
            "track_id": f"t{i:02}",
            "path": draw(st.sampled_from(["a/x.wav", "b/x.wav", "x.wav"])),
            "title": draw(st.sampled_from(TITLES)),
            "artists": draw(st.none() | st.lists(st.sampled_from(NAMES), max_size=2)),
            "album_artist": draw(st.sampled_from([None, "Ann", "Various"])),
            "album": draw(st.sampled_from([None, "One", "Two", "Greatest Hits"])),
            "isrc": draw(st.sampled_from(ISRCS)),
            "content_hash": draw(st.sampled_from(["h1", "h2", *(f"own{i}",) * 8])),
            "duration_seconds": draw(st.sampled_from([None, 100.0, 101.0, 200.0])),
        }
        for i in range(count)
    ]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return rows, rng.integers(0, 3, (count, 3)).astype(np.float32)


@st.composite
def constraint_sets(draw: st.DrawFn) -> Constraints:
    return Constraints(
        max_per_artist=draw(st.integers(1, 3)),
        max_per_album=draw(st.integers(1, 3)),
        diversity=draw(st.sampled_from([0.0, 0.4, 1.0])),
        min_score=draw(st.sampled_from([None, 0.5])),
        blocked_artists=draw(st.sampled_from([frozenset(), frozenset({"  bo "})])),
        blocked_tracks=draw(st.sampled_from([frozenset(), frozenset({"t01", "t02", "gone"})])),
    )


def one_recording(a: dict[str, Any], b: dict[str, Any], cosine: float, least: float) -> bool:
    """The rule in the plainest words, for the few spellings that the catalogs hold."""
    if a["content_hash"] == b["content_hash"]:
        return True
    if ("(Live)" in (a["title"] or "")) != ("(Live)" in (b["title"] or "")):
        return False
    codes = [(row["isrc"] or "").replace("-", "") for row in (a, b)]
    if codes[0] and codes[0] == codes[1]:
        return True
    named = a["title"] is not None and (a["title"] or "").lower() == (b["title"] or "").lower()
    lengths = [row["duration_seconds"] for row in (a, b)]
    known = None not in lengths and abs(lengths[0] - lengths[1]) <= 2
    return named and known and bool(artist_keys(a) & artist_keys(b)) and cosine >= least


@settings(max_examples=40, deadline=None)
@given(catalogs(), constraint_sets(), st.integers(1, 12))
def test_shelf_keeps_every_constraint(
    catalog: tuple[list[dict[str, Any]], np.ndarray[Any, Any]], rules: Constraints, size: int
) -> None:
    rows, values = catalog
    memory = MemoryCatalog(rows, values)
    shelf = more_like(memory, "t00", size=size, rules=rules)
    place = {row["track_id"]: i for i, row in enumerate(rows)}
    chosen = [rows[place[track_id]] for track_id in shelf.track_ids]
    unit = memory.vectors().values

    assert len(shelf) <= size
    assert len(set(shelf.track_ids)) == len(shelf)
    assert [item.position for item in shelf] == list(range(1, len(shelf) + 1))
    assert all(np.isfinite(item.score) for item in shelf)
    assert all(item.score >= (rules.min_score or -2) for item in shelf)
    credits = Counter(name for row in chosen for name in artist_keys(row))
    assert max(credits.values(), default=0) <= rules.max_per_artist
    barred = [rows[0], *(rows[place[t]] for t in rules.blocked_tracks if t in place)]
    for i, row in enumerate(chosen):
        for other in [*chosen[:i], *barred]:
            cosine = unit[place[row["track_id"]]] @ unit[place[other["track_id"]]]
            assert not one_recording(row, other, cosine, COPY_COSINE)
        if rules.blocked_artists:
            assert not artist_keys(row) & {"bo"}
            assert "bo" not in (row["album_artist"] or "").lower()
    runs = items_of(chosen).albums.tolist() if chosen else []
    changes = sum(a != b for a, b in pairwise(runs))
    assert changes == max(0, len(set(runs)) - 1)  # each album stands in one run
    assert max(Counter(runs).values(), default=0) <= rules.max_per_album


@settings(max_examples=15, deadline=None)
@given(catalogs(), st.randoms(use_true_random=False))
def test_order_and_scale_of_candidates_change_nothing(
    catalog: tuple[list[dict[str, Any]], np.ndarray[Any, Any]], random: Any
) -> None:
    rows, values = catalog
    memory = MemoryCatalog(rows, values)
    found = similar(memory, "t00", 99)  # type: ignore[arg-type]
    given_rows = found.select(["track_id", "score"]).to_pylist()
    plain = build_shelf(pa.Table.from_pylist(given_rows), memory.tracks(), memory.vectors())
    random.shuffle(given_rows)
    larger = [{**row, "score": 8.0 * row["score"] - 4.0} for row in given_rows]
    other = build_shelf(pa.Table.from_pylist(larger), memory.tracks(), memory.vectors())
    assert other.track_ids == plain.track_ids


def simple(count: int, **columns: Any) -> list[dict[str, Any]]:
    return [
        {"track_id": f"t{i:02}", "title": f"Song {i}", "content_hash": f"h{i}"}
        | {name: value[i] if isinstance(value, list) else value for name, value in columns.items()}
        for i in range(count)
    ]


def scored(count: int) -> pa.Table:
    ids = [f"t{i:02}" for i in range(count)]
    return pa.table({"track_id": ids, "score": [1.0 - i / 100 for i in range(count)]})


def flat(count: int) -> Any:
    return vectors([f"t{i:02}" for i in range(count)], np.eye(count, dtype=np.float32))


def test_tracks_without_an_artist_are_not_one_artist() -> None:
    rows = simple(8, artists=[None, [], ["Various Artists"], None, None, [""], None, None])
    assert len(build_shelf(scored(8), table(rows), flat(8))) == 8


def test_one_album_stands_together_behind_its_best_track() -> None:
    rows = simple(4, artists=[["A"], ["B"], ["C"], ["D"]], album=["X", None, "X", "X"])
    rows = [row | {"album_artist": "Various Artists", "path": "x/y.wav"} for row in rows]
    shelf = build_shelf(scored(4), table(rows), flat(4), Constraints(diversity=0))
    assert shelf.track_ids == ["t00", "t02", "t01"]


def test_equal_album_titles_of_two_artists_are_two_albums() -> None:
    rows = simple(2, artists=[["A"], ["B"]], album="Greatest Hits")
    rules = Constraints(max_per_album=1)
    assert len(build_shelf(scored(2), table(rows), flat(2), rules)) == 2


def test_first_item_is_the_best_allowed_one() -> None:
    rows = simple(9, artists=[["Bad"], *[[f"A{i}"] for i in range(8)]])
    rules = Constraints(diversity=1.0, blocked_artists=["BAD"])
    assert build_shelf(scored(9), table(rows), flat(9), rules, size=3).track_ids[0] == "t01"


def test_diversity_prefers_what_differs() -> None:
    values = np.array([[1, 0, 0], [1, 0.01, 0], [1, 0.02, 0], [0.5, 1, 0], [0.5, 0, 1]])
    ids = [f"t{i:02}" for i in range(5)]
    space = vectors(ids, values.astype(np.float32))
    rows = table(simple(5))
    near = build_shelf(scored(5), rows, space, Constraints(diversity=0), size=3)
    wide = build_shelf(scored(5), rows, space, Constraints(diversity=0.8), size=3)
    assert near.track_ids == ["t00", "t01", "t02"]
    assert wide.track_ids == ["t00", "t03", "t04"]


def test_more_is_asked_for_where_one_artist_fills_the_nearest() -> None:
    count = 260
    rows = [
        {"track_id": f"t{i:03}", "title": f"S{i}", "artists": ["Same" if i < 230 else f"A{i}"]}
        for i in range(count)
    ]
    values = np.stack([np.linspace(1, 0.2, count), np.linspace(0, 1, count)], axis=1)
    memory = MemoryCatalog(rows, values.astype(np.float32))
    assert len(more_like(memory, "t000", size=10)) == 10


@pytest.mark.parametrize("score", [float("nan"), float("inf"), None])
def test_score_that_is_no_number_is_refused(score: float | None) -> None:
    candidates = pa.table({"track_id": ["t00"], "score": pa.array([score], pa.float64())})
    with pytest.raises(QueryError, match=r"'t00'.*finite"):
        build_shelf(candidates, table(simple(1)), flat(1))


def test_candidate_that_is_not_a_track_is_refused() -> None:
    with pytest.raises(QueryError, match=r"not in the table of tracks: 1 track, .*'t01'"):
        build_shelf(scored(2), table(simple(1)), flat(1))


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"max_per_artist": 0}, "max_per_artist is 0"),
        ({"max_per_album": -1}, "max_per_album is -1"),
        ({"diversity": 1.5}, "diversity is 1.5"),
        ({"diversity": float("nan")}, "diversity is nan"),
        ({"min_score": float("nan")}, "min_score"),
        ({"blocked_artists": "Bo"}, r"give a list, as \['Bo'\]"),
    ],
)
def test_constraint_that_makes_no_sense_is_refused(setting: dict[str, Any], match: str) -> None:
    with pytest.raises(QueryError, match=match):
        Constraints(**setting)


def test_size_below_one_is_refused() -> None:
    with pytest.raises(QueryError, match="size is 0"):
        build_shelf(scored(1), table(simple(1)), flat(1), size=0)


def test_no_candidates_make_an_empty_shelf() -> None:
    shelf = build_shelf(scored(0), table(simple(1)), flat(1), seed="t00")
    assert shelf.track_ids == []
    assert shelf.to_table().num_rows == 0


def test_of_copies_the_one_with_names_is_shown_unless_it_may_not_be() -> None:
    rows = [
        {"track_id": "seed", "title": "Seed", "artists": ["Ann"], "content_hash": "s"},
        {"track_id": "bare", "title": None, "artists": None, "content_hash": "h"},
        {"track_id": "full", "title": "Song", "artists": ["Bo"], "content_hash": "h"},
        {"track_id": "lone", "title": None, "artists": None, "content_hash": "l"},
    ]
    values = np.array([[1, 0, 0], [0.9, 0.1, 0], [0.8, 0.1, 0.1], [0.7, 0, 0.3]], np.float32)
    memory = MemoryCatalog(rows, values)
    assert set(more_like(memory, "seed").track_ids) == {"full", "lone"}
    blocked = Constraints(where="content_hash = h and title is missing")
    items = ItemTable(memory.tracks(), memory.vectors())
    ids = items.ids[allowed_rows(items, Constraints())].tolist()
    assert ids == ["seed", "full", "lone"]
    assert items.ids[allowed_rows(items, blocked)].tolist() == ["bare"]
