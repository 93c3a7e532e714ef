"""What a source is asked, and the ranked lists that it answers with."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.listening.profile_arrays import (
    HistoryArrays,
    InterestArrays,
    ProfileArrays,
    UserProfile,
)
from musicu.records import counted, id_list
from musicu.registry import Registry
from musicu.retrieval.ordering import places_in, ranges


@dataclass(frozen=True, eq=False)
class Request:
    """A question to a source: for each of some listeners, its best of some rows.

    profiles: whom to find candidates for. rows: int64, rising, the rows of the item table that may
    be found. want: how many candidates each listener is to have in the end. now: the present, with
    a time zone. fetch_factor: 1 at first; how much longer than usual the lists shall be. seed:
    random seed.
    """

    profiles: ProfileArrays
    rows: Ints
    want: int
    now: datetime
    fetch_factor: int = 1
    seed: int = 0

    @property
    def items(self) -> ItemTable:
        """The item table that the rows are of."""
        return self.profiles.items

    @property
    def interests(self) -> InterestArrays:
        """The interests of all listeners."""
        return self.profiles.interests

    @property
    def history(self) -> HistoryArrays:
        """What the listeners have heard."""
        return self.profiles.history

    def by(self, listeners: Ints) -> Request:
        """The same request for some of the listeners, given by their positions, rising."""
        return replace(self, profiles=self.profiles.by(listeners))

    @cached_property
    def quotas(self) -> Ints:
        """How many of the wanted candidates each interest may give: int64 [interests].

        In proportion to the importances, by largest remainders; those of a listener sum to
        `want`.
        """
        return allotted(self.interests.share, self.interests.listener, self.want)


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Ranked lists of rows, those of a listener one after the other.

    listener: int64 [lists], rising: the position of its listener. interest: int32 [lists], which
    interest it serves, -1 for none. quota: int64 [lists], how many of it are wanted.
    exhausted: bool [lists], whether nothing comes after its end.
    start: int64 [lists + 1], where each list begins in row and score, and the end.
    row: int64 [entries], best first. score: float32 [entries], finite.
    """

    listener: Ints
    interest: NDArray[np.int32]
    quota: Ints
    exhausted: NDArray[np.bool_]
    start: Ints
    row: Ints
    score: Floats

    @property
    def lengths(self) -> Ints:
        """How many entries each list has: int64 [lists]."""
        return np.diff(self.start)

    @classmethod
    def from_lists(cls, lists: Mapping[str, tuple[Any, Any]], request: Request) -> Ranked:
        """Lists by user id, each of track ids and their scores, in any order, as an answer.

            Ranked.from_lists({"ann": (["t1", "t2"], [0.9, 0.4])}, request)

        Tracks that may not be found (by `where`, blocks, markets) are left out; so are tracks that
        have no vector, which a warning counts. Raises QueryError where ids and scores are not as
        many, or a score is not finite.
        """
        allowed = np.zeros(len(request.items), bool)
        allowed[request.rows] = True
        rows, scores, unknown = [], [], 0
        for user in request.profiles.users:
            ids, given = lists.get(user.user_id, ((), ()))
            row, score = request.items.rows_of(id_list(ids)), np.asarray(given, np.float32)
            if score.shape != row.shape or not np.isfinite(score).all():
                raise QueryError(
                    f"the list of {user.user_id!r} has {len(row)} tracks and scores of the shape "
                    f"{score.shape}: give a finite score for each track"
                )
            unknown += int(np.count_nonzero(row < 0))
            kept = np.flatnonzero((row >= 0) & allowed[row])
            kept = kept[np.lexsort((request.items.order_by_id[row[kept]], -score[kept]))]
            kept = kept[np.sort(np.unique(row[kept], return_index=True)[1])]
            rows.append(row[kept])
            scores.append(score[kept])
        if unknown:
            warnings.warn(
                f"{counted(unknown, 'track')} of the lists without a vector: left out", stacklevel=2
            )
        count = len(rows)
        return cls(
            np.arange(count),
            np.full(count, -1, np.int32),
            np.full(count, request.want),
            np.ones(count, bool),
            np.cumsum([0, *map(len, rows)]),
            np.concatenate([np.empty(0, np.int64), *rows]),
            np.concatenate([np.empty(0, np.float32), *scores]),
        )

    def check(self, request: Request, source: str) -> None:
        """Raise QueryError where a source does not keep to what `CandidateSource` asks."""
        for told, holds in self._claims(request):
            if not holds():
                raise QueryError(
                    f"the source {source!r} answers with {told}; `Ranked.from_lists` makes an "
                    "answer of ids and scores"
                )

    def _claims(self, request: Request) -> Iterator[tuple[str, Callable[[], Any]]]:
        """What is wrong where a claim does not hold; a claim may rely on those before it."""
        lists, entries = len(self.listener), len(self.row)
        whose = (self.interest, self.quota, self.exhausted)
        yield (
            "arrays of unlike lengths",
            lambda: (
                all(len(array) == lists for array in whose)
                and len(self.start) == lists + 1
                and len(self.score) == entries
            ),
        )
        yield (
            "lists that do not begin and end within its rows",
            lambda: self.start[0] == 0 and self.start[-1] == entries and (self.lengths >= 0).all(),
        )
        yield (
            "listeners that were not asked about, or not in their order",
            lambda: (
                (np.diff(self.listener) >= 0).all()
                and (self.listener >= 0).all()
                and (self.listener < len(request.profiles)).all()
            ),
        )
        may = np.zeros(len(request.items), bool)
        may[request.rows] = True
        yield (
            "rows that may not be found: it must keep to the rows of the request",
            lambda: (
                self.row.dtype.kind in "iu"
                and (self.row >= 0).all()
                and (self.row < len(may)).all()
                and may[self.row].all()
            ),
        )
        yield "scores that are not finite, such as NaN", lambda: np.isfinite(self.score).all()
        within = np.ones(max(entries - 1, 0), bool)
        inner = self.start[1:-1]
        within[inner[(inner > 0) & (inner < entries)] - 1] = False
        yield "lists that are not best first", lambda: (np.diff(self.score)[within] <= 0).all()

    @classmethod
    def joined(cls, parts: Sequence[Ranked]) -> Ranked:
        """The lists of several, those of a listener together, in the order of the parts."""
        if len(parts) == 1:
            return parts[0]
        listener = np.concatenate([lists.listener for lists in parts])
        order = np.argsort(listener, kind="stable")
        lengths = np.concatenate([lists.lengths for lists in parts])
        begin = np.cumsum(lengths) - lengths
        entries = ranges(begin[order], lengths[order])
        return cls(
            listener[order],
            np.concatenate([lists.interest for lists in parts])[order],
            np.concatenate([lists.quota for lists in parts])[order],
            np.concatenate([lists.exhausted for lists in parts])[order],
            np.concatenate([[0], np.cumsum(lengths[order])]),
            np.concatenate([lists.row for lists in parts])[entries],
            np.concatenate([lists.score for lists in parts])[entries],
        )


