"""The plainest scorers: how often items are played, and what a history holds already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from musicu.items.item_table import Floats, Ints
from musicu.sequences.session_table import SessionTable, faded

_RECENT = 0.05  # of the sessions, the newest
_REPEAT_DECAY = 0.9


@dataclass(frozen=True, eq=False)
class PlayCounts:
    """The same for every history. plays: float32 [items]."""

    plays: Floats

    @classmethod
    def of(cls, sessions: SessionTable, items: int, recent: bool = False) -> PlayCounts:
        """Plays in all sessions, or in the newest."""
        first = int((1 - _RECENT) * len(sessions)) if recent else 0
        counted = np.bincount(sessions.item[sessions.start[first] :], minlength=items)
        return cls(counted.astype(np.float32))

    def scores(self, history: Ints) -> Floats:
        """The plays."""
        plays: Floats = self.plays.copy()
        return plays


@dataclass(frozen=True, slots=True)
class Repeats:
    """What was heard is heard again, the sooner the later it was heard."""

    items: int

    def scores(self, history: Ints) -> Floats:
        """A weight for each item of the history."""
        rows, weights = faded(history, _REPEAT_DECAY, len(history))
        found = np.zeros(self.items, np.float32)
        found[rows] = weights
        return found
