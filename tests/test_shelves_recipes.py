"""Every recipe, over random catalogs: no seed, no copies, no more than the rules allow; and why."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields, replace
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelves_samples import MemoryCatalog, items_of

from musicu.candidates import LISTENS, TasteProfile
from musicu.catalog.identity import artist_keys
from musicu.errors import MusicuError, QueryError
from musicu.items.constraints import Constraints
from musicu.retrieval import parse_where
from musicu.shelves import RECIPES, Recipe, Shelf, ShelfContext, load_recipes, recipe_of
from musicu.shelves.page_rankers import GivenOrder, order_page
from musicu.shelves.recipes.load import typed
from musicu.shelves.transitions import Transitions, smooth_order

TODAY = date(2026, 5, 21)
NOW = datetime(2026, 5, 21, tzinfo=timezone.utc)
DESCRIBED = {
    "tempo_bpm": pa.float32(),
    "tempo_confidence": pa.float32(),
    "key": pa.string(),
    "key_confidence": pa.float32(),
    "energy": pa.float32(),
    "brightness_hz": pa.float32(),
    "loudness_lufs": pa.float32(),
}
#: What makes each kind of reason; without it the reason cannot hold.
FEATURES = {
    "artist": ["artists", "album_artist"],
    "album": ["album"],
    "genres": ["genres"],
    "tempo": ["bpm_tag", "tempo_bpm"],
    "key": ["key_tag", "key"],
    "character": ["tempo_bpm", "energy", "brightness_hz"],
    "label": ["label"],
    "released": ["date", "released"],
    "era": ["date", "released", "original_date"],
    "new": ["released"],
    "seldom": ["popularity"],
}


class DescribedCatalog(MemoryCatalog):
    """A catalog in memory whose tracks have descriptors."""

    def __init__(self, rows: list[dict[str, Any]], values: np.ndarray[Any, Any]) -> None:
        super().__init__(rows, values)
        for name, kind in DESCRIBED.items():
            column = pa.array([row.get(name) for row in rows], kind)
            self._tracks = self._tracks.append_column(name, column)


@st.composite
def catalogs(draw: st.DrawFn) -> tuple[list[dict[str, Any]], np.ndarray[Any, Any]]:
    """Tracks of a few artists, with copies, gaps and unheard things among them."""
    count = draw(st.integers(4, 28))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    values = rng.normal(size=(count, 4))

    def some(values: list[Any]) -> Any:
        return values[rng.integers(len(values))]

    rows = []
    for i in range(count):
        copied = i > 2 and rng.random() < 0.2
        source = int(rng.integers(i)) if copied else i
        if copied:
            values[i] = values[source]
        released = TODAY - timedelta(days=int(rng.integers(0, 200)))
        row = {
            "track_id": f"t{i:02}",
            "path": f"{some(['a', 'b'])}/{i}.wav",
            "title": some(["Song", "Tune", f"Title {i}", None]),
            "artists": some([["Ann"], ["Bo"], ["Cy", "Ann"], ["Dee"], ["Ed"], None]),
            "album": some([None, "One", "Two"]),
            "genres": some([["Jazz"], ["Rock", "Jazz"], ["Folk"], None]),
            "content_hash": f"h{source}",
            "duration_seconds": some([None, 100.0, 200.0]),
            "date": some([None, released.isoformat()]),
            "popularity": some([None, float(rng.random())]),
            "tempo_bpm": some([None, float(rng.integers(60, 180))]),
            "tempo_confidence": some([0.9, 0.9, 0.2]),
            "key": some([None, "C major", "A minor", "G major", "Eb minor"]),
            "key_confidence": some([0.9, 0.9, 0.2]),
            "energy": some([None, float(rng.random())]),
            "brightness_hz": float(rng.integers(300, 4000)),
            "loudness_lufs": some([None, -14.0, -8.0]),
        }
        row["released"] = released if row["date"] else None
        rows.append(row)
    return rows, values.astype(np.float32)


def profile_of(memory: MemoryCatalog) -> TasteProfile:
    """Somebody who plays t01 and t02 most, and t03, and something that is not in the catalog."""
    plays = [("t01", 4.0), ("t02", 3.0), ("t03", 2.0), ("not in the catalog", 1.0)]
    listens = pa.Table.from_pylist(
        [{"user_id": "u", "track_id": track, "weight": weight} for track, weight in plays],
        schema=LISTENS,
    )
    return TasteProfile.from_listens(listens, memory.vectors(), now=NOW)


def context_of(memory: MemoryCatalog) -> ShelfContext:
    return ShelfContext(memory, profile=profile_of(memory), today=TODAY)


#: Each recipe's options, and which tracks it is made for and must not show.
ASKED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "more-like-track": ({"track": "t00"}, ("t00",)),
    "more-like-artist": ({"artist": "ANN"}, ()),
    "because-you-listened": ({}, ("t01", "t02", "t03")),
    "new-for-you": ({"days": 120}, ("t01", "t02", "t03")),
    "deep-cuts": ({}, ("t01", "t02", "t03")),
    "daily-mixes": ({}, ()),
    "journey": ({"start": "t00", "end": "t01"}, ("t00", "t01")),
    "arc": ({"track": "t00", "shape": "peak"}, ("t00",)),
    "harmonic-mix": ({"track": "t00"}, ("t00",)),
    "fill-playlist": ({"tracks": ["t00", "t02"]}, ("t00", "t02")),
    "radio": ({"tracks": ["t00", "t02"]}, ("t00", "t02")),
    "around-the-catalog": ({}, ()),
}


def test_every_recipe_is_asked_for_here() -> None:
    assert set(ASKED) == set(RECIPES.names())


def built(name: str, context: ShelfContext, size: int, rules: Constraints) -> list[Shelf]:
    """A recipe's shelves; none where the catalog lacks what it needs, in words."""
    recipe = recipe_of({"recipe": name, "size": size, **ASKED[name][0]})
    try:
        return replace(recipe, rules=rules).shelves(context)
    except QueryError as error:
        assert any(word in str(error) for word in ("known", "no track", "none", "by 'ANN'"))  # noqa: PT017
        return []


