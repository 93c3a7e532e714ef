"""Groups of creators get their share of every shelf."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from candidates_samples import NOW, made_items, made_listens
from click.testing import CliRunner
from shelves_samples import MemoryCatalog

from musicu.candidates import Constraints, ExposureFloors, TasteProfile
from musicu.catalog.catalog import Catalog
from musicu.cli.app import app
from musicu.errors import QueryError
from musicu.records import Vectors
from musicu.shelves import RECIPES, Shelf, ShelfContext

ITEMS = made_items(240)
SCENES = pa.table(
    {
        "track_id": ITEMS.ids.tolist(),
        "scene": ["small" if n % 6 == 1 else "large" for n in range(len(ITEMS))],
    }
)
SCENE = dict(zip(*SCENES.to_pydict().values(), strict=True))
SETTINGS = {"more-like-track": {"track": "t000"}, "fill-playlist": {"tracks": ("t000", "t010")}}


@pytest.fixture(scope="module")
def context() -> ShelfContext:
    memory = MemoryCatalog(ITEMS.tracks.to_pylist(), ITEMS.values)
    listens = made_listens(ITEMS, users=1, each=30)
    profile = TasteProfile.from_listens(
        listens, Vectors(ITEMS.ids, memory.vectors().values), now=NOW
    )
    return ShelfContext(memory, profile=profile, today=NOW.date())


def built(context: ShelfContext, name: str, floors: ExposureFloors | None) -> list[Shelf]:
    rules = Constraints(max_per_artist=2, floors=floors)
    recipe = RECIPES.load(name)(size=10, rules=rules, **SETTINGS.get(name, {}))
    return recipe.shelves(context)


def small(shelf: Shelf) -> int:
    return sum(SCENE[t] == "small" for t in shelf.track_ids)


@pytest.mark.parametrize(
    "name",
    ["more-like-track", "because-you-listened", "deep-cuts", "daily-mixes", "fill-playlist"],
)
def test_every_shelf_has_the_share_and_says_what_that_cost(
    context: ShelfContext, name: str
) -> None:
    floors = ExposureFloors({"small": 0.4}, SCENES)
    before, after = (built(context, name, each) for each in (None, floors))
    assert len(after) >= 1
    assert all(shelf.floors == () for shelf in before)
    for shelf in after:
        (count,) = shelf.floors
        assert len(set(shelf.track_ids)) == len(shelf) == count.places
        assert count.after == small(shelf) >= min(math.ceil(0.4 * len(shelf)), count.after)
        assert count.reached
        artists = [name for item in shelf for name in item.row["artists"]]
        assert max(np.unique(artists, return_counts=True)[1]) <= 2
        assert count.score_after <= count.score_before + 1e-6
    if len(before) == 1:
        assert after[0].floors[0].before == small(before[0])


def test_a_share_that_is_there_changes_nothing(context: ShelfContext) -> None:
    floors = ExposureFloors({"large": 0.1}, SCENES)
    for name in ("deep-cuts", "more-like-track"):
        plain, kept = built(context, name, None), built(context, name, floors)
        assert [shelf.track_ids for shelf in plain] == [shelf.track_ids for shelf in kept]


def test_a_group_without_enough_tracks_gets_what_there_is(context: ShelfContext) -> None:
    few = pa.table({"track_id": ["t020", "t021"], "g": ["a", "a"]})
    (shelf,) = built(context, "more-like-track", ExposureFloors({"a": 0.5}, few))
    assert not shelf.floors[0].reached
    assert "instead of 50.00%" in shelf.floors[0].words()
    with pytest.raises(QueryError, match="no group 'b'"):
        built(context, "more-like-track", ExposureFloors({"b": 0.5}, few))


def test_the_page_says_what_was_reached(demo_catalog: Path, tmp_path: Path) -> None:
    ids = Catalog.open(demo_catalog).tracks()["track_id"].to_pylist()
    lines = "".join(f"{t},{'ab'[n % 3 == 0]}\n" for n, t in enumerate(ids))
    (tmp_path / "g.csv").write_text("track_id,scene\n" + lines, "utf-8")
    words = ["shelves", str(demo_catalog), "-o", str(tmp_path / "page"), "-n", "2"]
    words += ["--creators", str(tmp_path / "g.csv")]
    done = CliRunner().invoke(app, [*words, "--exposure-floor", "b=0.5"])
    assert done.exit_code == 0, done.output
    assert "b: " in done.output
    assert "places" in done.output
    for wrong, message in (("c=0.6", "no group 'c'"), ("b=2", "from 0 to 1")):
        done = CliRunner().invoke(app, [*words, "--exposure-floor", wrong])
        assert message in f"{done.output} {done.exception}"
    (tmp_path / "found.csv").write_text("user_id,track_id\n", "utf-8")
    words += ["--candidates", str(tmp_path / "found.csv"), "--exposure-floor", "b=0.5"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
