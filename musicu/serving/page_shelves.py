"""The shelves of a page: those of the catalog, which all listeners share, and a listener's own.

A listener's own are candidates of the very generator that `musicu candidates` runs and
`musicu evaluate candidates` measures: a shelf for each interest, new releases, deep cuts. Behind
them stand regions of the catalog. Styles that were skipped again and again stand on them less.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from musicu.candidates import (
    CandidateGenerator,
    CandidateSource,
    Constraints,
    DeepCatalog,
    ForYou,
    NewReleases,
    TasteProfile,
    UserProfile,
)
from musicu.catalog.identity import Row
from musicu.catalog.words import one_line
from musicu.items.item_table import ItemTable
from musicu.serving.generation import OpenedCatalog
from musicu.serving.listener_states import ListenerEvent, present, taste_of
from musicu.serving.style_thinning import StyleThinning
from musicu.shelves import Shelf
from musicu.shelves.recipes import AroundTheCatalog, NewForYou
from musicu.shelves.shelf import ShelfItem, ShelfTrack

NEW = "new-releases"
_FOR_YOU, _DEEP, _REGION = "for-you", "deep-catalog", "region"
_INTERESTS = 3
_REGIONS = 8
_REGIONS_FOR_LISTENERS = 4
_SPARE = 2  # times as many candidates as are shown, in place of those that are left out


@dataclass(frozen=True, slots=True, eq=False)
class PageShelf:
    """A shelf of a page. name: what it is, in exposures, such as "new-releases"."""

    name: str
    shelf: Shelf

    @property
    def track_ids(self) -> list[str]:
        """The tracks on it."""
        return self.shelf.track_ids


@dataclass(frozen=True, slots=True)
class PageSettings:
    """size: tracks on a shelf. new_days: how long a release is new."""

    size: int
    new_days: int


def catalog_shelves(base: OpenedCatalog, settings: PageSettings) -> list[PageShelf]:
    """The shelves for anybody: new releases first, then the regions of the catalog."""
    if base.context is None:
        return [PageShelf(NEW, Shelf("New releases", (), Constraints()))]
    context = base.context.for_listener(None, _today())
    rules = Constraints()
    recipe = NewForYou(size=settings.size, days=settings.new_days, rules=rules)
    found = [PageShelf(NEW, shelf) for shelf in recipe.shelves(context)]
    regions = AroundTheCatalog(size=settings.size, count=_REGIONS, rules=rules).shelves(context)
    named = (PageShelf(f"{_REGION}-{n}", shelf) for n, shelf in enumerate(regions, 1))
    return [*found, *(each for each in named if len(each.shelf))]


def listener_shelves(
    base: OpenedCatalog,
    events: list[ListenerEvent],
    shared: Sequence[PageShelf],
    settings: PageSettings,
) -> list[PageShelf]:
    """The shelves of one listener; those for anybody, where nothing is known of them.

    shared: of `catalog_shelves`.
    """
    items = base.items
    if items is None or not events:
        return list(shared)
    taste, skipped = taste_of(events, items, present())
    thinning = StyleThinning(items, base.style_scale, taste, skipped)
    own: list[PageShelf] = []
    if taste.interests:
        own = _own_shelves(base, items, taste, settings, thinning)
    places = {each.name for each in own}
    rest = [each for each in shared if each.name not in places]
    if own:
        regions = [each for each in rest if each.name.startswith(_REGION)]
        rest = [each for each in rest if each not in regions]
        rest += _others(regions, own)[:_REGIONS_FOR_LISTENERS]
    rest = [_thinned(each, thinning, settings.size) for each in rest]
    return [each for each in (*own, *rest) if len(each.shelf) or each.name == NEW]


def with_arrivals(
    shelf: PageShelf, arrivals: Sequence[Row], heard: Collection[str], size: int
) -> PageShelf:
    """The shelf of new releases with what has come in lately before all else."""
    new = [
        ShelfItem(row, 0, 1.0, "Just added.", ())
        for row in arrivals
        if row["track_id"] not in heard
    ][:size]
    ids = {item.track_id for item in new}
    items = [*new, *(item for item in shelf.shelf if item.track_id not in ids)][:size]
    return PageShelf(shelf.name, replace(shelf.shelf, items=_placed(items)))


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Candidates for a shelf, before anything is looked up of their tracks.

    seed: the id of the track that the shelf is named after.
    """

    name: str
    title: str
    about: str
    found: Sequence[Row]
    seed: str | None = None


