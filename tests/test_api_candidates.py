"""Candidates and shelves: one model for all of it, sources that are checked, errors that help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicu import Catalog, Embedder, Vectors, evaluate, read_audio
from musicu.candidates import (
    CANDIDATES,
    Constraints,
    DeepCatalog,
    ForYou,
    ItemTable,
    NewReleases,
    Popular,
    Ranked,
    Request,
    TasteProfile,
    check_listens,
    find_candidates,
    tastes,
)
from musicu.errors import ModelError, MusicuError, QueryError
from musicu.evaluation import Protocol, evaluate_candidates, evaluate_vectors
from musicu.pipeline.run import scan
from musicu.retrieval import find_track, parse_where
from musicu.shelves import (
    ShelfContext,
    build_shelf,
    load_recipes,
    more_like,
    recipe_of,
    shelves_of_candidates,
)

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
COUNT = 30
IDS = [f"t{n:02d}" for n in range(COUNT)]
VALUES = np.random.default_rng(2).normal(size=(COUNT, 6)).astype(np.float32)
TRACKS = pa.table(
    {
        "track_id": IDS,
        "title": [f"Song {n}" for n in range(COUNT)],
        "artist": [f"Band {n // 3}" for n in range(COUNT)],
        "genre": ["jazz" if n % 2 else "rock" for n in range(COUNT)],
        "date": [str(1996 + n) for n in range(COUNT)],
    }
)
PLAYS = pd.DataFrame(
    {
        "user_id": [("ann", "bob", "cyd")[n % 3] for n in range(12)],
        "track_id": [f"t{(5 * n) % COUNT:02d}" for n in range(12)],
        "timestamp": pd.date_range("2025-11-01", periods=12, tz="UTC"),
    }
)


def made(folder: Path, rows: list[int]) -> Catalog:
    """The catalog, its tracks and vectors given in some order."""
    catalog = scan(TRACKS.take(pa.array(rows)), folder).catalog
    catalog.add_vectors("one", [IDS[row] for row in rows], VALUES[rows])
    catalog.add_vectors("two", IDS, VALUES[:, ::-1])
    return catalog


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return made(tmp_path_factory.mktemp("candidates") / "c", list(range(COUNT)))


def found(catalog: Catalog, listeners: Any = PLAYS, sources: Any = None, **more: Any) -> pa.Table:
    return find_candidates(catalog, listeners, sources or [ForYou()], k=5, now=NOW, **more)


def test_a_frame_of_plays_is_enough(catalog: Catalog) -> None:
    listens = check_listens(PLAYS, catalog.tracks()["track_id"]).listens
    profiles = dict(tastes(listens, catalog.vectors(), now=NOW))
    table = found(catalog)
    assert table.equals(found(catalog, profiles))
    assert table.schema.equals(CANDIDATES)
    assert set(table["user_id"].to_pylist()) == {"ann", "bob", "cyd"}


def test_plays_say_what_is_popular(catalog: Catalog) -> None:
    more = pd.concat([PLAYS, PLAYS.iloc[[0] * 3].assign(user_id="dee", timestamp=None)])
    best = found(catalog, more, [Popular()]).to_pandas().groupby("user_id").first()
    assert best.loc["bob", "track_id"] == PLAYS.track_id[0]


def test_plays_that_are_left_out_are_counted(catalog: Catalog) -> None:
    more = pd.concat([PLAYS, PLAYS.iloc[[0]].assign(track_id="nowhere")])
    with pytest.warns(UserWarning, match="1 listen of tracks that are not in the catalog"):
        assert found(catalog, more).equals(found(catalog))


@settings(deadline=None, max_examples=8)
@given(rows=st.permutations(range(COUNT)), plays=st.permutations(range(12)))
def test_no_order_of_rows_changes_an_answer(
    catalog: Catalog,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[int],
    plays: list[int],
) -> None:
    other = made(tmp_path_factory.mktemp("mixed") / "c", rows)
    assert other.tracks().equals(catalog.tracks())
    assert np.array_equal(other.vectors("one").values, catalog.vectors("one").values)
    assert other.similar(IDS[:3]).equals(catalog.similar(pa.array(IDS[:3])))
    table = found(catalog)
    assert found(other, PLAYS.iloc[plays]).equals(table)
    shelf = build_shelf(table.take(pa.array(plays)), catalog)
    assert shelf.to_json() == build_shelf(table.take(pa.array(sorted(plays))), other).to_json()


@given(names=st.permutations(["one", "two"]), seed=st.sampled_from(IDS))
def test_what_is_made_with_one_model_is_refused_beside_another(
    catalog: Catalog, names: list[str], seed: str
) -> None:
    first, second = (catalog.vectors(name) for name in names)
    taste = TasteProfile.from_seeds([seed], first)
    assert (taste.model, taste.fingerprint) == (names[0], first.fingerprint)
    refused: list[Callable[[], object]] = [
        lambda: found(catalog, {"ann": taste}, model=names[1]),
        lambda: ShelfContext(catalog, model=names[1], profile=taste),
        lambda: taste.updated(PLAYS.iloc[:0], second),
        lambda: build_shelf(found(catalog, {"ann": taste}, model=names[0]), catalog, second),
    ]
    for make in refused:
        with pytest.raises(ModelError, match=f"was made with vectors of '{names[0]}'"):
            make()
    assert found(catalog, {"ann": taste}, model=names[0]).num_rows == 5


def test_candidates_on_a_shelf_keep_their_reasons_and_sources(catalog: Catalog) -> None:
    table = found(catalog, sources=[ForYou(), (DeepCatalog(100.0), 0.5)])
    own = table.filter(pa.compute.equal(table["user_id"], "ann"))
    given = {row["track_id"]: row for row in own.to_pylist()}
    shelves = shelves_of_candidates(table, catalog, user_id="ann")
    assert [item.track_id for shelf in shelves for item in shelf]
    for shelf in [*shelves, build_shelf(own, catalog)]:
        for row in shelf.to_table().to_pylist():
            assert row["reason"] == given[row["track_id"]]["reason"]
            kinds = {reason["kind"]: reason["value"] for reason in row["reasons"]}
            assert given[row["track_id"]]["source"] in kinds["source"]


@dataclass(frozen=True)
class Mine:
    """A source that answers with what it was given."""

    answer: Any
    name: ClassVar[str] = "mine"
    reason_prefix: ClassVar[str] = "Mine"
    anchor_kind: ClassVar[str] = "track"
    ranker: ClassVar[str] = "source"

    def candidates(self, request: Request) -> Ranked:
        answer: Ranked = self.answer(request)
        return answer


LISTS = {"ann": (["t15", "t21", "t22"], [0.3, 0.9, 0.6]), "eve": (["t01"], [1.0])}


def test_lists_of_ones_own_keep_every_constraint(catalog: Catalog) -> None:
    source = Mine(lambda request: Ranked.from_lists(LISTS, request))
    table = found(catalog, sources=[source])
    assert table["track_id"].to_pylist() == ["t21", "t22"]  # t15 is heard
    rules = {
        "where": {"where": "genres = jazz"},
        "blocked_tracks": {"blocked_tracks": ["t22"]},
        "blocked_artists": {"blocked_artists": ["band 7"]},
    }
    for rule in rules.values():
        kept = found(catalog, sources=[source], constraints=Constraints(**rule))
        assert set(kept["track_id"].to_pylist()) < {"t21", "t22"}
    assert not found(catalog, sources=[source], constraints=Constraints(market="DE")).num_rows


@given(order=st.permutations(range(3)))
def test_lists_of_ones_own_come_in_any_order(catalog: Catalog, order: list[int]) -> None:
    ids, scores = LISTS["ann"]
    mixed = {"ann": (pa.array([ids[n] for n in order]), [scores[n] for n in order])}
    source = Mine(lambda request: Ranked.from_lists(mixed, request))
    plain = Mine(lambda request: Ranked.from_lists(LISTS, request))
    assert found(catalog, sources=[source]).equals(found(catalog, sources=[plain]))


def test_lists_of_ones_own_are_counted_or_refused(catalog: Catalog) -> None:
    def with_lists(lists: Any) -> pa.Table:
        return found(catalog, sources=[Mine(lambda request: Ranked.from_lists(lists, request))])

    with pytest.warns(UserWarning, match="1 track of the lists without a vector"):
        assert with_lists({"ann": (["t21", "?"], [1, 2])})["track_id"].to_pylist() == ["t21"]
    for scores in ([1.0], [1.0, float("nan")], [[1.0, 2.0]]):
        with pytest.raises(QueryError, match="finite score for each"):
            with_lists({"ann": (["t21", "t22"], scores)})
    with pytest.raises(QueryError, match="ids are"):
        with_lists({"ann": ("t21", [1.0])})


def whole(request: Request) -> Ranked:
    """An answer in order: two rows for each listener."""
    count = len(request.profiles)
    rows, score = np.tile(request.rows[:2], count), np.tile(np.float32([0.9, 0.1]), count)
    none = np.full(count, -1, np.int32)
    start = 2 * np.arange(count + 1)
    return Ranked(np.arange(count), none, np.full(count, 2), none < 0, start, row=rows, score=score)


WRONG: dict[str, tuple[Callable[[Ranked, Request], Any], str]] = {
    "other": (lambda lists, request: [("ann", "t01")], "not a Ranked"),
    "nan": (lambda lists, request: replace(lists, score=lists.score * np.nan), "not finite"),
    "unsorted": (lambda lists, request: replace(lists, score=-lists.score), "not best first"),
    "out of range": (lambda lists, request: replace(lists, row=lists.row + 99), "may not be found"),
    "negative": (lambda lists, request: replace(lists, row=lists.row - 99), "may not be found"),
    "blocked": (lambda lists, request: replace(lists, row=0 * lists.row), "may not be found"),
    "listeners": (lambda lists, request: replace(lists, listener=lists.listener + 1), "listeners"),
    "start": (lambda lists, request: replace(lists, start=lists.start + 1), "begin and end"),
    "lengths": (lambda lists, request: replace(lists, quota=lists.quota[:1]), "unlike lengths"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_a_source_answers_is_checked(catalog: Catalog, kind: str) -> None:
    spoil, message = WRONG[kind]
    only = Constraints(blocked_tracks=["t00"])  # type: ignore[arg-type]
    assert found(catalog, sources=[Mine(whole)], constraints=only).num_rows
    source = Mine(lambda request: spoil(whole(request), request))
    with pytest.raises(QueryError, match=message):
        found(catalog, sources=[source], constraints=only)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([NewReleases], r"NewReleases is a class: write NewReleases\(\)"),
        (NewReleases, r"give a list, such as \[NewReleases\(\)\]"),
        (ForYou(), r"give a list, such as \[ForYou\(\)\]"),
        ("for-you", "give a list"),
        (["for-you"], r"give an object such as NewReleases\(\)"),
        ([None], "give an object"),
        ([], "no source"),
        ([(ForYou(), 1.5)], "the share of for-you is 1.5: it is above 0 and up to 1"),
        ([(ForYou(), 0)], "the share of for-you is 0"),
        ([(ForYou(), "half")], "the share of for-you is half"),
    ],
)
def test_what_is_no_source_says_what_to_write(catalog: Catalog, sources: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        find_candidates(catalog, PLAYS, sources, now=NOW)


@pytest.mark.parametrize("k", [0, -1, 1.5, "5", None, True, float("nan")])
def test_what_is_no_number_of_tracks_is_refused(catalog: Catalog, k: Any) -> None:
    for ask in (
        lambda: find_candidates(catalog, PLAYS, [ForYou()], k=k, now=NOW),
        lambda: catalog.similar("t01", k=k),
        lambda: more_like(catalog, "t01", size=k),
        lambda: build_shelf(found(catalog), catalog, size=k),
    ):
        with pytest.raises(QueryError, match="give a whole number of 1 or more"):
            ask()


@pytest.mark.parametrize("given", ["catalog", Path("catalog"), None, 7, Catalog])
def test_what_is_no_catalog_says_what_to_write(given: Any) -> None:
    asked: list[Callable[[], object]] = [
        lambda: find_candidates(given, PLAYS, [ForYou()]),
        lambda: ItemTable.of(given),
        lambda: ShelfContext(given),
        lambda: more_like(given, "t01"),
        lambda: evaluate(given),
        lambda: evaluate_candidates(given, PLAYS),  # type: ignore[arg-type]
        lambda: Catalog(given),
    ]
    for ask in asked:
        with pytest.raises(QueryError, match=r"write (musicu\.)?Catalog\.open\('catalog'\)"):
            ask()


def test_four_threads_get_the_answers_of_one(catalog: Catalog) -> None:
    alone = [catalog.similar(track_id).to_pylist() for track_id in IDS], found(catalog).to_pylist()
    opened = Catalog.open(catalog.path)
    with ThreadPoolExecutor(4) as pool:
        near = pool.map(lambda track_id: opened.similar(track_id).to_pylist(), IDS)
        lists = pool.map(lambda _: found(opened).to_pylist(), range(4))
        assert list(near) == alone[0]
        assert all(table == alone[1] for table in lists)


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(MusicuError) as told:
        yield
    assert len(str(told.value)) > 15


WRONG_THINGS: list[Any] = [None, 7, 1.5, "x", b"x", [], ["x"], {"x": 1}, object(), dict]


@pytest.mark.parametrize("thing", WRONG_THINGS, ids=lambda thing: repr(thing)[:12])
def test_every_wrong_kind_of_argument_is_an_error_of_ours(catalog: Catalog, thing: Any) -> None:
    vectors = catalog.vectors()
    if not isinstance(thing, str | Path):
        with refused():
            check_listens(thing)
        with refused():
            TasteProfile.from_listens(thing, vectors)
        with refused():
            shelves_of_candidates(thing, catalog)
        with refused():
            build_shelf(thing, catalog)
    if thing != {"x": 1} and thing is not dict:
        with refused():
            find_candidates(catalog, thing, [ForYou()])
    with refused():
        TasteProfile.from_seeds(thing, vectors)
    with refused():
        Vectors(thing, np.zeros((3, 2)))
    if thing != []:
        with refused():
            catalog.similar(thing)
    if thing is not None:
        with refused():
            catalog.similar("t01", where=thing)
        with refused():
            catalog.vectors(thing)


def asked(catalog: Catalog, x: Any) -> list[Callable[[], object]]:
    """What is called with one argument of a wrong kind."""
    plays = PLAYS.iloc[:4]
    return [
        lambda: Catalog.open(x),
        lambda: catalog.track(x),
        lambda: catalog.descriptors(x),
        lambda: scan(TRACKS, x),
        lambda: Embedder.load(x),
        lambda: read_audio(x, 16_000),
        lambda: evaluate(catalog, columns=x, protocols=["hubness"]),
        lambda: evaluate_vectors({"a": x}, catalog, protocols=["hubness"]),
        lambda: Constraints(max_per_artist=x),
        lambda: Constraints(explore=x),
        lambda: DeepCatalog(x),
        lambda: NewReleases(x),
        lambda: evaluate_candidates(catalog, plays, x),
        lambda: evaluate_candidates(catalog, plays, Protocol(ks=x)),
        lambda: list(tastes(plays, x)),
        lambda: recipe_of(x),
        lambda: load_recipes(x),
        lambda: parse_where(x),
        lambda: find_track(catalog.tracks(), x),
    ]


@pytest.mark.parametrize(
    "thing",
    [None, ["x"], {"x": 1}, object(), dict, np.zeros(3)],
    ids=lambda thing: repr(thing)[:12],
)
def test_whatever_is_called_with_the_wrong_kind_says_what_to_give(
    catalog: Catalog, thing: Any
) -> None:
    for ask in asked(catalog, thing):
        with refused():
            ask()
