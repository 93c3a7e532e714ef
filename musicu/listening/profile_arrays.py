"""Many listeners at once: their interests and what they have heard, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicu.items.table import Floats, Ints, Stock
from musicu.listening.history import History
from musicu.listening.profiles import TasteProfile


class Listener(NamedTuple):
    """Somebody to find candidates for."""

    user_id: str
    taste: TasteProfile


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What listeners have heard of a stock, an entry each.

    listener: int64, rising, its position. row: int64. plays: float64, how often; 0 for what was
    only named. skipped: bool, whether skips prevail.
    """

    listener: Ints
    row: Ints
    plays: NDArray[np.float64]
    skipped: NDArray[np.bool_]

    @classmethod
    def of(cls, stock: Stock, listeners: Sequence[Listener]) -> Heard:
        """What the listeners' histories hold of the stock."""
        histories = [listener.taste.history for listener in listeners]
        if not histories:
            nothing = np.empty(0, np.int64)
            return cls(nothing, nothing, np.empty(0), np.empty(0, bool))
        lengths = [len(history.place) for history in histories]
        weight = np.concatenate([h.dated for h in histories])
        weight += np.concatenate([h.undated for h in histories])
        every = cls(
            np.repeat(np.arange(len(histories)), lengths),
            _rows(stock, histories, lengths),
            np.concatenate([h.plays for h in histories]),
            weight < 0,
        )
        known = every.row >= 0
        return every if known.all() else every._take(np.flatnonzero(known))

    def by(self, listeners: Ints) -> Heard:
        """What some of the listeners have heard; their positions, rising, are then from 0."""
        place, kept = _places_among(self.listener, listeners)
        return replace(self._take(kept), listener=place)

    def _take(self, entries: Ints) -> Heard:
        return Heard(
            self.listener[entries], self.row[entries], self.plays[entries], self.skipped[entries]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Interests:
    """The interests of some listeners, an entry each, those of a listener together.

    listener: int64, rising, its position. number: int64, which of the listener's it is, from 0.
    share: float64, its importance. medoid: int64, the row of its track, -1 where it has none.
    vector: float32 [interests, dim].
    """

    listener: Ints
    number: Ints
    share: NDArray[np.float64]
    medoid: Ints
    vector: Floats

    @classmethod
    def of(cls, stock: Stock, listeners: Sequence[Listener]) -> Interests:
        """The interests in the listeners' tastes."""
        counts = np.array([len(x.taste.interests) for x in listeners], np.int64)
        found = [interest for listener in listeners for interest in listener.taste.interests]
        first = np.cumsum(counts) - counts
        vectors = [np.empty(0, np.float32), *(interest.vector for interest in found)]
        return cls(
            np.repeat(np.arange(len(counts)), counts),
            np.arange(len(found)) - np.repeat(first, counts),
            np.array([interest.importance for interest in found], np.float64),
            stock.rows_of([interest.medoid for interest in found]),
            np.concatenate(vectors).reshape(len(found), stock.values.shape[1]),
        )

    def by(self, listeners: Ints) -> Interests:
        """Those of some of the listeners; their positions, rising, are then from 0."""
        place, kept = _places_among(self.listener, listeners)
        return Interests(
            place, self.number[kept], self.share[kept], self.medoid[kept], self.vector[kept]
        )


def _rows(stock: Stock, histories: Sequence[History], lengths: Sequence[int]) -> Ints:
    """The row of each track of each history; histories made together share one table of names."""
    tables = list({id(history.names): history.names for history in histories}.values())
    ends = np.cumsum([len(names) for names in tables])
    first = {id(names): end - len(names) for names, end in zip(tables, ends, strict=True)}
    rows = np.concatenate([stock.rows_of_table(names) for names in tables])
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