def holds(
    shelf: Shelf,
    barred: list[dict[str, Any]],
    rows: dict[str, dict[str, Any]],
    unit: dict[str, np.ndarray[Any, Any]],
) -> None:
    """The promises of one shelf, in the plainest words."""
    ids = shelf.track_ids
    chosen = [rows[t] for t in ids]
    assert len(set(ids)) == len(ids)
    credits = Counter(name for row in chosen for name in artist_keys(row))
    assert max(credits.values(), default=0) <= shelf.rules.max_per_artist
    everything = [*chosen, *barred]
    if everything:
        values = np.stack([unit[row["track_id"]] for row in everything])
        numbers = items_of(everything, values).recordings.tolist()
        assert len(set(numbers[: len(ids)])) == len(ids)
        assert not set(numbers[: len(ids)]) & set(numbers[len(ids) :])
    for row in chosen:
        assert not artist_keys(row) & {name.casefold() for name in shelf.rules.blocked_artists}


@pytest.mark.parametrize("name", sorted(ASKED))
@settings(max_examples=12, deadline=None)
@given(
    catalog=catalogs(),
    size=st.integers(1, 9),
    most=st.integers(1, 2),
    blocked=st.sampled_from([(), ("bo",)]),
)
def test_no_seed_no_copy_no_flood_nothing_blocked(
    name: str,
    catalog: tuple[list[dict[str, Any]], np.ndarray[Any, Any]],
    size: int,
    most: int,
    blocked: tuple[str, ...],
) -> None:
    rows, values = catalog
    rules = Constraints(
        max_per_artist=most, blocked_artists=blocked, blocked_tracks=["t04", "gone"]
    )  # type: ignore[arg-type]
    memory = DescribedCatalog(rows, values)
    world = context_of(memory)
    by_id = {row["track_id"]: row for row in rows}
    unit = dict(zip(*memory.vectors(), strict=True))
    shelves = built(name, world, size, rules)
    barred = [by_id[t] for t in (*ASKED[name][1], "t04") if t in by_id]
    for shelf in shelves:
        assert len(shelf) <= size
        holds(shelf, barred, by_id, unit)
        assert all(item.reason and np.isfinite(item.score) for item in shelf)
    if name in ("because-you-listened", "daily-mixes"):
        shown = [t for shelf in shelves for t in shelf.track_ids]
        assert len(set(shown)) == len(shown)
    again = built(name, context_of(memory), size, rules)
    assert [shelf.to_json() for shelf in again] == [shelf.to_json() for shelf in shelves]


def test_a_shelf_tells_the_filter_that_it_was_built_with() -> None:
    rows = [
        {"track_id": f"t{i}", "title": f"Song {i}", "artists": [f"A{i}"], "duration_seconds": 9.0}
        for i in range(4)
    ]
    context = ShelfContext(MemoryCatalog(rows, np.eye(4, dtype=np.float32)), today=TODAY)
    for where in ("duration_seconds > 5", parse_where("duration_seconds > 5")):
        recipe = recipe_of({"recipe": "more-like-track", "track": "t0"})
        (shelf,) = replace(recipe, where=where).shelves(context)
        assert json.loads(shelf.to_json())["rules"]["where"] == "duration_seconds > 5"


