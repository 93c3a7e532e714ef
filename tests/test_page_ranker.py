"""The page ranker on listeners who look at a page from the top, and along each row."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from candidates_samples import NOW, made_items

from musicu.items.constraints import Constraints
from musicu.items.item_table import ItemTable
from musicu.listening.feedback import EXPOSURES, OUTCOMES
from musicu.shelves.learned_page_ranker import LearnedPageRanker, kind_of, train_page_ranker
from musicu.shelves.shelf import Shelf, named_shelves

#: What a service calls its shelves, and how often a track on each is liked.
LIKED = {
    "for-you-1": 0.25,
    "for-you-2": 0.2,
    "new-releases": 0.1,
    "region-1": 0.05,
    "deep-catalog": 0.6,
}
SLOTS = 4
ROW_SEEN, SLOT_SEEN = 0.8 ** np.arange(len(LIKED)), 0.85 ** np.arange(SLOTS)


def page_log(
    items: ItemTable, liked: dict[str, float], pages: int = 700
) -> tuple[pa.Table, pa.Table]:
    """Pages whose shelves stand as in `liked`, a third of them by chance: looked at row by row."""
    rng = np.random.default_rng(3)
    shown, done = [], []
    for page in range(pages):
        names = list(liked)
        order = rng.permutation(len(names)) if rng.random() < 1 / 3 else np.arange(len(names))
        at = NOW + timedelta(minutes=page)
        for row, shelf in enumerate(names[n] for n in order):
            for slot, track in enumerate(rng.choice(items.ids, SLOTS, replace=False).tolist()):
                name = f"{page}.{shelf}.{slot}"
                common = {"user_id": f"u{page % 40}", "track_id": track, "exposure_id": name}
                place = {"shelf": shelf, "shelf_position": row, "item_position": slot}
                about = {"page_id": str(page), "surface": "page", "policy": "given"}
                shown.append({**common, **place, **about, "propensity": 1.0, "shown_at": at})
                seen = rng.random() < ROW_SEEN[row] * SLOT_SEEN[slot]
                if seen and rng.random() < liked[shelf]:
                    played = {"kind": "played", "milliseconds": 90_000, "at": at}
                    done.append({**common, **played, "event_id": name})
    return (
        pa.Table.from_pylist(shown, schema=EXPOSURES),
        pa.Table.from_pylist(done, schema=OUTCOMES),
    )


@pytest.fixture(scope="module")
def items() -> ItemTable:
    return made_items(count=60, seed=1)


@pytest.fixture(scope="module")
def learned(items: ItemTable) -> LearnedPageRanker:
    return train_page_ranker(items, *page_log(items, LIKED))


def test_what_earns_most_comes_first_and_is_ahead_of_the_order_shown(
    learned: LearnedPageRanker,
) -> None:
    assert learned.note == ""
    assert learned.report["over_shown"][0] > 0
    best = max(LIKED, key=lambda name: LIKED[name])
    assert max(learned.rates, key=lambda name: learned.rates[name]) in {best, kind_of(best)}


def test_shelves_of_recipes_go_by_what_the_services_shelves_of_their_kind_earned(
    learned: LearnedPageRanker, items: ItemTable
) -> None:
    from musicu.shelves.shelf import ShelfItem

    rows = items.tracks.slice(0, SLOTS).to_pylist()
    held = tuple(ShelfItem(row, place, 1.0, "", ()) for place, row in enumerate(rows, 1))
    shelf = Shelf("Some title", held, Constraints())
    page = [
        *named_shelves("around-the-catalog", [shelf, shelf]),
        *named_shelves("new-for-you", [shelf]),
        *named_shelves("deep-cuts", [shelf]),
        *named_shelves("because-you-listened", [shelf, shelf, shelf]),
    ]
    ranked = [page[place].name for place in learned.rank(page, None)]
    assert ranked[0] == "deep-cuts"
    assert {kind_of(name) for name in ranked[1:4]} == {"because-you-listened"}
    assert kind_of(ranked[-1]) == "around-the-catalog"


def test_shelves_that_earn_alike_stay_where_they_are(items: ItemTable) -> None:
    found = train_page_ranker(items, *page_log(items, dict.fromkeys(LIKED, 0.3)))
    assert "not clearly better" in found.note
    page = [Shelf(title, (), Constraints()) for title in "abc"]
    assert found.rank(page, None) == [0, 1, 2]


def test_few_pages_teach_nothing(items: ItemTable) -> None:
    found = train_page_ranker(items, *page_log(items, LIKED, pages=60))
    assert "a page ranker needs" in found.note


def test_names_say_the_kind() -> None:
    assert kind_of("for-you-2") == kind_of("because-you-listened-7") == "because-you-listened"
    assert kind_of("my-own-shelf") == "my-own-shelf"
