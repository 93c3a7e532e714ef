"""From scored items to a shelf: one of each work, the caps, diversity, order, reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.candidates.request import Ranked
from musicu.candidates.selection import Entries, select
from musicu.catalog.identity import Row
from musicu.errors import QueryError
from musicu.items.constraints import Constraints
from musicu.items.exposure_floors import FloorCount, counts_of
from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.ranking.diversity import POOL_FACTOR, diversify
from musicu.ranking.exposure_floor import with_exposure_floors
from musicu.records import Vectors
from musicu.shelves.shelf import Shelf, ShelfItem, ShelfTrack
from musicu.shelves.shelf_reasons import Reason, sentence_of
from musicu.shelves.transitions import Transition

#: How varied a shelf is where nothing else is asked for.
DIVERSITY = 0.4


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """A track that may come onto a shelf: its score, what the score is made of, and a sentence.

    fallback: the sentence where there is no reason. sentence: in place of one made of the reasons.
    after: how it follows the track before it, where the order is one to listen through. extra: it
    may only come in for an exposure floor.
    """

    row: Row
    score: float
    reasons: tuple[Reason, ...] = ()
    fallback: str = ""
    sentence: str = ""
    after: Transition | None = None
    extra: bool = False

    @property
    def track_id(self) -> str:
        """The track's id."""
        return str(self.row["track_id"])

    def plus(self, reason: Reason, *, first: bool = True) -> ScoredItem:
        """The same with one more reason, told first or last, and its points."""
        reasons = (reason, *self.reasons) if first else (*self.reasons, reason)
        return replace(self, score=self.score + reason.points, reasons=reasons)


@dataclass(frozen=True, slots=True, eq=False)
class Sequencing:
    """What an order may use: the vectors and albums of the allowed items, diversity, and size.

    vectors: float32 [dim] by track id, zeros where one is not known. albums: int64 by track id.
    """

    vectors: dict[str, Floats]
    albums: dict[str, int]
    diversity: float
    size: int

    def rows(self, ids: Sequence[str]) -> Floats:
        """The vectors of some tracks: float32 [ids, dim]; zeros where one is not known."""
        dim = len(next(iter(self.vectors.values()))) if self.vectors else 1
        found = np.zeros((len(ids), dim), np.float32)
        for place, name in enumerate(ids):
            if name in self.vectors:
                found[place] = self.vectors[name]
        return found


