"""Candidates for some listeners, from several sources, in one table."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.candidates.reasons import Found, reasons
from musicu.candidates.request import (
    Ranked,
    Request,
    Source,
    allotted,
    mixed,
    ranges,
    user_numbers,
)
from musicu.candidates.schema import CANDIDATES
from musicu.candidates.selection import Entries, pick
from musicu.errors import QueryError
from musicu.items.constraints import Limits, allowed_rows, emerging_rows
from musicu.items.joins import MANY, places_of
from musicu.items.table import Floats, Ints, Stock
from musicu.listening.listens import utc
from musicu.listening.profile_arrays import Listener
from musicu.listening.profiles import TasteProfile
from musicu.retrieval.ordering import best_first

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog

#: Sources, each alone or with its share of the candidates.
Sources: TypeAlias = Sequence["Source | tuple[Source, float]"]

_LISTENERS_AT_ONCE = 1024
_DEEPER = 4
_MOST_WORKERS = 4


@dataclass(frozen=True, eq=False)
class Finder:
    """Finds candidates for listeners, always by the same sources and rules.

    sources: with their shares of the candidates, all above 0. k: how many candidates a listener
    gets at most. now: the present, with a time zone. seed: of all that is random.
    """

    stock: Stock
    sources: tuple[tuple[Source, float], ...]
    k: int
    limits: Limits
    now: datetime
    seed: int = 0

    @classmethod
    def of(
        cls,
        stock: Stock,
        sources: Sources,
        k: int,
        limits: Limits | None = None,
        now: datetime | None = None,
        seed: int = 0,
    ) -> Finder:
        """A finder with defaults filled in; raises QueryError for what makes no sense."""
        if k < 1:
            raise QueryError(f"k is {k}: ask for at least 1 candidate")
        shares = tuple(s if isinstance(s, tuple) else (s, 1.0) for s in sources)
        if not shares:
            raise QueryError("there is no source: name one, such as NewReleases()")
        for source, share in shares:
            if not 0 < share < float("inf"):
                raise QueryError(f"the share of {source.name} is {share}: it must be above 0")
        now = utc(now) if now is not None else datetime.now(timezone.utc)
        return cls(stock, shares, k, limits or Limits(), now, seed)

    def find(self, listeners: Iterable[Listener]) -> Iterator[pa.Table]:
        """Tables of CANDIDATES for the listeners, in their order, some thousands at a time.

        A few such thousands are worked on at once, as most of it is NumPy that other threads can
        run beside.
        """
        rows = allowed_rows(self.stock, self.limits)
        emerging = np.empty(0, np.int64)
        if self.limits.explore:
            emerging = np.intersect1d(rows, emerging_rows(self.stock, self.limits.exposure_below))
        with ThreadPoolExecutor(_workers()) as pool:
            waiting: deque[Future[pa.Table]] = deque()
            for batch in _batches(listeners):
                waiting.append(pool.submit(self._table, batch, rows, emerging))
                if len(waiting) > _workers():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _table(self, listeners: tuple[Listener, ...], rows: Ints, emerging: Ints) -> pa.Table:
        """The candidates of a batch; whose lists were too short is asked again, deeper."""
        parts = []
        whole = Request.to(self.stock, listeners, rows, self.k, self.now)
        pending, deeper = np.arange(len(listeners)), 1
        while len(pending):
            request = replace(whole.by(pending), deeper=deeper, seed=self.seed)
            found, short = self._found(request, emerging)
            settled = found.take(np.flatnonzero(~short[found.listener]))
            parts.append(replace(settled, listener=pending[settled.listener]))
            pending, deeper = pending[short], deeper * _DEEPER
        return self._told(whole, Found.joined(parts))

    def _found(self, request: Request, emerging: Ints) -> tuple[Found, NDArray[np.bool_]]:
        """What is found for some listeners, and who needs longer lists."""
        lists, source, explores = _joined(self._asked(request, emerging))
        limits = self.limits
        entries = Entries(
            self.stock.recordings[lists.row],
            _never(request, lists, limits.heard),
            self.stock.albums[lists.row],
            self.stock.credits.padded(lists.row),
        )
        count = len(request.listeners)
        picked = pick(lists, entries, count, self.k, limits.max_per_artist, limits.max_per_album)
        taken = picked.entries
        own = np.searchsorted(lists.start, taken, side="right") - 1
        found = Found(
            lists.listener[own],
            source[own],
            lists.interest[own].astype(np.int64),
            explores[own],
            lists.row[taken],
            lists.scores_of(taken),
        )
        return found, picked.short

    def _asked(self, request: Request, emerging: Ints) -> list[tuple[Ranked, int, bool]]:
        """The lists of each source, with its number and whether they were made to explore."""
        explore = self.limits.explore
        parts = [
            (number, explores, share * part)
            for number, (_, share) in enumerate(self.sources)
            for explores, part in ((False, 1 - explore), (True, explore))
        ]
        shares = np.array([share for _, _, share in parts])
        wants = allotted(shares, np.zeros(len(parts), np.int64), self.k)
        found = []
        for (number, explores, share), want in zip(parts, wants.tolist(), strict=True):
            if share > 0:
                rows = emerging if explores else request.rows
                lists = self.sources[number][0].candidates(replace(request, rows=rows, want=want))
                found.append((_shuffled(lists, request) if explores else lists, number, explores))
        return found

    def _told(self, request: Request, found: Found) -> pa.Table:
        """The candidates as a table, with reasons, in the order that CANDIDATES has."""
        group = found.listener * len(self.sources) + found.source
        found = found.take(best_first(group, found.score, self.stock.order_by_id[found.row]))
        sources = [source for source, _ in self.sources]
        users = pa.array([listener.user_id for listener in request.listeners], pa.string())
        names = pa.array([source.name for source in sources], pa.string())
        interest = found.interest.astype(np.int32)
        columns = [
            users.take(pa.array(found.listener)),
            self.stock.id_texts.take(pa.array(found.row)),
            pa.array(found.score),
            names.take(pa.array(found.source)),
            pa.array(interest, mask=interest < 0),
            reasons(request, sources, found, self.limits.exposure_below),
        ]
        return pa.Table.from_arrays(columns, schema=CANDIDATES)


def find_candidates(
    catalog: Catalog | Stock,
    tastes: Mapping[str, TasteProfile],
    sources: Sources,
    *,
    k: int = 100,
    limits: Limits | None = None,
    now: datetime | None = None,
    seed: int = 0,
    model: str | None = None,
) -> pa.Table:
    """Candidates for each listener: the columns of CANDIDATES, at most k rows a listener.

    catalog: a catalog, or a stock of its tracks (which knows the listens of each). tastes: by
    user id. sources: each alone or with a share, as [NewReleases(), (DeepCatalog(), 0.5)]. What
    one interest or source cannot give, the others do.

    The same question gives the same table, and each listener's rows depend on no other listener.
    Raises QueryError for settings that make no sense.
    """
    stock = catalog if isinstance(catalog, Stock) else Stock.of(catalog, model)
    finder = Finder.of(stock, sources, k, limits, now, seed)
    listeners = (Listener(user_id, taste) for user_id, taste in tastes.items())
    return pa.concat_tables([CANDIDATES.empty_table(), *finder.find(listeners)])


def _workers() -> int:
    return min(_MOST_WORKERS, os.cpu_count() or 1)


def _batches(listeners: Iterable[Listener]) -> Iterator[tuple[Listener, ...]]:
    waiting: list[Listener] = []
    for listener in listeners:
        waiting.append(listener)
        if len(waiting) == _LISTENERS_AT_ONCE:
            yield tuple(waiting)
            waiting = []
    if waiting:
        yield tuple(waiting)


def _joined(
    parts: Sequence[tuple[Ranked, int, bool]],
) -> tuple[Ranked, Ints, NDArray[np.bool_]]:
    """All lists, a listener's together in the order of the parts; their sources; if to explore."""
    counts = [len(lists.listener) for lists, _, _ in parts]
    listener = np.concatenate([lists.listener for lists, _, _ in parts])
    if len(parts) == 1:
        only, number, explored = parts[0]
        return only, np.full(len(listener), number), np.full(len(listener), explored)
    order = np.argsort(listener, kind="stable")
    lengths = np.concatenate([lists.lengths for lists, _, _ in parts])
    begin = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else lengths
    entries = ranges(begin[order], lengths[order])
    joined = Ranked(
        listener[order],
        np.concatenate([lists.interest for lists, _, _ in parts])[order],
        np.concatenate([lists.quota for lists, _, _ in parts])[order],
        np.concatenate([lists.whole for lists, _, _ in parts])[order],
        np.concatenate([[0], np.cumsum(lengths[order])]),
        np.concatenate([lists.row for lists, _, _ in parts])[entries],
        np.concatenate([lists.score for lists, _, _ in parts])[entries],
        lambda places: _scores([lists for lists, _, _ in parts], entries[places]),
    )
    source = np.repeat([number for _, number, _ in parts], counts)[order]
    return joined, source, np.repeat([explores for _, _, explores in parts], counts)[order]