def without(rows: list[dict[str, Any]], track_id: str, kind: str) -> list[dict[str, Any]]:
    """The same tracks, one of them without what a reason is about."""
    gone = dict.fromkeys(FEATURES[kind])
    return [row | gone if row["track_id"] == track_id else row for row in rows]


@settings(max_examples=10, deadline=None)
@given(catalog=catalogs())
def test_a_track_scores_less_without_what_its_reason_names(
    catalog: tuple[list[dict[str, Any]], np.ndarray[Any, Any]],
) -> None:
    rows, values = catalog
    plain = Constraints(diversity=0, max_per_artist=99, max_per_album=99)
    for name in ("more-like-track", "new-for-you"):
        memory = DescribedCatalog(rows, values)
        world = context_of(memory)
        for shelf in built(name, world, 50, plain):
            for item in shelf:
                for reason in item.reasons:
                    assert reason.points > 0
                    if reason.kind not in FEATURES or reason.kind == "character":
                        continue  # the words come from the whole catalog: see the benchmark
                    changed = DescribedCatalog(without(rows, item.track_id, reason.kind), values)
                    other = built(name, context_of(changed), 50, plain)
                    scores = {i.track_id: i.score for s in other for i in s}
                    assert scores.get(item.track_id, -9) < item.score


def world_of(rows: list[dict[str, Any]], values: Any, **more: Any) -> ShelfContext:
    rows = [{"title": f"Song {i}", "content_hash": f"h{i}"} | row for i, row in enumerate(rows)]
    return ShelfContext(DescribedCatalog(rows, np.asarray(values, np.float32)), today=TODAY, **more)


def test_score_is_the_sum_of_its_parts() -> None:
    both = {"artists": ["Ann"], "genres": ["Jazz"], "bpm_tag": 90.0, "label": "Warp"}
    rows = [{"track_id": "t00", **both}, {"track_id": "t01", **both}, {"track_id": "t02"}]
    world = world_of(rows, [[1, 0], [1, 0.1], [0, 1]])
    first = recipe_of({"recipe": "more-like-track", "track": "t00"}).shelves(world)[0].items[0]
    assert first.score == pytest.approx(sum(reason.points for reason in first.reasons))
    assert {reason.kind for reason in first.reasons} == {
        "artist", "sound", "genres", "tempo", "label",
    }  # fmt: skip


def test_journey_goes_by_even_steps_from_end_to_end() -> None:
    angles = np.linspace(0, np.pi / 2, 20)
    rows = [{"track_id": f"t{i:02}"} for i in range(20)]
    world = world_of(rows, np.stack([np.cos(angles), np.sin(angles)], axis=1))
    there = recipe_of({"recipe": "journey", "start": "t00", "end": "t19", "size": 6})
    shelf = there.shelves(world)[0]
    assert shelf.track_ids == sorted(shelf.track_ids)
    steps = np.diff([int(t[1:]) for t in shelf.track_ids])
    assert steps.min() >= 2
    assert steps.max() <= 4
    assert "closer in sound to “Song 0”" in shelf.items[0].reason.lower().replace("song", "Song")


def test_no_step_of_a_journey_leads_back() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(60, 8))  # sparse: no step has a track on it
    world = world_of([{"track_id": f"t{i:02}"} for i in range(60)], vectors)
    shelf = recipe_of({"recipe": "journey", "start": "t00", "end": "t01"}).shelves(world)[0]
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = units[[int(t[1:]) for t in shelf.track_ids]]
    way = chosen @ (units[1] - units[0])
    assert len(way) == 20
    assert (np.diff(way) > 0).all()


@pytest.mark.parametrize(
    ("shape", "turn"), [("rise", None), ("fall", None), ("peak", 1), ("valley", -1)]
)
def test_arc_never_goes_the_wrong_way(shape: str, turn: int | None) -> None:
    rng = np.random.default_rng(1)
    rows = [{"track_id": f"t{i:02}", "energy": float(rng.random())} for i in range(40)]
    world = world_of(rows, rng.normal(size=(40, 3)))
    shelf = recipe_of({"recipe": "arc", "shape": shape, "size": 9}).shelves(world)[0]
    values = np.array([item.row["energy"] for item in shelf])
    signs = np.sign(np.diff(values))
    assert len(shelf) == 9
    if turn is None:
        assert (signs == (1 if shape == "rise" else -1)).all()
    else:
        assert signs[0] == turn
        assert signs[-1] == -turn
        assert (np.diff(signs) != 0).sum() == 1