#: Picks at most `size` of the allowed items, which come the best first, and orders them.
Order = Callable[[Sequence[ScoredItem], Sequencing], list[ScoredItem]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfSpec:
    """A shelf that is wanted.

    items: the candidates, in any order. excluded: rows of tracks that must not appear, nor the
    same recordings in other files (seeds, what was heard). seed: the track that the shelf is for,
    to be shown with it. about: a line under the title. notes: what people should know.
    diversity: where the constraints do not set one.
    """

    title: str
    items: Sequence[ScoredItem]
    excluded: Sequence[Row] = ()
    seed: Row | None = None
    about: str = ""
    notes: tuple[str, ...] = ()
    order: Order
    diversity: float = DIVERSITY


@dataclass(frozen=True, slots=True, eq=False)
class _Allowed:
    """Items that may stand on a shelf, the best first, and an item table that has them.

    within_caps: those of the ranked that may stand together.
    """

    ranked: Sequence[ScoredItem]
    within_caps: Sequence[ScoredItem]
    items: ItemTable

    def rows(self, of: Sequence[ScoredItem]) -> Ints:
        """The rows of some of them in the item table."""
        return self.items.rows_of([item.track_id for item in of])


def assemble(
    spec: ShelfSpec, tracks: pa.Table, items: ItemTable, constraints: Constraints, size: int
) -> Shelf:
    """The one way to a shelf; raises QueryError for a size below 1.

    tracks: all of the catalog. items: those of them that have a vector.
    """
    if size < 1:
        raise QueryError(f"the size of a shelf is {size}: it must be 1 or more")
    found, given = _allowed(spec, tracks, items, constraints, size)
    chosen, counts = _with_floors(spec, found, given, items, constraints)
    shown = tuple(_item(place + 1, item) for place, item in enumerate(chosen))
    seed = ShelfTrack(spec.seed) if spec.seed is not None else None
    notes = (*spec.notes, *_unjudged(chosen))
    return Shelf(spec.title, shown, constraints, seed, spec.about, notes, floors=tuple(counts))


def by_score(allowed: Sequence[ScoredItem], given: Sequencing) -> list[ScoredItem]:
    """Diversified, the best first, those of one album in a run."""
    pool = list(allowed[: POOL_FACTOR * given.size])
    chosen = [pool[i] for i in sorted(diverse(pool, given))]
    runs: dict[int, list[ScoredItem]] = {}
    for item in chosen:
        runs.setdefault(given.albums[item.track_id], []).append(item)
    return [item for run in runs.values() for item in run]


def as_ranked(allowed: Sequence[ScoredItem], given: Sequencing) -> list[ScoredItem]:
    """The best, in the order of their scores and nothing else, unless diversity is asked for."""
    if given.diversity:
        return by_score(allowed, given)
    return list(allowed[: given.size])


def diverse(pool: Sequence[ScoredItem], given: Sequencing) -> list[int]:
    """Positions of at most `size` of the pool that are not all alike, the best one first."""
    vectors = given.rows([item.track_id for item in pool])
    return diversify(vectors, given.size, given.diversity)


def _with_floors(
    spec: ShelfSpec, found: _Allowed, given: Sequencing, items: ItemTable, constraints: Constraints
) -> tuple[list[ScoredItem], list[FloorCount]]:
    """What is on the shelf, in order, and what exposure floors did to it.

    What a group may bring in is what the caps allow beside all that is there without floors.
    """
    chosen = spec.order([item for item in found.within_caps if not item.extra], given)[: given.size]
    floors = constraints.floors
    if floors is None or not chosen:
        return chosen, []
    masks = floors.masks(items, constraints.exposure_below)
    ids = {item.track_id for item in chosen}
    first = [item for item in found.ranked if item.track_id in ids]
    members: NDArray[np.bool_] = np.any(_members(masks, items, found.ranked), axis=0)
    others = [
        item for n, item in enumerate(found.ranked) if members[n] and item.track_id not in ids
    ]
    taken = _selected(found.items, found.rows([*first, *others]), constraints)
    pool = sorted(([*first, *others][n] for n in taken.tolist()), key=lambda item: -item.score)
    score, own = np.array([item.score for item in pool]), _members(masks, items, pool)
    before = np.array([item.track_id in ids for item in pool])
    kept = with_exposure_floors(
        score[None], before[None], [mask[None] for mask in own], list(floors.shares.values())
    )[0]
    if not np.array_equal(kept, before):
        chosen = spec.order([pool[n] for n in np.flatnonzero(kept)], given)[: given.size]
    ids = {item.track_id for item in chosen}
    places = [np.flatnonzero(before), np.flatnonzero([item.track_id in ids for item in pool])]
    return chosen, counts_of(floors, list(own), *((at, score[at]) for at in places))


def _members(
    masks: Sequence[NDArray[np.bool_]], items: ItemTable, of: Sequence[ScoredItem]
) -> NDArray[np.bool_]:
    """Which of some tracks are in each group: bool [groups, tracks]."""
    rows = items.rows_of([item.track_id for item in of])
    return np.stack([(rows >= 0) & mask[rows] for mask in masks])


def _allowed(
    spec: ShelfSpec, tracks: pa.Table, items: ItemTable, constraints: Constraints, size: int
) -> tuple[_Allowed, Sequencing]:
    """The items within every constraint, the best first, one of a work; and what orders them."""
    diversity = spec.diversity if constraints.diversity is None else constraints.diversity
    excluded = {row["track_id"] for row in spec.excluded} | constraints.blocked_tracks
    ranked = [
        item
        for item in sorted(spec.items, key=lambda c: (c.extra, -c.score, c.track_id))
        if item.track_id not in excluded
        and (constraints.min_score is None or item.score >= constraints.min_score)
    ]
    if not ranked:
        return _Allowed([], [], items), Sequencing({}, {}, diversity, size)
    small = _table_of([*excluded, *(item.track_id for item in ranked)], tracks, items)
    gone = small.rows_of(sorted(excluded))
    blocked = np.isin(small.works, small.works[gone[gone >= 0]])
    blocked[small.credits.rows_by(sorted(constraints.blocked_artists))] = True
    rows = small.rows_of([item.track_id for item in ranked])
    fit = ~blocked[rows]
    fit &= np.isin(rows, small.without_nameless_copies(rows[fit]))
    left = np.flatnonzero(fit)
    taken = left[_selected(small, rows[left], constraints)]
    ids = small.ids.tolist()
    vectors = dict(zip(ids, small.values, strict=True))
    albums = dict(zip(ids, small.albums.tolist(), strict=True))
    found = _Allowed([ranked[n] for n in left.tolist()], [ranked[n] for n in taken.tolist()], small)
    return found, Sequencing(vectors, albums, diversity, size)


def _selected(items: ItemTable, rows: Ints, constraints: Constraints) -> Ints:
    """Which of some rows, the best first, stay within the caps."""
    count = len(rows)
    lists = Ranked(
        np.zeros(1, np.int64),
        np.full(1, -1, np.int32),
        np.array([count]),
        np.ones(1, bool),
        np.array([0, count]),
        rows,
        np.zeros(count, np.float32),
    )
    caps = constraints.max_per_artist, constraints.max_per_album
    return select(lists, Entries.of(items, rows), 1, max(1, count), *caps).entries


def _table_of(ids: Sequence[str], tracks: pa.Table, items: ItemTable) -> ItemTable:
    """A small item table of some tracks, each once, with zeros where one has no vector."""
    wanted = list(dict.fromkeys(ids))
    places = items.rows_of(wanted)
    rows = np.sort(places[places >= 0])
    if len(rows) == len(wanted):
        return items.take(rows)
    others = pa.array([t for t, at in zip(wanted, places.tolist(), strict=True) if at < 0])
    known = pc.is_in(tracks["track_id"], value_set=others.cast(pa.string()))
    rest = tracks.take(pa.array(np.flatnonzero(known.to_numpy())))
    some = pa.concat_tables([items.tracks_at(rows), rest])
    names = np.asarray(some["track_id"].to_pylist(), object)
    values = np.zeros((len(names), items.values.shape[1]), np.float32)
    values[: len(rows)] = items.values[rows]
    return ItemTable(some, Vectors(names, values))


def _unjudged(chosen: Sequence[ScoredItem]) -> list[str]:
    """A sentence for each thing that transitions had to do without."""
    judged = [item.after for item in chosen if item.after is not None]
    missing = Counter(name for after in judged for name in after.missing)
    return [
        f"{count} of {len(judged)} transitions are judged without {name}, which is not known"
        for name, count in sorted(missing.items())
    ]


def _item(position: int, item: ScoredItem) -> ShelfItem:
    """An item in its place."""
    fallback = item.fallback or f"Number {position} by its score, {item.score:.3g}."
    said = item.sentence or sentence_of(item.reasons, fallback)
    return ShelfItem(item.row, position, item.score, said, item.reasons, item.after)
