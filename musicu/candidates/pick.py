"""Taking candidates from ranked lists, so that every limit holds.

The rule, for each listener: go through the lists in order; from each take, best first, what is
allowed, until its quota is reached. Allowed is what the listener may be shown, is not taken yet
and leaves every cap unbroken. Whoever then has fewer than k goes through the lists again, without
quotas. `pick` does this for many listeners at once, a step for all of them at a time. Most entries
can break no cap, as too few of the listener's are of their kind; a listener of whom that is true
of all, and whose lists are long enough, needs no steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.candidates.keys import MANY, places_of
from musicu.candidates.request import Ranked
from musicu.candidates.stock import Ints

_NO_QUOTA = 1 << 40


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """What limits ask of the entries of ranked lists.

    recordings, albums: int64 [entries], numbers. never: bool [entries], what its listener may not
    be shown. artists: int64 [entries, most], filled up with -1.
    """

    recordings: Ints
    never: NDArray[np.bool_]
    albums: Ints
    artists: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """entries: int64, rising, those taken. short: bool [listeners], whose lists ended too early."""

    entries: Ints
    short: NDArray[np.bool_]


def pick(
    lists: Ranked, entries: Entries, listeners: int, k: int, per_artist: int, per_album: int
) -> Picked:
    """At most k entries for each of so many listeners, by the rule above.

    A listener is short where a list that is not whole came to its end while more of it was
    wanted: longer lists may give another answer.
    """
    owner = np.repeat(lists.listener, lists.lengths)
    caps = (
        _Cap(owner, entries.recordings[:, None], 1),
        _Cap(owner, entries.albums[:, None], per_album),
        _Cap(owner, entries.artists, per_artist),
    )
    easy, taken = _without_steps(lists, entries, owner, caps, listeners, k)
    edges = np.searchsorted(lists.listener, np.arange(listeners + 1))
    walk = _Walk(lists, entries, caps, np.flatnonzero(~easy), edges, k)
    walk.through(lists.quota)
    walk.through(np.full(len(lists.quota), _NO_QUOTA))
    short = np.zeros(listeners, bool)
    short[~easy] = walk.short
    return Picked(np.sort(np.concatenate([taken, *walk.steps])), short)


def _without_steps(
    lists: Ranked,
    entries: Entries,
    owner: Ints,
    caps: tuple[_Cap, ...],
    listeners: int,
    k: int,
) -> tuple[NDArray[np.bool_], Ints]:
    """Who has k entries by quotas alone, as no cap can be broken: bool [listeners]; and those."""
    free = np.append(0, np.cumsum(~entries.never))
    before = free[:-1] - np.repeat(free[lists.start[:-1]], lists.lengths)
    taken = ~entries.never & (before < np.repeat(lists.quota, lists.lengths))
    count = np.bincount(owner[taken], minlength=listeners)
    easy = count == k
    for cap in caps:
        easy[owner[cap.crowded]] = False
    return easy, np.flatnonzero(taken & easy[owner])


class _Walk:
    """Some listeners on their way through their lists."""

    def __init__(
        self,
        lists: Ranked,
        entries: Entries,
        caps: tuple[_Cap, ...],
        who: Ints,
        edges: Ints,
        k: int,
    ) -> None:
        self.lists, self.caps, self.k = lists, caps, k
        self.barred = entries.never.copy()  # and what is taken
        self.first, self.stop = edges[who], edges[who + 1]
        self.count = np.zeros(len(who), np.int64)
        self.short = np.zeros(len(who), bool)
        self.steps: list[Ints] = []

    def through(self, quotas: Ints) -> None:
        """Go through every list once."""
        left = quotas.copy()
        at = self.first.copy()
        cursor = self.lists.start[at]
        active = np.flatnonzero((at < self.stop) & (self.count < self.k))
        while len(active):
            here = at[active]
            ended = cursor[active] >= self.lists.start[here + 1]
            self.short[active[ended & (left[here] > 0) & ~self.lists.whole[here]]] = True
            over = ended | (left[here] <= 0)
            moved = active[over]
            at[moved] += 1
            cursor[moved] = self.lists.start[at[moved]]
            looking = active[~over]
            takers = looking[self._allowed(cursor[looking])]
            self._take(takers, cursor[takers])
            left[at[takers]] -= 1
            cursor[looking] += 1
            active = active[(at[active] < self.stop[active]) & (self.count[active] < self.k)]

    def _allowed(self, entry: Ints) -> NDArray[np.bool_]:
        free: NDArray[np.bool_] = ~self.barred[entry]
        for cap in self.caps:
            free &= cap.free(entry)
        return free

    def _take(self, who: Ints, entry: Ints) -> None:
        for cap in self.caps:
            cap.count(entry)
        self.barred[entry] = True
        self.count[who] += 1
        self.steps.append(entry)


class _Cap:
    """How often each listener has taken something of each kind that could become too much."""

    def __init__(self, owner: Ints, kinds: Ints, most: int) -> None:
        """owner: of each entry. kinds: int64 [entries, some], -1 for none."""
        keys = np.where(kinds >= 0, owner[:, None] * MANY + kinds, -1)
        rising = np.sort(keys[keys >= 0])
        crowds = np.unique(rising[most:][rising[most:] == rising[:-most]])
        self._cell = places_of(keys, crowds) + 1  # 0: never too much
        self._counts = np.zeros(len(crowds) + 1, np.int64)
        self._most = most
        self.crowded = self._cell.any(axis=1)

    def free(self, entry: Ints) -> NDArray[np.bool_]:
        """Whether an entry more may be taken, for each of some listeners' entries."""
        free: NDArray[np.bool_] = np.all(self._counts[self._cell[entry]] < self._most, axis=1)
        return free

    def count(self, entry: Ints) -> None:
        """Note that each of the entries, of different listeners, is taken."""
        self._counts[self._cell[entry]] += 1
        self._counts[0] = 0
