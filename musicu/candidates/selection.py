"""Constrained selection: taking candidates from ranked lists so that every cap holds.

The rule, for each listener: go through the lists in order; from each take, best first, what is
allowed, until its quota is reached. Allowed is what is not taken yet and leaves every cap
unbroken. Whoever then has fewer than k goes through the lists again, without quotas. `select`
does this for all listeners at once. Most entries can break no cap, as too few of
the listener's are of their kind, so that counting says which of them are taken; only the others
are decided one after the other, a step for all listeners at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.candidates.request import Ranked
from musicu.items.item_table import Ints, ItemTable
from musicu.items.joins import MANY, items_over_cap
from musicu.retrieval.ordering import places_in

Mask = NDArray[np.bool_]

_ENDLESS = 1 << 40


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """What caps ask of the entries of ranked lists.

    works, albums: int64 [entries], numbers. artists: int64 [entries, most], filled up with -1.
    """

    works: Ints
    albums: Ints
    artists: Ints

    @classmethod
    def of(cls, items: ItemTable, rows: Ints) -> Entries:
        """The entries that some rows are."""
        return cls(items.works[rows], items.albums[rows], items.credits.padded(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """entries: int64, rising, those taken. short: bool [listeners], whose lists ended too early."""

    entries: Ints
    short: Mask


def select(
    lists: Ranked, entries: Entries, listeners: int, k: int, per_artist: int, per_album: int
) -> Selected:
    """At most k entries for each of so many listeners, by the rule above.

    A listener is short where a list that is not exhausted came to its end while more of it was
    wanted: longer lists may give another answer.
    """
    owner = np.repeat(lists.listener, lists.lengths)
    caps = _Caps(owner, entries, per_artist, per_album)
    edges = np.searchsorted(lists.listener, np.arange(listeners + 1))
    taken = _through(lists.start, lists.quota, np.ones(len(owner), bool), owner, caps)
    taken &= _before(taken, lists.start[edges], owner) < k
    unfilled = _counts(taken, lists.start) < lists.quota
    partial = ~lists.exhausted & unfilled & (_so_far(taken, lists, edges) < k)
    wanted = k - np.bincount(owner[taken], minlength=listeners)
    if wanted.any():
        more = _through(lists.start[edges], wanted, ~taken, owner, caps)
        partial |= ~lists.exhausted & (_so_far(more, lists, edges) < wanted[lists.listener])
        taken |= more
    short = np.bincount(lists.listener[partial], minlength=listeners) > 0
    return Selected(np.flatnonzero(taken), short)


def _through(start: Ints, quota: Ints, left: Mask, owner: Ints, caps: _Caps) -> Mask:
    """What is taken of the entries that are left, best first, up to the quota of each part.

    start: int64 [parts + 1], where the parts begin, and the end. owner: int64 [entries], whose each
    entry is, rising.
    """
    part = np.repeat(np.arange(len(quota)), np.diff(start))
    disputed = left & caps.crowded
    allowed = left & ~disputed
    room = quota[part] - _before(allowed, start, part)  # of the part, when the entry's turn comes
    entries = np.flatnonzero(disputed)
    if len(entries) and owner[entries[0]] == owner[entries[-1]]:
        allowed[caps.granted(entries, room[entries], part[entries])] = True
    else:
        won = np.zeros(len(quota), np.int64)
        for entry in _steps(entries, owner):
            taker = entry[(won[part[entry]] < room[entry]) & caps.free(entry)]
            caps.count(taker)
            won[part[taker]] += 1
            allowed[taker] = True
    taken: Mask = allowed & (_before(allowed, start, part) < quota[part])
    return taken


def _steps(entry: Ints, owner: Ints) -> list[Ints]:
    """Entries, rising, in groups with at most one of each owner: the first of each, the second."""
    place = places_in(owner[entry])
    order = np.argsort(place, kind="stable")
    return np.split(entry[order], np.cumsum(np.bincount(place))[:-1]) if len(entry) else []


def _before(chosen: Mask, start: Ints, part: Ints) -> Ints:
    """How many entries before each are chosen in its part: int64 [entries]."""
    total = np.append(0, np.cumsum(chosen))
    found: Ints = total[:-1] - total[start[:-1]][part]
    return found


def _counts(chosen: Mask, start: Ints) -> Ints:
    """How many entries of each part are chosen: int64 [parts]."""
    counts: Ints = np.diff(np.append(0, np.cumsum(chosen))[start])
    return counts


def _so_far(chosen: Mask, lists: Ranked, edges: Ints) -> Ints:
    """How many entries of its listener are chosen up to the end of each list: int64 [lists]."""
    total = np.append(0, np.cumsum(chosen))[lists.start]
    found: Ints = total[1:] - total[edges[lists.listener]]
    return found


class _Caps:
    """How many more each listener may take of each kind that could become too much."""

    def __init__(self, owner: Ints, entries: Entries, per_artist: int, per_album: int) -> None:
        """owner: of each entry."""
        kinds = entries.works[:, None], entries.albums[:, None], entries.artists
        cells, left = [], [np.array([_ENDLESS])]  # the first is of all that is no crowd
        for numbers, most in zip(kinds, (1, per_album, per_artist), strict=True):
            keys = np.where(numbers >= 0, owner[:, None] * MANY + numbers, -1)
            cell = items_over_cap(keys, most)
            left.append(np.full(int(cell.max(initial=0)), most))
            cells.append(np.where(cell > 0, cell + sum(map(len, left[:-1])) - 1, 0))
        self._cell = np.concatenate(cells, axis=1)
        self._left = np.concatenate(left)
        self.crowded = self._cell.any(axis=1)

    def free(self, entry: Ints) -> Mask:
        """Whether an entry more may be taken, for each of some listeners' entries."""
        free: Mask = (self._left[self._cell[entry]] > 0).all(axis=1)
        return free

    def count(self, entry: Ints) -> None:
        """Note that each of the entries, of different listeners, is taken."""
        self._left[self._cell[entry]] -= 1
        self._left[0] = _ENDLESS

    def granted(self, entries: Ints, room: Ints, part: Ints) -> list[int]:
        """Which of one listener's entries are taken, each noted before the next is looked at.

        The same as `free` and `count` for one after the other: for few numbers plain Python is
        ten times as fast as arrays. room: how many of its part may be taken before each entry.
        """
        left: dict[int, int] = {}
        won: dict[int, int] = {}
        found = []
        columns = entries.tolist(), room.tolist(), part.tolist(), self._cell[entries].tolist()
        for entry, most, own, row in zip(*columns, strict=True):
            cells = [cell for cell in row if cell]
            for cell in cells:
                left.setdefault(cell, int(self._left[cell]))
            if won.get(own, 0) < most and all(left[cell] > 0 for cell in cells):
                won[own] = won.get(own, 0) + 1
                found.append(entry)
                for cell in cells:
                    left[cell] -= 1
        self._left[list(left)] = list(left.values())
        return found