def _scores(parts: Sequence[Ranked], entries: Ints) -> Floats:
    """The true scores of entries of several lists, one after the other."""
    ends = np.cumsum([len(lists.row) for lists in parts])
    part = np.searchsorted(ends, entries, side="right")
    scores = np.empty(len(entries), np.float32)
    for number, lists in enumerate(parts):
        own = np.flatnonzero(part == number)
        scores[own] = lists.scores_of(entries[own] - (ends[number] - len(lists.row)))
    return scores


def _never(request: Request, lists: Ranked, heard: bool) -> NDArray[np.bool_]:
    """What the listener of each entry may not be shown: what was heard, or only what was skipped.

    bool [entries].
    """
    recordings, known = request.stock.recordings, request.heard
    listed = np.zeros(len(request.stock), bool)  # which recordings are in any list: often few
    recording = recordings[lists.row]
    listed[recording] = True
    theirs = recordings[known.row]
    barred = listed[theirs] & known.skipped if heard else listed[theirs]
    keys = known.listener[barred] * MANY + theirs[barred]
    own = np.repeat(lists.listener, lists.lengths)
    never: NDArray[np.bool_] = places_of(own * MANY + recording, keys) >= 0
    return never


def _shuffled(lists: Ranked, request: Request) -> Ranked:
    """The lists in an order drawn for each listener: of the near ones, any may be explored."""
    owner = np.repeat(np.arange(len(lists.listener)), lists.lengths)
    users = user_numbers(request.listeners, request.seed)[lists.listener[owner]]
    draws = mixed(users ^ mixed(lists.row.astype(np.uint64) + np.uint64(1)))
    order = np.lexsort((lists.row, draws, owner))
    return replace(
        lists,
        row=lists.row[order],
        score=lists.score[order],
        settle=lambda entries: lists.scores_of(order[entries]),
    )
