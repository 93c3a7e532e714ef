"""What each listener did lately, in memory, and the taste that follows from it.

A profile changes with each event. What an event weighs is what it is worth as a reward
(`musicu.rewards`): a save more than a play, a skip of dislike less than nothing. Skips in search
and of fatigue weigh nothing for their track: see `skip_kinds`.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.items.item_table import ItemTable
from musicu.listening.feedback import OUTCOMES
from musicu.listening.history import History, micros
from musicu.listening.profiles import HALF_LIFE_DAYS, TasteProfile
from musicu.rewards.reward_terms import reward_terms
from musicu.rewards.skip_kinds import skip_kinds

#: Events that are kept of a listener, the latest ones, and of all listeners together.
OWN_EVENTS = 2_000
ALL_EVENTS = 1_000_000
#: What a skip in search says against its style, beside 1 of a skip of dislike.
SEARCH_EVIDENCE = 0.15
_FULL_PLAY_MS = 30_000
_FATIGUE_EVIDENCE = 0.3


class ListenerEvent(NamedTuple):
    """An outcome; at: microseconds since 1970."""

    at: int
    track_id: str
    kind: str
    milliseconds: int | None


class SkippedStyles(NamedTuple):
    """Tracks that speak against their style: ids, and how much each does."""

    track_ids: list[str]
    evidence: NDArray[np.float64]


@dataclass(slots=True)
class ListenerState:
    """One listener's latest events, in the order in which they came; version: how many came."""

    events: deque[ListenerEvent] = field(default_factory=lambda: deque(maxlen=OWN_EVENTS))
    version: int = 0


class ListenerStates:
    """All listeners by pseudonym; may be used from several threads."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, ListenerState] = OrderedDict()
        self._lock = Lock()
        self._held = 0

    def __len__(self) -> int:
        return len(self._states)

    def load(self, outcomes: pa.Table) -> None:
        """Take in OUTCOMES of before, the latest of them where they are many."""
        columns = [outcomes[name] for name in ("user_id", "at", "track_id", "kind", "milliseconds")]
        order = np.argsort(columns[1].cast(pa.int64()).to_numpy(), kind="stable")[-ALL_EVENTS:]
        rows = pa.table(columns, names=["user_id", "at", "track_id", "kind", "milliseconds"])
        rows = rows.take(pa.array(order))
        values = [rows[name].to_pylist() for name in rows.column_names if name != "at"]
        moments = rows["at"].cast(pa.int64()).to_pylist()
        with self._lock:
            for user, track, kind, ms, at in zip(*values, moments, strict=True):
                self._add(user, _event(at, track, kind, ms))

    def clear(self) -> None:
        """Forget everybody."""
        with self._lock:
            self._states.clear()
            self._held = 0

    def record(self, outcomes: Iterable[Mapping[str, Any]]) -> set[str]:
        """Take in records of OUTCOMES; whose they are."""
        users = set()
        with self._lock:
            for row in outcomes:
                users.add(row["user_id"])
                at, ms = micros(row["at"]), row["milliseconds"]
                self._add(row["user_id"], _event(at, row["track_id"], row["kind"], ms))
        return users

    def _add(self, user: str, event: ListenerEvent) -> None:
        state = self._states.get(user)
        if state is None:
            state = self._states[user] = ListenerState()
        self._states.move_to_end(user)
        self._held += len(state.events) < OWN_EVENTS
        state.events.append(event)
        state.version += 1
        while self._held > ALL_EVENTS and len(self._states) > 1:
            self._held -= len(self._states.popitem(last=False)[1].events)

    def take_over(self, other: ListenerStates) -> None:
        """Know what another one knows, and nothing else."""
        with self._lock:
            self._states, self._held = other._states, other._held

    def forget(self, user: str) -> None:
        """Drop what is known of a listener."""
        with self._lock:
            state = self._states.pop(user, None)
            self._held -= len(state.events) if state is not None else 0

    def version(self, user: str) -> int:
        """A number that changes with each event of a listener; 0 where nothing is known."""
        state = self._states.get(user)
        return 0 if state is None else state.version

    def events(self, user: str) -> tuple[int, list[ListenerEvent]]:
        """A listener's version, and the events behind it, the oldest first."""
        with self._lock:
            state = self._states.get(user)
            if state is None:
                return 0, []
            return state.version, sorted(state.events, key=lambda event: event.at)

    def recent(self, count: int) -> list[str]:
        """The listeners whose events came last, the latest first."""
        with self._lock:
            return list(reversed(self._states))[:count]