class CandidateSource(Protocol):
    """Where candidates come from: a small frozen dataclass with one method.

    A class variable each: name, as it stands in the table of candidates; reason_prefix, how its
    reasons begin ("New", "From the depth of the catalog"); anchor_kind, what of an interest's
    track its candidates are near to, "track" or "artist"; ranker, the name of the ranker that
    orders its candidates unless another is asked for.
    """

    @property
    def name(self) -> str:
        """As it stands in the table of candidates."""

    @property
    def reason_prefix(self) -> str:
        """How a reason begins: "New", "Rarely played"."""

    @property
    def anchor_kind(self) -> str:
        """What of the medoid an interest's list is near to: "track" or "artist"."""

    @property
    def ranker(self) -> str:
        """The name of the ranker of its candidates: "taste" or "source"."""

    def candidates(self, request: Request) -> Ranked:
        """Lists of rows of the request only, best first; any number a listener.

        A listener's lists do not depend on who else is asked about. With a greater fetch_factor
        they begin alike and go on for longer.
        """


#: Candidate sources by name. MoreLike is made for a seed, NextItem for a model.
SOURCES: Registry[type[CandidateSource]] = Registry(
    "candidate source",
    "musicu.candidate_sources",
    {
        "new-releases": "musicu.candidates.sources.new_releases:NewReleases",
        "deep-catalog": "musicu.candidates.sources.deep_catalog:DeepCatalog",
        "for-you": "musicu.candidates.sources.for_you:ForYou",
        "artist-adjacent": "musicu.candidates.sources.artist_adjacent:ArtistAdjacent",
        "next": "musicu.candidates.sources.next_item:NextItem",
        "popular": "musicu.candidates.sources.popular:Popular",
        "random": "musicu.candidates.sources.random:Random",
    },
)


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


def user_numbers(listeners: Sequence[UserProfile], seed: int) -> NDArray[np.uint64]:
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
