"""Candidates for listeners: sources find them, rankers score them, constraints select them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import chain, islice
from numbers import Real
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.candidates.candidate_floors import with_floors
from musicu.candidates.candidate_pool import drawn_order, pool_of
from musicu.candidates.candidate_reasons import Found, sentences
from musicu.candidates.candidate_schema import candidates_of
from musicu.candidates.request import (
    CandidateSource,
    Ranked,
    Request,
    allotted,
)
from musicu.candidates.selection import Entries, select
from musicu.errors import QueryError
from musicu.items.constraints import Constraints, allowed_rows
from musicu.items.creator_groups import emerging_rows
from musicu.items.exposure_floors import FloorCount, summed
from musicu.items.item_table import Ints, ItemTable
from musicu.listening.listens import utc
from musicu.listening.profile_arrays import ProfileArrays, UserProfile
from musicu.ranking.ranker import Pool, Ranker, scores_of
from musicu.ranking.ranker_storage import ranker_of
from musicu.records import check_count, check_kind, check_same_model
from musicu.retrieval.ordering import best_first

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog

#: Sources, each alone or with its share of the candidates.
Sources: TypeAlias = Sequence["CandidateSource | tuple[CandidateSource, float]"]

_NAMES = ("name", "reason_prefix", "anchor_kind", "ranker")
_LISTENERS_AT_ONCE = 1024
_FETCH_GROWTH = 4
_MOST_WORKERS = 4
_COUNTING = Lock()


@dataclass(frozen=True, slots=True)
class Explained:
    """A candidate: its score, its source, a sentence, and what the score is the sum of."""

    track_id: str
    score: float
    source: str
    reason: str
    parts: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class CandidateGenerator:
    """Finds candidates for listeners, always by the same sources, rankers and constraints.

    sources: with their shares of the candidates, all above 0. rankers: of each source. k: how many
    candidates a listener gets at most. now: the present, with a time zone. seed: random seed.
    floor_counts: what exposure floors did, by group, to all that was found so far.
    """

    items: ItemTable
    sources: tuple[tuple[CandidateSource, float], ...]
    rankers: tuple[Ranker, ...]
    k: int
    constraints: Constraints
    now: datetime
    seed: int = 0
    floor_counts: list[FloorCount] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        items: ItemTable,
        sources: Sources,
        k: int,
        constraints: Constraints | None = None,
        now: datetime | None = None,
        seed: int = 0,
        ranker: Ranker | str | None = None,
        catalog: Catalog | None = None,
    ) -> CandidateGenerator:
        """A generator with defaults filled in; raises QueryError for what makes no sense.

        ranker: one for all sources, or its name; None: the one that each source names. catalog:
        whose ranker the name "learned" means.
        """
        check_count("k", k)
        shares = _shares_of(sources)
        named = [source.ranker if ranker is None else ranker for source, _ in shares]
        now = utc(now) if now is not None else datetime.now(timezone.utc)
        rankers = tuple(_ranker(given, catalog) for given in named)
        rules = Constraints() if constraints is None else constraints
        check_kind("constraints", rules, Constraints, "Constraints(max_per_artist=2), for instance")
        return cls(items, shares, rankers, k, rules, now, seed)

    @property
    def schema(self) -> pa.Schema:
        """CANDIDATES, with the name and fingerprint of the model in its metadata."""
        return candidates_of(self.items.model, self.items.fingerprint)

    def find(
        self, listeners: Iterable[UserProfile], among: Ints | None = None
    ) -> Iterator[pa.Table]:
        """Tables of CANDIDATES for the listeners, in their order, some hundreds at a time.

        A few such hundreds are worked on at once, as most of it is NumPy that other threads can
        run beside. among: int64, rising, the only rows that may be found; None: all.
        """
        rows, emerging = self._rows(among)
        self.group_masks()  # a group that is not there is told before the work
        batches = _batches(listeners)
        first = list(islice(batches, 2))
        if len(first) < 2:  # nothing to work on beside it
            yield from (self._table(batch, rows, emerging) for batch in first)
            return
        with ThreadPoolExecutor(_workers()) as pool:
            waiting: deque[Future[pa.Table]] = deque()
            for batch in chain(first, batches):
                waiting.append(pool.submit(self._table, batch, rows, emerging))
                if len(waiting) > _workers():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def find_each(self, listener: UserProfile, counts: Sequence[int]) -> list[pa.Table]:
        """What each source alone finds for one listener: a table of CANDIDATES a source.

        counts: how many each gives at most, in place of k. The tables are those of a generator
        of that source alone; what is known of the listener is looked up only once. Raises
        QueryError where there is not one count for each source.
        """
        if len(counts) != len(self.sources):
            raise QueryError(f"{len(counts)} counts for {len(self.sources)} sources: give one each")
        profiles = self._profiles((listener,))
        rows = self._rows(None)
        parts = []
        each = zip(self.sources, self.rankers, counts, strict=True)
        for number, (source, ranker, k) in enumerate(each):
            alone = replace(self, sources=(source,), rankers=(ranker,), k=k)
            found = alone._generated(profiles, *rows)
            parts.append(replace(found, source=np.full(len(found.row), number)))
        table = self._described(profiles, Found.joined(parts))
        lengths = [len(part.row) for part in parts]
        return [table.slice(sum(lengths[:n]), length) for n, length in enumerate(lengths)]

    def explain(self, listener: UserProfile, among: Ints | None = None) -> list[Explained]:
        """One listener's candidates, those of `find` in its order, and what scores are made of."""
        profiles = self._profiles((listener,))
        found = self._generated(profiles, *self._rows(among))
        table = self._described(profiles, found)
        return [
            Explained(
                row["track_id"],
                row["score"],
                row["source"],
                row["reason"],
                {name: float(part[place]) for name, part in found.parts.items()},
            )
            for place, row in enumerate(table.to_pylist())
        ]

    def _rows(self, among: Ints | None) -> tuple[Ints, Ints]:
        """The rows that may be found, and those of them for exploring."""
        rows = allowed_rows(self.items, self.constraints)
        if among is not None:
            rows = np.intersect1d(rows, among, assume_unique=True)
        if not self.constraints.explore:
            return rows, rows[:0]
        few = emerging_rows(self.items, self.constraints.exposure_below)
        return rows, np.intersect1d(rows, few)

    def _table(self, listeners: tuple[UserProfile, ...], rows: Ints, emerging: Ints) -> pa.Table:
        """The candidates of a batch of listeners."""
        profiles = self._profiles(listeners)
        return self._described(profiles, self._generated(profiles, rows, emerging))

    def _profiles(self, listeners: tuple[UserProfile, ...]) -> ProfileArrays:
        """Listeners on the item table; ModelError where one's taste is of another model."""
        for listener in listeners:
            check_same_model(self.items, listener.taste, f"the profile of {listener.user_id!r}")
        return ProfileArrays.of(self.items, listeners)

    def _generated(self, profiles: ProfileArrays, rows: Ints, emerging: Ints) -> Found:
        """What is found for a batch, in the order that CANDIDATES has.

        Whose lists were too short is asked again, for longer ones.
        """
        parts = []
        everyone = Request(profiles, rows, self.k, self.now, seed=self.seed)
        pending, fetch_factor = np.arange(len(profiles)), 1
        while len(pending):
            request = replace(everyone.by(pending), fetch_factor=fetch_factor)
            found, short = self._found(request, emerging)
            settled = found.take(np.flatnonzero(~short[found.listener]))
            parts.append(replace(settled, listener=pending[settled.listener]))
            pending, fetch_factor = pending[short], fetch_factor * _FETCH_GROWTH
        found = Found.joined(parts)
        group = found.listener * len(self.sources) + found.source
        order = best_first(group, found.score, self.items.order_by_id[found.row])
        return self._floored(profiles, rows, found.take(order))

    def group_masks(self) -> list[NDArray[np.bool_]]:
        """The rows of each group with a floor; QueryError for a group that is not there."""
        floors = self.constraints.floors
        below = self.constraints.exposure_below
        return [] if floors is None else floors.masks(self.items, below)

    def _floored(self, profiles: ProfileArrays, rows: Ints, found: Found) -> Found:
        """What was found, with exposure floors where there are any."""
        floors = self.constraints.floors
        if floors is None:
            return found
        masks, rules = self.group_masks(), replace(self.constraints, floors=None, explore=0.0)
        plain = replace(self, constraints=rules)
        own = [plain._generated(profiles, rows[mask[rows]], rows[:0]) for mask in masks]
        shown, counts = with_floors(floors, masks, self.items, rules, found, own, len(self.sources))
        with _COUNTING:
            self.floor_counts[:] = summed([*self.floor_counts, *counts])
        return shown

    def _found(self, request: Request, emerging: Ints) -> tuple[Found, NDArray[np.bool_]]:
        """What is found for some listeners, and who needs longer lists."""
        ranked, pools = zip(*self._ranked(request, emerging), strict=True)
        lists = Ranked.joined(ranked)
        pool = Found.joined(pools)
        if len(pools) > 1:  # a listener's lists side by side, as those of `lists` are
            part = np.repeat(np.arange(len(pools)), [len(each.row) for each in pools])
            pool = pool.take(np.lexsort((part, pool.listener)))
        entries = Entries.of(self.items, lists.row)
        caps = self.constraints.max_per_artist, self.constraints.max_per_album
        selected = select(lists, entries, len(request.profiles), self.k, *caps)
        return pool.take(selected.entries), selected.short

    def _ranked(self, request: Request, emerging: Ints) -> Iterator[tuple[Ranked, Found]]:
        """A ranked list a listener of each source, and of each that explores, with its entries."""
        explore = self.constraints.explore
        parts = [
            (number, explores, share * part)
            for number, (_, share) in enumerate(self.sources)
            for explores, part in ((False, 1 - explore), (True, explore))
        ]
        shares = np.array([share for _, _, share in parts])
        wants = allotted(shares, np.zeros(len(parts), np.int64), self.k)
        for (number, explores, share), want in zip(parts, wants.tolist(), strict=True):
            if share > 0:
                rows = emerging if explores else request.rows
                asked = replace(request, rows=rows, want=want)
                lists = _checked(self.sources[number][0], asked)
                pool = pool_of(asked, lists, self.constraints.heard, self.sources[number][0].name)
                yield self._in_order(asked, lists, pool, number, explores)

    def _in_order(
        self, request: Request, lists: Ranked, pool: Pool, source: int, explores: bool
    ) -> tuple[Ranked, Found]:
        """A pool in the order of its ranker, or in one drawn at random where it explores."""
        scores = scores_of(self.rankers[source], pool)
        by_artist = self.sources[source][0].anchor_kind == "artist"
        order = (
            drawn_order(request, pool)
            if explores
            else best_first(pool.listener, scores.score, self.items.order_by_id[pool.row])
        )
        listener, row = pool.listener[order], pool.row[order]
        found = Found(
            listener,
            np.full(len(row), source),
            (pool.interest if by_artist else scores.interest)[order].astype(np.int64),
            np.full(len(row), explores),
            row,
            scores.score[order],
            scores.likeness[order],
            {name: part[order] for name, part in scores.parts.items()},
        )
        everyone = np.arange(len(request.profiles))
        partial = np.bincount(lists.listener[~lists.exhausted], minlength=len(everyone)) > 0
        ranked = Ranked(
            everyone,
            np.full(len(everyone), -1, np.int32),
            np.full(len(everyone), request.want),
            ~partial,
            np.searchsorted(listener, np.arange(len(everyone) + 1)),
            row,
            found.score,
        )
        return ranked, found

    def _described(self, profiles: ProfileArrays, found: Found) -> pa.Table:
        """The candidates as a table, with reasons."""
        sources = [source for source, _ in self.sources]
        users = pa.array([user.user_id for user in profiles.users], pa.string())
        names = pa.array([source.name for source in sources], pa.string())
        interest = found.interest.astype(np.int32)
        few = self.constraints.exposure_below
        columns = [
            users.take(pa.array(found.listener)),
            self.items.id_texts.take(pa.array(found.row)),
            pa.array(found.score),
            names.take(pa.array(found.source)),
            pa.array(interest, mask=interest < 0),
            sentences(profiles, sources, self.rankers, found, few),
        ]
        return pa.Table.from_arrays(columns, schema=self.schema)