def _own_shelves(
    base: OpenedCatalog,
    items: ItemTable,
    taste: TasteProfile,
    settings: PageSettings,
    thinning: StyleThinning,
) -> list[PageShelf]:
    """A listener's own shelves. Rows are looked up once, and only those that are shown."""
    chosen = [
        replace(each, found=_left(each.found, thinning, settings.size))
        for each in _chosen(items, taste, settings)
    ]
    ids = {row["track_id"] for each in chosen for row in each.found}
    ids |= {each.seed for each in chosen if each.seed is not None}
    names = sorted(ids)
    rows = dict(zip(names, base.rows(names), strict=True))
    return [_shelf(each, rows) for each in chosen]


def _chosen(items: ItemTable, taste: TasteProfile, settings: PageSettings) -> Iterator[_Chosen]:
    size = settings.size * _SPARE
    asked: dict[CandidateSource, int] = {
        ForYou(): size * _INTERESTS,
        NewReleases(settings.new_days): size,
    }
    if not np.isnan(items.popularity).all():
        asked[DeepCatalog(50.0, None)] = size
    for_you, new, *deep = _candidates(items, taste, asked)
    by_interest: dict[int, list[Row]] = {}
    for row in for_you:
        by_interest.setdefault(row["interest"] or 0, []).append(row)
    for number in sorted(by_interest)[:_INTERESTS]:
        seed = taste.interests[number].medoid
        yield _Chosen(f"{_FOR_YOU}-{number + 1}", "", "", by_interest[number][:size], seed)
    yield _Chosen(NEW, "New for you", "new releases that suit you", new)
    for found in filter(None, deep):
        yield _Chosen(_DEEP, "Deep cuts for you", "from the less played half", found)


def _candidates(
    items: ItemTable, taste: TasteProfile, asked: Mapping[CandidateSource, int]
) -> list[list[Row]]:
    """What the generator finds for the listener by each source, at most so many."""
    counts = list(asked.values())
    generator = CandidateGenerator.of(items, list(asked), max(counts), Constraints(), present())
    tables = generator.find_each(UserProfile("", taste), counts)
    return [
        table.select(["track_id", "score", "interest", "reason"]).to_pylist() for table in tables
    ]


def _left(found: Sequence[Row], thinning: StyleThinning, size: int) -> list[Row]:
    """Candidates with fewer of the styles that were skipped, and no more than are shown."""
    kept = thinning.kept([row["track_id"] for row in found])
    return [row for row, stays in zip(found, kept, strict=True) if stays][:size]


def _shelf(chosen: _Chosen, rows: Mapping[str, Row]) -> PageShelf:
    """Candidates in their order, with what is shown of them."""
    placed = tuple(
        ShelfItem(rows[each["track_id"]], place, each["score"], each["reason"], ())
        for place, each in enumerate(chosen.found, 1)
    )
    title, about, seed = chosen.title, chosen.about, None
    if chosen.seed is not None:
        seed = ShelfTrack(rows[chosen.seed])
        title = f"Because you listened to {one_line(seed.title, 40)}"
        about = f"by {seed.artist}"
    return PageShelf(chosen.name, Shelf(title, placed, Constraints(), seed, about))


def _others(regions: Sequence[PageShelf], own: Sequence[PageShelf]) -> list[PageShelf]:
    """The regions without what stands above them."""
    shown = {track_id for each in own for track_id in each.track_ids}
    found = []
    for each in regions:
        left = [item for item in each.shelf if item.track_id not in shown]
        if len(left) == len(each.shelf):
            found.append(each)
        elif left:
            found.append(PageShelf(each.name, replace(each.shelf, items=_placed(left))))
    return found


def _thinned(each: PageShelf, thinning: StyleThinning, size: int) -> PageShelf:
    """A shelf with less of the styles that were skipped, and no more than it shows."""
    kept = thinning.kept(each.track_ids)
    if all(kept) and len(kept) <= size:
        return each
    items = [item for item, stays in zip(each.shelf, kept, strict=True) if stays][:size]
    return PageShelf(each.name, replace(each.shelf, items=_placed(items)))


def _placed(items: Iterable[ShelfItem]) -> tuple[ShelfItem, ...]:
    """Items numbered from 1."""
    return tuple(replace(item, position=place) for place, item in enumerate(items, 1))


def _today() -> date:
    return present().date()
