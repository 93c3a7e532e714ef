"""What is left of listens when time has passed: for each track a weight and a count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.ingest.playlist_tables import PLAYLIST
from musicu.listening.listens import utc

Floats = NDArray[np.float64]

_DAY_US = 86_400_000_000
_DIGITS = 2.0**24  # weights that differ by less than float32 does are one weight


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """One listener's tracks by id, and how much of their listens is left at a moment.

    A dated listen weighs `weight * 2 ** (-age / half-life)`, with its age at `as_of`; an undated
    one keeps its weight. A skip is a negative weight and fades in the same way.

    names: object, ids of tracks, rising; shared by histories that are made together. place: int64
    [tracks], rising, which of the names. dated, undated: float64 [tracks], sums of weights.
    plays: float64 [tracks], how often it was played at all: 0 for what was only named or listed.
    as_of: microseconds since 1970.
    """

    names: NDArray[np.object_]
    place: NDArray[np.int64]
    dated: Floats
    undated: Floats
    plays: Floats
    as_of: int
    half_life_days: float

    @classmethod
    def of(cls, listens: pa.Table, now: datetime, half_life_days: float) -> History:
        """The history in one listener's LISTENS, at `now`.

        Raises QueryError where they are several listeners', or the half-life is not above 0.
        """
        found = [history for _, history in histories(listens, now, half_life_days)]
        if len(found) > 1:
            raise QueryError(f"a history is one listener's, and these listens are {len(found)}'s")
        none = np.empty(0)
        nothing = np.empty(0, object), np.empty(0, np.int64)
        empty = cls(*nothing, none, none, none, micros(now), half_life_days)
        return found[0] if found else empty

    @classmethod
    def of_events(
        cls,
        track_ids: Sequence[str],
        at: NDArray[np.int64],
        weights: Floats,
        now: datetime,
        half_life_days: float,
        plays: Floats | None = None,
    ) -> History:
        """The history that `of` makes of as many dated listens of no playlist.

        at: int64 [events], microseconds since 1970. weights: float64 [events], rounded to float32
        as LISTENS holds them. plays: float64 [events], how many each stands for; default: what
        its weight says.
        """
        names = np.array(sorted(set(track_ids)), object)
        number = {name: place for place, name in enumerate(names)}
        place = np.array([number[name] for name in track_ids], np.int64)
        held = weights.astype(np.float32).astype(np.float64)
        as_of, count = micros(now), len(names)
        faded = _sums(place, held * _left(as_of - at, half_life_days), count)
        plays = _sums(place, _plays(held) if plays is None else plays, count)
        every = np.arange(count)
        return cls(names, every, faded, np.zeros(count), plays, as_of, half_life_days)

    def plus(self, other: History) -> History:
        """Both histories as one, at the later moment: what all of their listens would give."""
        as_of = max(self.as_of, other.as_of)
        ids, place = np.unique(np.concatenate([self.ids, other.ids]), return_inverse=True)

        def summed(mine: Floats, theirs: Floats) -> Floats:
            return _sums(place, np.concatenate([mine, theirs]), len(ids))

        return History(
            ids,
            np.arange(len(ids)),
            summed(self._dated_at(as_of), other._dated_at(as_of)),
            summed(self.undated, other.undated),
            summed(self.plays, other.plays),
            as_of,
            self.half_life_days,
        )

    @property
    def ids(self) -> NDArray[np.object_]:
        """The tracks: object [tracks], rising."""
        return self.names[self.place]

    @property
    def weights(self) -> Floats:
        """What each track weighs now: float64 [tracks], below 0 where skips prevail."""
        return rounded(self.dated + self.undated)

    def _dated_at(self, moment: int) -> Floats:
        """What the dated listens weigh at a later moment."""
        return self.dated * _left(np.array([moment - self.as_of]), self.half_life_days)


def histories(
    listens: pa.Table, now: datetime, half_life_days: float
) -> Iterator[tuple[str, History]]:
    """Each listener's history in a table of LISTENS, listeners by id."""
    if not half_life_days > 0:
        raise QueryError(f"the half-life is {half_life_days} days: it must be above 0")
    users, user = _coded(listens["user_id"])
    tracks, track = _coded(listens["track_id"])
    pairs, place = np.unique(user * len(tracks) + track, return_inverse=True)
    faded, lasting, plays = (
        _sums(place, part, len(pairs)) for part in _weights(listens, now, half_life_days)
    )
    edges = np.searchsorted(pairs, np.arange(len(users) + 1) * len(tracks))
    at = pairs % max(1, len(tracks))
    as_of = micros(now)
    for number, name in enumerate(users):
        own = slice(edges[number], edges[number + 1])
        yield (
            name,
            History(tracks, at[own], faded[own], lasting[own], plays[own], as_of, half_life_days),
        )


def rounded(weights: Floats) -> Floats:
    """Weights to 24 bits, so that the order in which listens were added decides nothing."""
    mantissa, exponent = np.frexp(weights)
    found: Floats = np.ldexp(np.round(mantissa * _DIGITS) / _DIGITS, exponent)
    return found


def _sums(place: NDArray[np.int64], values: Floats, count: int) -> Floats:
    sums: Floats = np.bincount(place, values, count).astype(np.float64)
    return sums


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    span = utc(moment) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def _weights(listens: pa.Table, now: datetime, half_life_days: float) -> tuple[Floats, ...]:
    """Each listen's weight that fades, weight that does not, and plays.

    A weight above 1 is a count, one below it a listen in part; what merely stands in a playlist
    was not played.
    """
    weight = listens["weight"].to_numpy().astype(np.float64)
    listed = pc.fill_null(pc.starts_with(listens["context"], PLAYLIST), False)
    heard = (weight > 0) & ~listed.to_numpy(zero_copy_only=False)
    plays = np.where(heard, _plays(weight), 0)
    when = listens["timestamp"].cast(pa.int64())
    dated = pc.is_valid(when).to_numpy(zero_copy_only=False)
    moments = pc.fill_null(when, 0).to_numpy()
    left = _left(micros(now) - moments, half_life_days)
    return np.where(dated, weight * left, 0), np.where(dated, 0, weight), plays


def _plays(weight: Floats) -> Floats:
    """How many plays each weight stands for; 0 for skips."""
    plays: Floats = np.where(weight > 0, np.maximum(1, np.round(weight)), 0)
    return plays


def _left(age_us: NDArray[np.int64], half_life_days: float) -> Floats:
    """The share of a weight that is left after an age."""
    left: Floats = np.exp2(np.clip(-(age_us / _DAY_US) / half_life_days, -1000, 1000))
    return left


def _coded(column: pa.ChunkedArray) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """The distinct texts, rising, and which of them each row holds."""
    encoded = column.combine_chunks().dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)  # as Python does: UTF-8 keeps the order of points
    names = np.asarray(encoded.dictionary.take(order).to_pylist(), object)
    place = np.empty(len(names), np.int64)
    place[order.to_numpy()] = np.arange(len(names))
    return names, place[encoded.indices.to_numpy()]