def _shares_of(sources: Sources) -> tuple[tuple[CandidateSource, float], ...]:
    """Sources with their shares; QueryError where one is no source, or its share no share."""
    if isinstance(sources, str) or not isinstance(sources, Iterable):
        kind = sources if isinstance(sources, type) else type(sources)
        shown = kind.__name__ if hasattr(kind, "candidates") else "ForYou"
        raise QueryError(f"sources are {sources!r}: give a list, such as [{shown}()]")
    shares = [s if isinstance(s, tuple) else (s, 1.0) for s in sources]
    if not shares:
        raise QueryError("there is no source: name one, such as NewReleases()")
    for source, share in shares:
        if isinstance(source, type):
            raise QueryError(f"the source {source.__name__} is a class: write {source.__name__}()")
        if not all(hasattr(source, name) for name in ("candidates", *_NAMES)):
            raise QueryError(
                f"the source is {source!r}: give an object such as NewReleases(), or one of your "
                f"own with the method candidates and the class variables {', '.join(_NAMES)}"
            )
        if not isinstance(share, Real) or not 0 < share <= 1:
            raise QueryError(f"the share of {source.name} is {share}: it is above 0 and up to 1")
    return tuple((source, float(share)) for source, share in shares)


def _ranker(given: Ranker | str, catalog: Catalog | None) -> Ranker:
    if isinstance(given, type):
        raise QueryError(f"the ranker {given.__name__} is a class: write {given.__name__}()")
    return ranker_of(given, catalog) if isinstance(given, str) else given


def _checked(source: CandidateSource, request: Request) -> Ranked:
    """A source's lists; raises QueryError where they are not what was asked for."""
    lists = source.candidates(request)
    if not isinstance(lists, Ranked):
        raise QueryError(f"the source {source.name!r} answers with {lists!r}, and not a Ranked")
    lists.check(request, source.name)
    return lists


def _workers() -> int:
    return min(_MOST_WORKERS, os.cpu_count() or 1)


def _batches(listeners: Iterable[UserProfile]) -> Iterator[tuple[UserProfile, ...]]:
    waiting: list[UserProfile] = []
    for listener in listeners:
        waiting.append(listener)
        if len(waiting) == _LISTENERS_AT_ONCE:
            yield tuple(waiting)
            waiting = []
    if waiting:
        yield tuple(waiting)
