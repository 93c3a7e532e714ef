"""Pages as they are made: for several who wait, ahead of time, and when that fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("fastapi")

from serving_samples import style_catalog

from musicu.candidates import (
    CandidateGenerator,
    CandidateSource,
    Constraints,
    DeepCatalog,
    ForYou,
    ItemTable,
    NewReleases,
    TasteProfile,
    UserProfile,
)
from musicu.listening.history import micros
from musicu.records import Vectors
from musicu.serving import page_shelves
from musicu.serving.generation import Generation, OpenedCatalog
from musicu.serving.listener_pages import PageMaker, ServedPage
from musicu.serving.listener_states import ListenerEvent, ListenerStates, taste_of
from musicu.serving.page_shelves import PageSettings
from musicu.serving.pages_ahead import PagesAhead
from musicu.serving.style_thinning import StyleThinning

WAIT_SECONDS = 30
NOW = datetime(2026, 5, 2, 12, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> OpenedCatalog:
    catalog = style_catalog(tmp_path_factory.mktemp("pages") / "catalog")
    return OpenedCatalog.open(catalog, None, 1)


class HeldPages:
    """A maker of pages that makes none before it is let go on."""

    def __init__(self, base: OpenedCatalog) -> None:
        self.states = ListenerStates()
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._generation = Generation(1, base)
        self._asking = threading.current_thread()
        self.maker = PageMaker(self._current, self.states, PageSettings(6, 90), "given")
        self.maker.prepare(base)

    def _current(self) -> Generation:
        if threading.current_thread() is not self._asking:  # a page is being made
            self.begun.set()
            assert self.go_on.wait(WAIT_SECONDS)
        return self._generation

    def played(self, user: str) -> None:
        at = datetime.now(timezone.utc)
        event = {"user_id": user, "track_id": "s3-01", "kind": "played", "milliseconds": 99_000}
        self.states.record([{**event, "at": at}])

    async def first_is_given_up(self, user: str) -> ServedPage:
        """The page of the second who asks for it, when the first has gone away."""
        first = asyncio.ensure_future(self.maker.page(user, {}))
        second = asyncio.ensure_future(self.maker.page(user, {}))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert first.cancelled()
        self.go_on.set()
        return await asyncio.wait_for(second, WAIT_SECONDS)


@contextmanager
def held_pages(base: OpenedCatalog) -> Iterator[HeldPages]:
    made = HeldPages(base)
    made.maker.warm()
    try:
        yield made
    finally:
        made.go_on.set()
        made.maker.stop()


def test_a_request_that_is_given_up_takes_no_page_from_another(base: OpenedCatalog) -> None:
    async def asked(pages: HeldPages) -> tuple[ServedPage, ServedPage]:
        other = asyncio.ensure_future(pages.maker.page("other", {}))  # is made before
        await asyncio.sleep(0)
        second = await pages.first_is_given_up("ann")
        await asyncio.wait_for(other, WAIT_SECONDS)
        return second, await asyncio.wait_for(pages.maker.page("ann", {}), WAIT_SECONDS)

    with held_pages(base) as pages:
        pages.played("other")
        pages.played("ann")
        second, later = asyncio.run(asked(pages))
    assert second.shelves[0].shelf.name == "for-you-1"
    assert second.shelves == later.shelves


def test_nor_where_the_page_was_begun_before_anybody_asked(base: OpenedCatalog) -> None:
    with held_pages(base) as pages:
        pages.played("ann")
        pages.maker.anticipate(["ann"])
        assert pages.begun.wait(WAIT_SECONDS)
        second = asyncio.run(pages.first_is_given_up("ann"))
    assert second.shelves[0].shelf.name == "for-you-1"


@pytest.mark.parametrize("events", [1, 5, 60])
def test_a_page_has_what_each_of_its_parts_makes_alone(
    base: OpenedCatalog, events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the shelves of a page share, and whoever was asked about before."""
    monkeypatch.setattr(page_shelves, "present", lambda: NOW)
    items, settings = base.items, PageSettings(6, 90)
    shared = page_shelves.catalog_shelves(base, settings)
    for seed in range(6):
        made = made_events(base, seed, events)
        shelves = page_shelves.listener_shelves(base, made, shared, settings)
        taste, skipped = taste_of(made, items, NOW)
        assert_is_taste_of_listens(taste, made, items)
        thinning = StyleThinning(items, base.style_scale, taste, skipped)
        fresh = ItemTable(items.tracks, Vectors(items.ids, items.values))
        for name, source, k in (
            ("new-releases", NewReleases(90), 12),
            ("deep-catalog", DeepCatalog(50.0, None), 12),
            ("for-you-1", ForYou(), 36),
        ):
            (found,) = find(fresh, taste, source, k)
            rows = [row for row in found.to_pylist() if name[-1] != "1" or not row["interest"]]
            kept = thinning.kept([row["track_id"] for row in rows[:12]])
            rows = [row for row, stays in zip(rows, kept, strict=False) if stays][:6]
            told = [(row["track_id"], row["score"], row["reason"]) for row in rows]
            shelf = next((each.shelf for each in shelves if each.name == name), ())
            assert [(i.track_id, i.score, i.reason) for i in shelf] == told


