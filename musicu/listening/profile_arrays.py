"""Many listeners at once: their interests and histories on an item table, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.listening.history import History
from musicu.listening.profiles import TasteProfile


class UserProfile(NamedTuple):
    """Somebody to recommend to."""

    user_id: str
    taste: TasteProfile


@dataclass(frozen=True, slots=True, eq=False)
class HistoryArrays:
    """What listeners have heard of the items, an entry each.

    listener: int64, rising, its position. row: int64. plays: float64, how often; 0 for what was
    only named. weight: float64, what is left of the listens; below 0 where skips prevail.
    """

    listener: Ints
    row: Ints
    plays: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, items: ItemTable, users: Sequence[UserProfile]) -> HistoryArrays:
        """What the users' histories hold of the items."""
        histories = [user.taste.history for user in users]
        if not histories:
            nothing = np.empty(0, np.int64)
            return cls(nothing, nothing, np.empty(0), np.empty(0))
        lengths = [len(history.place) for history in histories]
        weight = np.concatenate([h.dated for h in histories])
        weight += np.concatenate([h.undated for h in histories])
        every = cls(
            np.repeat(np.arange(len(histories)), lengths),
            _rows(items, histories, lengths),
            np.concatenate([h.plays for h in histories]),
            weight,
        )
        known = every.row >= 0
        return every if known.all() else every.take(np.flatnonzero(known))

    def by(self, listeners: Ints) -> HistoryArrays:
        """What some of the listeners have heard; their positions, rising, are then from 0."""
        place, kept = _places_among(self.listener, listeners)
        return replace(self.take(kept), listener=place)

    def take(self, entries: Ints) -> HistoryArrays:
        """Some of the entries."""
        return HistoryArrays(
            self.listener[entries], self.row[entries], self.plays[entries], self.weight[entries]
        )


@dataclass(frozen=True, slots=True, eq=False)
class InterestArrays:
    """The interests of some listeners, an entry each, those of a listener together.

    listener: int64, rising, its position. number: int64, which of the listener's it is, from 0.
    share: float64, its importance. medoid: int64, the row of its track, -1 where it has none.
    centroid: float32 [interests, dim]. mean: float32 [listeners, dim], 0 where nothing is liked.
    """

    listener: Ints
    number: Ints
    share: NDArray[np.float64]
    medoid: Ints
    centroid: Floats
    mean: Floats

    @classmethod
    def of(cls, items: ItemTable, users: Sequence[UserProfile]) -> InterestArrays:
        """The interests in the users' tastes."""
        counts = np.array([len(user.taste.interests) for user in users], np.int64)
        found = [interest for user in users for interest in user.taste.interests]
        first = np.cumsum(counts) - counts
        dim = items.values.shape[1]
        centroids = [np.empty(0, np.float32), *(interest.centroid for interest in found)]
        mean = np.zeros((len(users), dim), np.float32)
        for place, user in enumerate(users):
            if len(user.taste.mean):
                mean[place] = user.taste.mean
        return cls(
            np.repeat(np.arange(len(counts)), counts),
            np.arange(len(found)) - np.repeat(first, counts),
            np.array([interest.importance for interest in found], np.float64),
            items.rows_of([interest.medoid for interest in found]),
            np.concatenate(centroids).reshape(len(found), dim),
            mean,
        )

    def by(self, listeners: Ints) -> InterestArrays:
        """Those of some of the listeners; their positions, rising, are then from 0."""
        place, kept = _places_among(self.listener, listeners)
        return InterestArrays(
            place,
            self.number[kept],
            self.share[kept],
            self.medoid[kept],
            self.centroid[kept],
            self.mean[listeners],
        )


@dataclass(frozen=True, slots=True, eq=False)
class ProfileArrays:
    """Some listeners on an item table."""

    items: ItemTable
    users: tuple[UserProfile, ...]
    interests: InterestArrays
    history: HistoryArrays

    @classmethod
    def of(cls, items: ItemTable, users: Sequence[UserProfile]) -> ProfileArrays:
        """The profiles of the users, as arrays."""
        interests, history = InterestArrays.of(items, users), HistoryArrays.of(items, users)
        return cls(items, tuple(users), interests, history)

    def __len__(self) -> int:
        return len(self.users)

    def by(self, listeners: Ints) -> ProfileArrays:
        """Some of the listeners, given by their positions, rising."""
        if len(listeners) == len(self.users):
            return self
        return ProfileArrays(
            self.items,
            tuple(self.users[n] for n in listeners),
            self.interests.by(listeners),
            self.history.by(listeners),
        )


def _rows(items: ItemTable, histories: Sequence[History], lengths: Sequence[int]) -> Ints:
    """The row of each track of each history; histories made together share one table of names."""
    tables = list({id(history.names): history.names for history in histories}.values())
    ends = np.cumsum([len(names) for names in tables])
    first = {id(names): end - len(names) for names, end in zip(tables, ends, strict=True)}
    rows = np.concatenate([items.rows_of_table(names) for names in tables])
    offsets = np.repeat([first[id(history.names)] for history in histories], lengths)
    found: Ints = rows[np.concatenate([history.place for history in histories]) + offsets]
    return found


def _places_among(listener: Ints, chosen: Ints) -> tuple[Ints, Ints]:
    """Of the entries whose listener is chosen: the listener's place there, and which they are."""
    number = np.full(max(listener.max(initial=-1), chosen.max(initial=-1)) + 1, -1, np.int64)
    number[chosen] = np.arange(len(chosen))
    place = number[listener]
    kept = np.flatnonzero(place >= 0)
    return place[kept], kept
