"""Sessions like the present one, and what they played near to where they met it.

After Garg et al., Sequence and time aware neighborhood for session-based recommendations (STAN,
SIGIR 2019): recent items of the history count more, rare ones too, recent sessions more than old
ones, and of a neighbour what stands near to the item that both share.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from musicu.items.item_table import Floats, Ints
from musicu.retrieval.ordering import ranges
from musicu.sequences.session_table import SessionTable, faded

_MOST = 30  # items of a history
_SESSIONS_EACH = 5_000  # of an item, the newest


@dataclass(frozen=True, slots=True)
class NeighbourSettings:
    """neighbours: how many sessions. decay: of a history, for each step. rarity: an item weighs
    sessions^-rarity. length_power: a neighbour weighs length^-power. age: a neighbour weighs
    exp(-age * a) where a goes from 0, the newest session, to 1. nearness: an item of a neighbour
    weighs distance^-nearness; backward times that where it stands before the shared one.
    """

    neighbours: int = 200
    decay: float = 0.8
    rarity: float = 0.5
    length_power: float = 0.2
    age: float = 0.0
    nearness: float = 0.7
    backward: float = 0.5


@dataclass(frozen=True, eq=False)
class SessionNeighbours:
    """Finds the sessions nearest to a history among those of a table."""

    sessions: SessionTable
    items: int
    settings: NeighbourSettings

    @cached_property
    def _events(self) -> tuple[Ints, Ints]:
        """Events by item, oldest first, and where those of each item begin."""
        order = np.argsort(self.sessions.item, kind="stable")
        return order, np.searchsorted(self.sessions.item[order], np.arange(self.items + 1))

    def scores(self, history: Ints) -> Floats:
        """How much the nearest sessions play each item: float32 [items]."""
        event, weight = self._shared(history)
        session, first, which = np.unique(
            self.sessions.session[event], return_index=True, return_inverse=True
        )
        likeness = np.bincount(which, weight, len(session)) * self._weight[session]
        if len(session) > self.settings.neighbours:
            kept = np.argpartition(-likeness, self.settings.neighbours)[: self.settings.neighbours]
            session, first, likeness = session[kept], first[kept], likeness[kept]
        return self._played(session, event[first], likeness)

    def _shared(self, history: Ints) -> tuple[Ints, NDArray[np.float64]]:
        """Events of the history's items, those of its latest item first, and their weights."""
        order, start = self._events
        rows, weights = faded(history, self.settings.decay, _MOST)
        ends = start[rows + 1]
        first = np.maximum(start[rows], ends - _SESSIONS_EACH)
        counts = ends - first
        weights = weights * np.maximum(counts, 1) ** -self.settings.rarity
        return order[ranges(first, counts)], np.repeat(weights, counts)

    @cached_property
    def _weight(self) -> NDArray[np.float64]:
        """What a session weighs whatever the history: float64 [sessions]."""
        count = len(self.sessions)
        age = 1 - np.arange(count) / max(count, 1)
        lengths = np.maximum(self.sessions.lengths, 1).astype(np.float64)
        found: NDArray[np.float64] = lengths**-self.settings.length_power
        return found * np.exp(-self.settings.age * age)

    def _played(self, session: Ints, shared: Ints, likeness: NDArray[np.float64]) -> Floats:
        """The items of some sessions, by likeness and how near they stand to the shared event."""
        counts = self.sessions.lengths[session]
        event = ranges(self.sessions.start[session], counts)
        distance = event - np.repeat(shared, counts)
        near = np.maximum(np.abs(distance), 1) ** -self.settings.nearness
        near[distance < 0] *= self.settings.backward
        near[distance == 0] = 0
        weights = np.repeat(likeness, counts) * near
        return np.bincount(self.sessions.item[event], weights, self.items).astype(np.float32)
