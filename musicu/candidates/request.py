"""What a source is asked, and the ranked lists that it answers with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from musicu.items.table import Floats, Ints, Stock
from musicu.listening.profile_arrays import Heard, Interests, Listener
from musicu.retrieval.ordering import places_in


@dataclass(frozen=True, eq=False)
class Request:
    """A question to a source: for each of some listeners, its best of some rows.

    listeners: whom to find candidates for. interests: of all of them. heard: what they have heard.
    rows: int64, rising, the
    rows of the stock that may be found. want: how many candidates each listener is to have in the
    end. deeper: 1 at first; how much longer than usual the lists shall be. now: the present, with
    a time zone. seed: of all that is random.
    """

    stock: Stock
    listeners: tuple[Listener, ...]
    interests: Interests
    heard: Heard
    rows: Ints
    want: int
    now: datetime
    deeper: int = 1
    seed: int = 0

    @classmethod
    def to(
        cls, stock: Stock, listeners: Sequence[Listener], rows: Ints, want: int, now: datetime
    ) -> Request:
        """A first request for some listeners."""
        interests, heard = Interests.of(stock, listeners), Heard.of(stock, listeners)
        return cls(stock, tuple(listeners), interests, heard, rows, want, now)

    def by(self, listeners: Ints) -> Request:
        """The same request for some of the listeners, given by their positions, rising."""
        if len(listeners) == len(self.listeners):
            return self
        return replace(
            self,
            listeners=tuple(self.listeners[n] for n in listeners),
            interests=self.interests.by(listeners),
            heard=self.heard.by(listeners),
        )

    @cached_property
    def quotas(self) -> Ints:
        """How many of the wanted candidates each interest is to give: int64 [interests].

        In proportion to the importances, by largest remainders; those of a listener sum to
        `want`.
        """
        return allotted(self.interests.share, self.interests.listener, self.want)


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Ranked lists of rows, those of a listener one after the other.

    listener: int64 [lists], rising: the position of its listener. interest: int32 [lists], which
    interest it serves, -1 for none. quota: int64 [lists], how many of it are wanted.
    whole: bool [lists], whether nothing comes after its end.
    start: int64 [lists + 1], where each list begins in row and score, and the end.
    row: int64 [entries], best first. score: float32 [entries], finite.
    settle: gives the true scores of entries by their positions, where `score` is only near them:
        most entries are never taken.
    """

    listener: Ints
    interest: NDArray[np.int32]
    quota: Ints
    whole: NDArray[np.bool_]
    start: Ints
    row: Ints
    score: Floats
    settle: Callable[[Ints], Floats] | None = None

    def scores_of(self, entries: Ints) -> Floats:
        """The true scores of some entries."""
        return self.score[entries] if self.settle is None else self.settle(entries)

    @property
    def lengths(self) -> Ints:
        """How many entries each list has: int64 [lists]."""
        return np.diff(self.start)

    def entries_of(self, lists: Ints) -> Ints:
        """The positions of the entries of some lists, one list after the other."""
        return ranges(self.start[lists], self.lengths[lists])


class Source(Protocol):
    """Where candidates come from: a small frozen dataclass with one method.

    name: as it stands in the table of candidates. lead: how its reasons begin. toward: what of
    the medoid an interest's list is near to, "track" or "artist".
    """

    @property
    def name(self) -> str:
        """As it stands in the table of candidates."""

    @property
    def lead(self) -> str:
        """How a reason begins: "New", "Rarely played"."""

    @property
    def toward(self) -> str:
        """What of the medoid an interest's list is near to: "track" or "artist"."""

    def candidates(self, request: Request) -> Ranked:
        """At most one list a listener and interest, of rows of the request only, best first.

        A listener's lists do not depend on who else is asked about. A deeper request gives lists
        that begin like those of a less deep one.
        """


def allotted(shares: NDArray[np.float64], owner: Ints, want: int) -> Ints:
    """Whole numbers in proportion to the shares of each owner, summing to `want` for each.

    By largest remainders (Hamilton's method); ties go to the earlier share. owner: rising.
    """
    if not len(shares):
        return np.empty(0, np.int64)
    totals = np.bincount(owner, shares)
    exact = np.round(want * shares / totals[owner], 9)  # equal shares shall have equal remainders
    floors = np.floor(exact).astype(np.int64)
    order = np.lexsort((np.arange(len(shares)), -(exact - floors), owner))
    rank = np.empty(len(shares), np.int64)
    rank[order] = places_in(owner)
    missing = want - np.bincount(owner, floors).astype(np.int64)
    return floors + (rank < missing[owner])


def ranges(first: Ints, counts: Ints) -> Ints:
    """first, first + 1 ... for each pair, `counts` long, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(int(counts.sum())) + np.repeat(first - ends + counts, counts)


def user_numbers(listeners: Sequence[Listener], seed: int) -> NDArray[np.uint64]:
    """A number for each listener that depends on id and seed alone: uint64 [listeners]."""
    import hashlib

    key = seed.to_bytes(8, "big", signed=True)
    digests = [
        hashlib.blake2b(x.user_id.encode(), digest_size=8, key=key).digest() for x in listeners
    ]
    return np.frombuffer(b"".join(digests), np.uint64)


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers scattered as if at random: SplitMix64's finaliser (Steele et al., OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    scattered: NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return scattered
