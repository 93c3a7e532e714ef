"""What a service did in the last hour, minute by minute, in a memory that does not grow.

Latencies fall into buckets that are 12 % apart, so a quantile is right to 6 %. Of listeners only
enough are remembered to say whether they are enough to be counted (`small_groups`).
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.listening.feedback import OUTCOMES
from musicu.listening.small_groups import SMALLEST_GROUP, is_shown, shown_count
from musicu.rewards.reward_summary import reward_summary

MINUTES = 60
#: Outcomes that rewards are computed of, the latest ones.
MOST_OUTCOMES = 5_000
REWARD_SECONDS = 10.0  # until they are computed again
MOST_UPLOADS = 8  # that are listed
_LEAST_SECONDS, _A_DECADE, _BUCKETS = 1e-4, 20, 120

Counts = NDArray[np.int64]
Rewards = list[dict[str, Any]]


@dataclass(slots=True)
class _Minute:
    """number: minutes since 1970. people: of each kind of outcome, and of all under ""."""

    number: int
    latencies: dict[str, Counts] = field(default_factory=dict)
    errors: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    people: dict[str, set[str]] = field(default_factory=dict)
    uploads: int = 0


@dataclass(frozen=True, slots=True)
class NotedUpload:
    """An upload that was taken in. seconds: until it was on a shelf; at: seconds since 1970."""

    title: str
    seconds: float
    at: float


class LastHour:
    """Notes requests, outcomes and uploads; for one thread. clock: seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._minutes: deque[_Minute] = deque(maxlen=MINUTES)
        self._outcomes: deque[Mapping[str, Any]] = deque(maxlen=MOST_OUTCOMES)
        self._uploads: deque[NotedUpload] = deque(maxlen=MOST_UPLOADS)
        self.reward_seconds = REWARD_SECONDS
        self._rewards: tuple[float, Rewards] = (-REWARD_SECONDS, [])

    def note_request(self, route: str, status: int, seconds: float) -> None:
        """A request that was answered."""
        minute = self._minute()
        counts = minute.latencies.get(route)
        if counts is None:
            counts = minute.latencies[route] = np.zeros(_BUCKETS, np.int64)
        counts[_bucket(seconds)] += 1
        minute.errors += status >= 500

    def note_outcomes(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Records of OUTCOMES that were taken in; user_id: pseudonyms."""
        minute = self._minute()
        for record in records:
            kind = record["kind"]
            minute.kinds[kind] += 1
            for group in (kind, ""):
                people = minute.people.setdefault(group, set())
                if len(people) < SMALLEST_GROUP:
                    people.add(record["user_id"])
            self._outcomes.append(record)

    def note_upload(self, title: str, seconds: float) -> None:
        """An upload that was taken in."""
        self._minute().uploads += 1
        self._uploads.append(NotedUpload(title, seconds, self._clock()))

    def forget(self, user_id: str) -> None:
        """Drop what is known of a listener; the counts of the hour, which name nobody, stay."""
        kept = [record for record in self._outcomes if record["user_id"] != user_id]
        self._outcomes = deque(kept, maxlen=MOST_OUTCOMES)
        for minute in self._minutes:
            for people in minute.people.values():
                people.discard(user_id)

    def recent_outcomes(self) -> list[Mapping[str, Any]]:
        """The outcomes that came in the last hour, the latest of them where they are many."""
        since = self._clock() - 60 * MINUTES
        return [each for each in self._outcomes if each["at"].timestamp() >= since]

    async def rewards(
        self, compute: Callable[[Callable[[], Rewards]], Awaitable[Rewards]]
    ) -> Rewards:
        """`reward_summary` of the latest outcomes, computed anew every ten seconds at most.

        compute: has a function called beside the requests.
        """
        made, known = self._rewards
        if self._clock() - made >= self.reward_seconds:
            self._rewards = (self._clock(), known)  # who asks meanwhile takes what is there
            outcomes = self.recent_outcomes()
            known = await compute(lambda: _summaries(outcomes))
            self._rewards = (self._clock(), known)
        return known

    def numbers(self) -> dict[str, Any]:
        """What is shown, as it goes into JSON; milliseconds are p50 and p99.

        Kinds of outcomes of few listeners are not there, nor in the total of events.
        """
        minutes = self._kept()
        kinds = Counter[str]()
        for minute in minutes:
            kinds.update(minute.kinds)
        shown = [kind for kind in kinds if self._is_shown(minutes, kind)]
        uploads = [each for each in self._uploads if each.at >= self._clock() - 60 * MINUTES]
        return {
            "requests": {
                **_latency(minutes),
                "a_second": _a_second(minutes, self._clock()),
                "errors": sum(minute.errors for minute in minutes),
            },
            "routes": _routes(minutes),
            "minutes": self._series(minutes),
            "listeners": self._listeners(minutes),
            "events": sum(kinds[kind] for kind in shown),
            "outcomes": [{"kind": kind, "count": kinds[kind]} for kind in sorted(shown)],
            "hidden_kinds": len(kinds) - len(shown),
            "uploads": {
                "count": sum(minute.uploads for minute in minutes),
                "latest": [
                    {
                        "title": each.title,
                        "seconds": round(each.seconds, 2),
                        "ago": round(self._clock() - each.at),
                    }
                    for each in reversed(uploads)
                ],
            },
        }

    def _minute(self) -> _Minute:
        number = int(self._clock() // 60)
        if not self._minutes or self._minutes[-1].number < number:
            self._minutes.append(_Minute(number))
        return self._minutes[-1]

    def _kept(self) -> list[_Minute]:
        first = int(self._clock() // 60) - MINUTES + 1
        return [minute for minute in self._minutes if minute.number >= first]

    def _series(self, minutes: list[_Minute]) -> list[dict[str, Any]]:
        """Each of the last sixty minutes, the present one last."""
        by_number = {minute.number: minute for minute in minutes}
        last = int(self._clock() // 60)
        numbers = range(last - MINUTES + 1, last + 1)
        return [_latency([by_number[n]] if n in by_number else []) for n in numbers]

    @staticmethod
    def _is_shown(minutes: list[_Minute], kind: str) -> bool:
        return is_shown(len(_people(minutes, kind)))

    @staticmethod
    def _listeners(minutes: list[_Minute]) -> str:
        """Whether there are enough; how many more is not remembered."""
        count = len(_people(minutes, ""))
        return f"{SMALLEST_GROUP} or more" if is_shown(count) else shown_count(count)


def _summaries(outcomes: Sequence[Mapping[str, Any]]) -> Rewards:
    if not outcomes:
        return []
    table = pa.Table.from_pylist(list(outcomes), schema=OUTCOMES)
    return [asdict(summary) for summary in reward_summary(table)]


def _people(minutes: list[_Minute], kind: str) -> set[str]:
    return set().union(*(minute.people.get(kind, ()) for minute in minutes))


def _bucket(seconds: float) -> int:
    place = int(_A_DECADE * np.log10(max(seconds, _LEAST_SECONDS) / _LEAST_SECONDS))
    return min(place, _BUCKETS - 1)


def quantile(counts: Counts, share: float) -> float | None:
    """Seconds that so many of the requests took at most; None where there were none."""
    total = int(counts.sum())
    if not total:
        return None
    place = int(np.searchsorted(np.cumsum(counts), share * total))
    return float(_LEAST_SECONDS * 10 ** ((place + 0.5) / _A_DECADE))


def _latency(minutes: list[_Minute], route: str | None = None) -> dict[str, Any]:
    """How many requests there were, and how long they took, in milliseconds."""
    counts = np.zeros(_BUCKETS, np.int64)
    for minute in minutes:
        for name, own in minute.latencies.items():
            if route in (None, name):
                counts += own
    told = {"p50": quantile(counts, 0.5), "p99": quantile(counts, 0.99)}
    rounded = {name: None if s is None else round(1000 * s, 2) for name, s in told.items()}
    return {"count": int(counts.sum()), **rounded}


def _routes(minutes: list[_Minute]) -> list[dict[str, Any]]:
    names = sorted({name for minute in minutes for name in minute.latencies})
    return [{"route": name, **_latency(minutes, name)} for name in names]


def _a_second(minutes: list[_Minute], now: float) -> float:
    """Requests a second, over the present minute and the one before."""
    last = int(now // 60)
    recent = [minute for minute in minutes if minute.number >= last - 1]
    seconds = 60 + now % 60 if recent and recent[0].number < last else max(1.0, now % 60)
    count = sum(int(own.sum()) for minute in recent for own in minute.latencies.values())
    return round(count / seconds, 2)