def made_events(base: OpenedCatalog, seed: int, count: int) -> list[ListenerEvent]:
    """Plays of three styles, and now and then a skip."""
    rng = np.random.default_rng(seed)
    kinds = ["played", "played", "played", "skipped", "saved", "dismissed"]
    at = np.sort(micros(NOW) - rng.integers(1, 10**13, count)).tolist()
    return [
        ListenerEvent(
            moment,
            f"s{rng.integers(3)}-{rng.integers(24):02}",
            kinds[rng.integers(len(kinds))] if place else "played",
            int(rng.integers(200_000)),
        )
        for place, moment in enumerate(at)
    ]


def assert_is_taste_of_listens(
    taste: TasteProfile, events: list[ListenerEvent], items: ItemTable
) -> None:
    """That a taste is what the listens of the same weights would give."""
    history = taste.history
    listens = pa.table(
        {
            "user_id": ["u"] * len(history.names),
            "track_id": history.names.tolist(),
            "weight": history.dated,
        }
    )
    other = TasteProfile.from_listens(listens, items.vectors, now=NOW)
    assert {event.track_id for event in events} >= set(history.names)
    assert [each.medoid for each in taste.interests] == [each.medoid for each in other.interests]
    np.testing.assert_allclose(taste.mean, other.mean, atol=1e-6)


def test_a_save_is_no_play(base: OpenedCatalog) -> None:
    items = base.items
    at, track = micros(NOW) - 60_000_000, str(items.ids[0])
    events = [ListenerEvent(at, track, kind, None) for kind in ("played", "saved")]
    history = taste_of(events, items, NOW)[0].history
    assert history.plays.tolist() == [1.0]
    assert history.weights[0] > 1


def find(items: ItemTable, taste: TasteProfile, source: CandidateSource, k: int) -> Iterator[Any]:
    """Tables of what one source alone finds."""
    generator = CandidateGenerator.of(items, [source], k, Constraints(), NOW)
    return generator.find([UserProfile("", taste)])


def test_a_page_that_cannot_be_made_ahead_is_logged_and_the_next_are_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = threading.Event()

    def make(user: str) -> Any:
        if user == "bad":
            raise ValueError("no page for this one")
        made.set()

    ahead = PagesAhead(make)
    ahead.add(["good", "bad"])  # who comes last is made first
    ahead.start()
    try:
        assert made.wait(WAIT_SECONDS)
    finally:
        ahead.stop()
    (record,) = [each for each in caplog.records if each.name == "musicu.serving"]
    assert record.exc_info is not None
    assert "no page for this one" in str(record.exc_info[1])