def test_harmonic_mix_makes_no_step_that_clashes() -> None:
    rng = np.random.default_rng(2)
    keys = ["8A", "9A", "8B", "3A", "2B"]
    rows = [
        {"track_id": f"t{i:02}", "key_tag": keys[i % 5], "bpm_tag": 120.0 + i % 4 * 60}
        for i in range(40)
    ]
    world = world_of(rows, rng.normal(size=(40, 3)))
    shelf = recipe_of({"recipe": "harmonic-mix", "track": "t00", "size": 8}).shelves(world)[0]
    assert len(shelf) == 8
    assert {item.row["key_tag"] for item in shelf} <= {"8A", "9A", "8B"}
    assert {item.row["bpm_tag"] for item in shelf} <= {120.0, 240.0}  # double time mixes
    assert "8A to " in shelf.items[0].reason


def test_unknown_key_or_tempo_is_said_and_not_judged() -> None:
    rows = [{"track_id": "a", "bpm_tag": 120.0}, {"track_id": "b", "bpm_tag": 60.0}]
    step = Transitions(rows, np.zeros((2, 3), np.float32)).of(0, 1)
    assert step.parts == {"tempo": 1.0}
    assert step.missing == ("key", "loudness", "sound")
    world = world_of([{"track_id": f"t{i}"} for i in range(4)], np.eye(4))
    shelf = recipe_of({"recipe": "fill-playlist", "tracks": ["t0"]}).shelves(world)[0]
    assert "3 of 3 transitions are judged without tempo, which is not known" in shelf.notes
    with pytest.raises(QueryError, match="musicu describe"):
        recipe_of({"recipe": "harmonic-mix", "track": "t0"}).shelves(world)


def test_order_is_as_smooth_as_any_for_few_tracks() -> None:
    from itertools import permutations

    rng = np.random.default_rng(3)
    for _ in range(20):
        scores = rng.random((6, 6))
        scores = (scores + scores.T) / 2

        def total(order: Any, scores: Any = scores) -> float:
            return float(sum(scores[a, b] for a, b in pairwise(order)))

        best = max(total((0, *rest)) for rest in permutations(range(1, 6)))
        found = smooth_order(scores, 0)
        assert sorted(found) == list(range(6))
        assert found[0] == 0
        assert total(found) >= 0.9 * best


def test_recipes_are_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "page.toml"
    file.write_text(
        '[[shelf]]\nrecipe = "arc"\nby = "tempo"\nsize = 5\nwhere = "genres = jazz"\n'
        'rules = { max_per_artist = 1, blocked_artists = ["Bo"] }\n'
        '[[shelf]]\nrecipe = "fill-playlist"\ntracks = ["A - B", "C"]\n',
        encoding="utf-8",
    )
    first, second = load_recipes(file)
    assert (first.name, first.size, first.rules.max_per_artist) == ("arc", 5, 1)
    assert first.rules.blocked_artists == {"Bo"}
    assert second == recipe_of({"recipe": "fill-playlist", "tracks": ["A - B", "C"]})


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "the recipe is None: give the name"),
        ({"recipe": "pie"}, r"no recipe 'pie': known are more-like-track"),
        ({"recipe": "arc", "tempo": 3}, "arc has no option 'tempo'"),
        ({"recipe": "journey", "start": "a"}, "journey needs the option 'end'"),
        ({"recipe": "arc", "size": "many"}, "size is 'many'"),
        ({"recipe": "arc", "size": 0}, "size is 0"),
        ({"recipe": "arc", "rules": {"max": 1}}, "rules have no 'max'"),
        ({"recipe": "arc", "where": 4}, "where is 4"),
    ],
)
def test_recipe_that_makes_no_sense_is_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(MusicuError, match=match):
        recipe_of(options)


def test_options_from_the_command_line_get_their_types() -> None:
    assert typed({"recipe": "new-for-you", "days": "30"})["days"] == 30
    assert typed({"recipe": "more-like-track", "track": "1999"})["track"] == "1999"
    assert typed({"recipe": "fill-playlist", "tracks": "a"})["tracks"] == ["a"]
    with pytest.raises(QueryError, match="days is 'x'"):
        typed({"recipe": "new-for-you", "days": "x"})


def test_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("recipe = ")
    with pytest.raises(QueryError, match="cannot be read as TOML"):
        load_recipes(tmp_path / "x.toml")