def _event(at: int, track_id: str, kind: str, milliseconds: int | None) -> ListenerEvent:
    """An event that shares its texts with others: of a million, half of the memory."""
    return ListenerEvent(at, sys.intern(track_id), sys.intern(kind), milliseconds)


def taste_of(
    events: list[ListenerEvent], items: ItemTable, now: datetime
) -> tuple[TasteProfile, SkippedStyles]:
    """A listener's taste, and the styles that were skipped."""
    kinds = _skip_kinds(events)
    weights = [_weight(event, kind) for event, kind in zip(events, kinds, strict=True)]
    heard = [place for place, weight in enumerate(weights) if weight]
    history = History.of_events(
        [events[n].track_id for n in heard],
        np.minimum(np.array([events[n].at for n in heard], np.int64), micros(now)),
        np.array([weights[n] for n in heard], np.float64),
        now,
        HALF_LIFE_DAYS,
        np.array([events[n].kind == "played" for n in heard], np.float64),
    )
    rows = items.rows_of_table(history.names)
    taste = TasteProfile.from_history(history, items.vectors, rows)
    return taste, _skipped(events, kinds, weights)


def _skip_kinds(events: list[ListenerEvent]) -> list[str | None]:
    """The kind of each event that is a skip."""
    if not any(event.kind == "skipped" for event in events):
        return [None] * len(events)
    count = len(events)
    table = pa.table(
        {
            "user_id": pa.array(["u"] * count),
            "track_id": pa.array([event.track_id for event in events]),
            "kind": pa.array([event.kind for event in events]),
            "milliseconds": pa.array([event.milliseconds for event in events], pa.int64()),
            "at": pa.array([event.at for event in events], pa.int64()).cast(
                OUTCOMES.field("at").type
            ),
        }
    )
    found: list[str | None] = skip_kinds(table).to_pylist()
    return found


def _weight(event: ListenerEvent, skip: str | None) -> float:
    """What an event weighs in the listener's taste; 0 where it says nothing of its track."""
    if skip is not None:
        return _WORTH["dislike"] if skip == "dislike" else 0.0
    if event.kind == "played" and event.milliseconds is not None:
        return _WORTH["played"] * min(1.0, event.milliseconds / _FULL_PLAY_MS)
    return _WORTH[event.kind]


def _worth() -> dict[str, float]:
    """What each kind of outcome is worth, and a skip of dislike, by musicu's own terms."""
    found: dict[str, float] = {}
    for term in reward_terms():
        for kind in ("dislike",) if term.name == "dislike" else term.kinds:
            found.setdefault(kind, term.value)
    return found


_WORTH = _worth()


def _skipped(
    events: list[ListenerEvent], kinds: list[str | None], weights: list[float]
) -> SkippedStyles:
    """How much each skipped track speaks against its style: less where it was played as well."""
    evidence: dict[str, float] = {}
    told = {"dislike": 1.0, "fatigue": _FATIGUE_EVIDENCE, "search": SEARCH_EVIDENCE}
    for event, kind, weight in zip(events, kinds, weights, strict=True):
        if kind is not None:
            evidence[event.track_id] = evidence.get(event.track_id, 0.0) + told[kind]
        elif event.kind == "dismissed":
            evidence[event.track_id] = evidence.get(event.track_id, 0.0) + 1.0
        elif weight > 0 and event.track_id in evidence:
            evidence[event.track_id] -= weight
    left = {track: value for track, value in evidence.items() if value > 0}
    return SkippedStyles(list(left), np.array(list(left.values()), np.float64))


def present() -> datetime:
    """Now."""
    return datetime.now(timezone.utc)
