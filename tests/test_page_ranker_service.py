"""The page ranker learns from exposures as the service itself writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from serving_samples import WRITES, client_of, event, style_catalog

from musicu.items.constraints import Constraints
from musicu.items.item_table import ItemTable
from musicu.listening.feedback.feedback_log import read
from musicu.shelves.learned_page_ranker import train_page_ranker
from musicu.shelves.shelf import Shelf


@pytest.mark.slow
def test_a_shelf_that_the_service_saw_loved_comes_first_under_any_title(tmp_path: Path) -> None:
    catalog = style_catalog(tmp_path / "catalog")
    loved = "region-1"
    with client_of(catalog.path, policy="random") as client:
        for number in range(160):
            told = client.get(f"/shelves/u{number % 10}").json()["shelves"]
            item = next(shelf["items"][0] for shelf in told if shelf["shelf"] == loved)
            done = event(number, f"u{number % 10}", item["track_id"])
            done["exposure_id"] = item["exposure_id"]
            done["at"] = "2027-01-01T00:00:00Z"
            client.post("/events", json=[done], headers=WRITES)
    shown, done_table = read(catalog, "exposures"), read(catalog, "outcomes")
    assert done_table.num_rows == 160
    items = ItemTable.of(catalog)
    ranker = train_page_ranker(items, shown, done_table)
    assert ranker.note == ""
    names = sorted(set(shown["shelf"].to_pylist()) - {loved})
    shelves = [
        Shelf(f"A title of today {n}", (), Constraints(), name=name)
        for n, name in enumerate([*names, loved])
    ]
    assert shelves[ranker.rank(shelves, None)[0]].name == loved