def test_recipe_for_a_listener_says_that_it_needs_one() -> None:
    world = world_of([{"track_id": "a"}], [[1, 0]])
    with pytest.raises(QueryError, match="needs a listener"):
        recipe_of({"recipe": "daily-mixes"}).shelves(world)


def test_page_about_shelves_names_every_recipe_and_option() -> None:
    text = (Path(__file__).parent.parent / "docs" / "shelves.md").read_text(encoding="utf-8")
    for name in RECIPES.names():
        kind = RECIPES.load(name)
        line = next(line for line in text.splitlines() if line.startswith(f"| `{name}` "))
        own = {f.name for f in fields(kind)} - {f.name for f in fields(Recipe)}
        assert all(f"`{option}`" in line for option in own)


def test_no_track_of_a_mix_is_likened_to_itself_or_to_a_copy() -> None:
    rng = np.random.default_rng(4)
    rows = [
        {"track_id": f"t{i}", "title": f"Song {i}", "content_hash": f"h{i % 6}"} for i in range(12)
    ]
    values = rng.normal(size=(6, 3)) + np.array([2, 0, 0])
    memory = DescribedCatalog(rows, np.concatenate([values, values]).astype(np.float32))
    profile = TasteProfile.from_seeds(["t0", "t6", "t1"], memory.vectors(), max_interests=1)
    world = ShelfContext(memory, profile=profile, today=TODAY)
    (mix,) = recipe_of({"recipe": "daily-mixes"}).shelves(world)
    assert len(mix) == 6
    for item in mix:
        like = next(r.value["track_id"] for r in item.reasons if r.kind == "interest")
        assert int(like[1:]) % 6 != int(item.track_id[1:]) % 6


def test_a_page_ranker_orders_the_shelves_and_must_give_each_position_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of([{"track_id": f"t{i}"} for i in range(4)], np.eye(4))
    one, two = (
        recipe_of({"recipe": "more-like-track", "track": t}).shelves(world)[0] for t in ("t0", "t1")
    )
    assert order_page([one, two], None) == [one, two]
    monkeypatch.setattr(GivenOrder, "rank", lambda self, shelves, profile: [1, 0])
    assert order_page([one, two], None) == [two, one]
    monkeypatch.setattr(GivenOrder, "rank", lambda self, shelves, profile: [0, 0])
    with pytest.raises(QueryError, match="each position once"):
        order_page([one, two], None)


def test_a_track_is_in_the_mix_that_it_suits_best() -> None:
    rng = np.random.default_rng(1)
    values = np.repeat(np.eye(2, 4), 12, axis=0) + 0.3 * rng.normal(size=(24, 4))
    rows = [{"track_id": f"t{i:02}", "title": f"Song {i}"} for i in range(24)]
    memory = DescribedCatalog(rows, values.astype(np.float32))
    seeds = ["t00", "t01", "t02", "t12", "t13"]
    profile = TasteProfile.from_seeds(seeds, memory.vectors(), max_interests=2)
    context = ShelfContext(memory, profile=profile, today=TODAY)
    mixes = recipe_of({"recipe": "daily-mixes"}).shelves(context)
    assert len(mixes) == 2
    groups = [{int(t[1:]) // 12 for t in mix.track_ids} for mix in mixes]
    assert groups == [{0}, {1}]


def test_deep_cuts_of_an_artist_are_likened_to_better_known_tracks_only() -> None:
    rows = [
        {"track_id": f"t{n}", "title": f"Song {n}", "artists": ["Ann"], "popularity": float(n)}
        for n in range(1, 7)
    ]
    rng = np.random.default_rng(0)
    memory = MemoryCatalog(rows, rng.normal(size=(6, 4)).astype(np.float32))
    context = ShelfContext(memory, today=TODAY)
    [shelf] = recipe_of({"recipe": "deep-cuts", "artist": "Ann"}).shelves(context)
    assert sorted(shelf.track_ids) == ["t1", "t2", "t3"]
    for item in shelf:
        [sound] = [reason for reason in item.reasons if reason.kind == "sound"]
        assert sound.value["cosine"] < 0.999, item.reason


def test_deep_cuts_for_nobody_name_their_options() -> None:
    memory = MemoryCatalog(
        [{"track_id": "t1", "title": "Song", "popularity": 1.0}], np.ones((1, 4), np.float32)
    )
    with pytest.raises(QueryError, match=r"--set artist=.*--set genre="):
        recipe_of({"recipe": "deep-cuts"}).shelves(ShelfContext(memory, today=TODAY))
