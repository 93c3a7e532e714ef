"""Sessions as arrays: rows of items, session after session, the oldest session first."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
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
    [sessions + 1], where each session begins, and the end. settled: int64 [events], where the
    events of the same session and moment begin, among which there is no order; None where moments
    are not known.
    """

    item: Ints
    start: Ints
    settled: Ints | None = None

    @classmethod
    def of(
        cls, sessions: Sequence[Sequence[ItemId]], row_of: Mapping[Any, int], times: Any = None
    ) -> SessionTable:
        """Sessions of known items; what has no row is left out.

        times: for each session its end, or one moment an event, by which the session is put in
        order; None: sessions are given from the oldest to the newest. Raises QueryError where
        times do not fit.
        """
        check_sessions(sessions)
        order = ended(sessions, times).tolist()
        rows, dated = [], []
        for at in order:
            session, when = in_order(sessions[at], None if times is None else times[at])
            known = [place for place, item in enumerate(session) if item in row_of]
            rows.append([row_of[session[place]] for place in known])
            if when is not None:
                dated.append(when[known])
        start = np.concatenate([[0], np.cumsum([len(session) for session in rows])])
        start = start.astype(np.int64)
        flat = np.fromiter((row for session in rows for row in session), np.int64, int(start[-1]))
        if len(dated) < len(rows) or not len(flat):
            return cls(flat, start)
        when = np.concatenate(dated)
        new = np.append(True, when[1:] != when[:-1])
        new[start[:-1][np.diff(start) > 0]] = True
        return cls(flat, start, np.maximum.accumulate(np.where(new, np.arange(len(flat)), 0)))

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
        if isinstance(session, str | bytes | Mapping) or not hasattr(session, "__getitem__"):
            given = short(session)
            raise QueryError(f"one of the {what} is {given}: give lists of ids, one for each")


def different_ids(sessions: Sequence[Sequence[ItemId]], more: Sequence[ItemId] = ()) -> list[Any]:
    """Each id of sessions once, in the order in which they come, and more of them at the end.

    Raises QueryError where an id is missing, or is nothing that ids can be.
    """
    try:
        found = list(dict.fromkeys([i for session in sessions for i in session] + list(more)))
    except TypeError as error:
        raise QueryError(f"ids are text or whole numbers, and one is not: {error}") from None
    if any(name is None or name != name for name in found):
        raise QueryError("an id is missing (None or NaN): leave such events out")
    return found


def ended(sessions: Sequence[Sequence[ItemId]], times: Any) -> Ints:
    """The order in which sessions ended: int64 [sessions].

    Raises QueryError where times do not fit. A session without events is the oldest.
    """
    if times is None:
        return np.arange(len(sessions))
    if len(times) != len(sessions):
        raise QueryError(
            f"there are {len(times):,} times for {len(sessions):,} sessions: give one a session, "
            "its end, or one list a session"
        )
    if any(np.ndim(time) for time in times):
        lists = [moments(time) for time in times]
        last = np.array([time.max(initial=-np.inf) for time in lists])
    else:
        last = moments(times)
    return np.argsort(last, kind="stable").astype(np.int64)


def in_order(
    session: Sequence[ItemId], times: Any
) -> tuple[Sequence[ItemId], NDArray[np.float64] | None]:
    """A session in the order of its times, and these, if it has some; QueryError where not one an
    item.
    """
    if np.ndim(times) == 0:
        return session, None
    if len(times) != len(session):
        raise QueryError(
            f"a session of {len(session):,} items has {len(times):,} times: give one an item"
        )
    when = moments(times)
    order = np.argsort(when, kind="stable")
    return [session[place] for place in order.tolist()], when[order]


def moments(times: Any) -> NDArray[np.float64]:
    """Numbers, datetimes or datetime64 as numbers that rise with time; QueryError for others."""
    found = np.atleast_1d(np.asarray(times))
    if found.dtype == object and all(isinstance(time, datetime) for time in found):
        found = np.array([_seconds(time) for time in found])
    if found.dtype.kind == "M":
        unknown = np.isnat(found)
        found = np.where(unknown, np.nan, found.astype("M8[us]").astype(np.int64))
    if found.ndim != 1 or (found.dtype.kind not in "iuf" and len(found)):
        raise QueryError(f"times are {found.dtype}: give numbers or moments")
    numbers = found.astype(np.float64)
    if np.isnan(numbers).any():
        raise QueryError("a time is missing: give all of them, or none for sessions in their order")
    return numbers


def _seconds(time: datetime) -> float:
    """Seconds since 1970; of a time without a zone as if it were UTC."""
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()


def faded(history: Ints, decay: float, most: int) -> tuple[Ints, NDArray[np.float64]]:
    """The last different items of a history, latest first, and decay^age of each.

    age: how many events came after the item's last. most: of how many items.
    """
    latest, first = np.unique(history[::-1], return_index=True)
    order = np.argsort(first)[:most]
    weights: NDArray[np.float64] = decay ** first[order].astype(np.float64)
    return latest[order], weights
