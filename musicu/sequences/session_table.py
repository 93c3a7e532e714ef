"""Sessions as arrays: rows of items, session after session, the oldest session first."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.items.item_table import Ints
from musicu.records import short

#: An item's id, as callers have it: text or a whole number.
ItemId = Hashable


@dataclass(frozen=True, eq=False)
class SessionTable:
    """Sessions of items in the order in which they ended.

    item: int64 [events], rows of items, those of a session in their order. start: int64
    [sessions + 1], where each session begins, and the end.
    """

    item: Ints
    start: Ints

    @classmethod
    def of(
        cls, sessions: Sequence[Sequence[ItemId]], row_of: Mapping[Any, int], times: Any = None
    ) -> SessionTable:
        """Sessions of known items; what has no row is left out.

        times: for each session its end, or one moment an event; None: sessions are given from the
        oldest to the newest. Raises QueryError where times do not fit.
        """
        check_sessions(sessions)
        order = ended(sessions, times)
        rows = [[row_of[i] for i in sessions[at] if i in row_of] for at in order.tolist()]
        start = np.concatenate([[0], np.cumsum([len(session) for session in rows])])
        flat = np.fromiter((row for session in rows for row in session), np.int64, int(start[-1]))
        return cls(flat, start.astype(np.int64))

    def __len__(self) -> int:
        return len(self.start) - 1

    @cached_property
    def lengths(self) -> Ints:
        """Events of each session: int64 [sessions]."""
        return np.diff(self.start)

    @cached_property
    def session(self) -> Ints:
        """Of which session each event is: int64 [events]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def kept(self, event: NDArray[np.bool_]) -> SessionTable:
        """The same sessions with some of their events."""
        before = np.concatenate([[0], np.cumsum(event)])
        return SessionTable(self.item[event], before[self.start])

    def joined(self, other: SessionTable) -> SessionTable:
        """These sessions and, after them, others."""
        start = np.concatenate([self.start, self.start[-1] + other.start[1:]])
        return SessionTable(np.concatenate([self.item, other.item]), start)

    def cut(self, longest: int) -> SessionTable:
        """Each session in pieces of at most so many events."""
        inside = np.arange(len(self.item)) - self.start[:-1][self.session]
        first = np.flatnonzero(inside % longest == 0)
        return SessionTable(self.item, np.append(first, len(self.item)))


def check_sessions(sessions: Any, what: str = "sessions") -> None:
    """Raise QueryError where somebody gives a text, one session, or a table."""
    some = not isinstance(sessions, str | bytes | type) and not hasattr(sessions, "columns")
    if not some or not hasattr(sessions, "__len__"):
        raise QueryError(f"{what} are {short(sessions)}: give lists of ids, one for each")
    for session in sessions:
        if isinstance(session, str | bytes) or not isinstance(session, Iterable):
            raise QueryError(f"one of the {what} is {session!r}: give lists of ids, one for each")


def ended(sessions: Sequence[Sequence[ItemId]], times: Any) -> Ints:
    """The order in which sessions ended: int64 [sessions]; QueryError where times do not fit."""
    if times is None:
        return np.arange(len(sessions))
    if len(times) != len(sessions):
        raise QueryError(
            f"there are {len(times):,} times for {len(sessions):,} sessions: give one a session, "
            "its end, or one list a session"
        )
    last = [(np.max(time) if len(time) else np.nan) if np.ndim(time) else time for time in times]
    moments = np.asarray(last)
    if moments.dtype.kind not in "iufM":
        raise QueryError(f"times are {moments.dtype}: give numbers or moments")
    return np.argsort(moments, kind="stable").astype(np.int64)


def faded(history: Ints, decay: float, most: int) -> tuple[Ints, NDArray[np.float64]]:
    """The last different items of a history, latest first, and decay^age of each.

    age: how many events came after the item's last. most: of how many items.
    """
    latest, first = np.unique(history[::-1], return_index=True)
    order = np.argsort(first)[:most]
    weights: NDArray[np.float64] = decay ** first[order].astype(np.float64)
    return latest[order], weights
