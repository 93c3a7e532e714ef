"""Taking candidates from ranked lists, so that every limit holds.

The rule, for each listener: go through the lists in order; from each take, best first, what is
allowed, until its quota is reached. Allowed is what the listener may be shown, is not taken yet
and leaves every cap unbroken. Whoever then has fewer than k goes through the lists again, without
quotas. `pick` does this for many listeners at once, a step for all of them at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.candidates.request import Ranked
from musicu.candidates.stock import Ints

_CELLS = 1 << 25  # counts held at once
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
    edges = np.searchsorted(lists.listener, np.arange(listeners + 1))
    widest = max(
        len(np.unique(part)) for part in (entries.recordings, entries.albums, entries.artists)
    )
    step = max(1, _CELLS // max(1, widest))
    taken, short = [], []
    for start in range(0, listeners, step):
        group = edges[start : min(listeners, start + step) + 1]
        walk = _Walk(lists, entries, group, k, per_artist, per_album)
        walk.through(lists.quota)
        walk.through(np.full(len(lists.quota), _NO_QUOTA))
        taken.append(walk.taken())
        short.append(walk.short)
    none = np.empty(0, np.int64)
    return Picked(np.concatenate([none, *taken]), np.concatenate([none.astype(bool), *short]))


class _Walk:
    """Some listeners on their way through their lists."""

    def __init__(
        self, lists: Ranked, entries: Entries, edges: Ints, k: int, per_artist: int, per_album: int
    ) -> None:
        self.lists, self.entries, self.k = lists, entries, k
        self.first, self.stop = edges[:-1], edges[1:]
        count = len(self.first)
        self.count = np.zeros(count, np.int64)
        self.short = np.zeros(count, bool)
        start, end = int(lists.start[edges[0]]), int(lists.start[edges[-1]])
        self.offset = start
        self.caps = (
            _Cap(entries.recordings[start:end, None], count, 1),
            _Cap(entries.albums[start:end, None], count, per_album),
            _Cap(entries.artists[start:end], count, per_artist),
        )
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
            takers = looking[self._allowed(looking, cursor[looking])]
            self._take(takers, cursor[takers])
            left[at[takers]] -= 1
            cursor[looking] += 1
            active = active[(at[active] < self.stop[active]) & (self.count[active] < self.k)]

    def taken(self) -> Ints:
        """The entries taken so far, rising."""
        return np.sort(np.concatenate([np.empty(0, np.int64), *self.steps]))

    def _allowed(self, who: Ints, entry: Ints) -> NDArray[np.bool_]:
        free = ~self.entries.never[entry]
        for cap in self.caps:
            free &= cap.free(who, entry - self.offset)
        return free

    def _take(self, who: Ints, entry: Ints) -> None:
        for cap in self.caps:
            cap.count(who, entry - self.offset)
        self.count[who] += 1
        self.steps.append(entry)


class _Cap:
    """How often each listener has taken something of each kind."""

    def __init__(self, kinds: Ints, listeners: int, most: int) -> None:
        """kinds: int64 [entries, some], -1 for none."""
        known = np.zeros(int(kinds.max(initial=-1)) + 2, bool)
        known[kinds] = True  # -1 is the last
        self.kinds = np.cumsum(known)[kinds] - 1
        self.none = int(known.sum()) - 1 if known[-1] else -1
        self.counts = np.zeros((listeners, int(known.sum())), np.uint16)
        self.most = min(most, np.iinfo(np.uint16).max)

    def free(self, who: Ints, entry: Ints) -> NDArray[np.bool_]:
        """Whether each listener may take an entry more."""
        full = self.counts[who[:, None], self.kinds[entry]] >= self.most
        free: NDArray[np.bool_] = ~full.any(axis=1)
        return free

    def count(self, who: Ints, entry: Ints) -> None:
        """Note that each listener takes an entry."""
        self.counts[who[:, None], self.kinds[entry]] += 1
        if self.none >= 0:
            self.counts[who, self.none] = 0
