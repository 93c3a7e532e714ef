"""How likely a place of a page is looked at, from what was shown there: the position bias.

A reward needs that a place is examined and that what stands there is liked:
E[reward] = row(r) · slot(s) · relevance, the position-based model (Craswell et al., WSDM 2008) on
the two dimensions of a carousel page. Relevance is that of a group of exposures in which it does
not depend on the place:

- a list whose order was left to chance is a group: randomised slots (Joachims et al., WSDM 2017);
- a listener and a track that were shown together at several places are one: an intervention in
  the log (Agarwal et al., WSDM 2019); of rows, a listener and a shelf.

row, slot and the groups' relevance are those with the largest Poisson likelihood, which for groups
of their own is that of the rewards' distribution over the places of a group. It is climbed by
iterative scaling, and needs no more than the model of the mean for its answer to be right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from musicu.errors import QueryError

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST_REWARDS = 100  # in groups that tell places apart, to trust a curve at all
LEAST = 0.02  # below which no place is taken to be, so that no weight is above 50
RANDOMISED, INTERVENTIONS = "randomised slots", "interventions"
_ROUNDS = 500
_STILL = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """How likely a place is looked at, relative to the first: float64, 1 at place 0.

    rows: of shelves on the page. slots: of tracks on a shelf. basis: what it was learned from,
    "randomised slots" or "interventions", "" where nothing was. rewards: how many told it.
    """

    rows: Doubles
    slots: Doubles
    basis: str = ""
    rewards: int = 0

    def at(self, row: ArrayLike, slot: ArrayLike) -> Doubles:
        """Of places; those further down than any known are taken as the last."""
        rows = np.minimum(np.asarray(row, np.int64), len(self.rows) - 1)
        slots = np.minimum(np.asarray(slot, np.int64), len(self.slots) - 1)
        found = np.maximum(self.rows, LEAST)[rows] * np.maximum(self.slots, LEAST)[slots]
        return np.asarray(np.maximum(found, LEAST))


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Exposures as examination reads them, a row each.

    row, slot: int64, from 0. earned: float64, at least 0. user, track, shelf, page: int64 codes.
    propensity: float64, NaN where it is unknown.
    """

    row: Ints
    slot: Ints
    earned: Doubles
    user: Ints
    track: Ints
    shelf: Ints
    page: Ints
    propensity: Doubles


def curve(place: Ints, other: Doubles, earned: Doubles, group: Ints) -> Doubles:
    """How likely each place is looked at: the largest likelihood, 1 at the first place.

    place: int64, from 0. other: float64, how likely the other dimension is looked at. earned:
    float64, at least 0. group: int64 codes from 0. A place without any reward gets 0.
    """
    values = np.ones(int(place.max()) + 1)
    of_place = np.bincount(place, earned, len(values))
    of_group = np.bincount(group, earned)
    for _ in range(_ROUNDS):
        expected = np.bincount(group, values[place] * other, len(of_group))
        level = np.divide(of_group, expected, out=np.zeros_like(of_group), where=expected > 0)
        expected = np.bincount(place, level[group] * other, len(values))
        after = np.divide(of_place, expected, out=np.zeros_like(values), where=expected > 0)
        after = after / after[0] if after[0] > 0 else after
        moved, values = float(np.abs(after - values).max()), after
        if moved < _STILL:
            break
    return values


def examination(places: Places) -> Examination | None:
    """The examination of a log; None where neither chance nor interventions tell enough."""
    if not len(places.row):
        return None
    if (places.earned < 0).any():
        raise QueryError("what a place earned is below 0: examination reads what is at least 0")
    found = _slots(places, np.ones(len(places.row)))
    if found is None:
        return None
    rows = _rows(places, found.slots)
    if found.basis == INTERVENTIONS:  # a track stands in several rows too
        found = _slots(places, rows[places.row]) or found
        rows = _rows(places, found.slots)
    return replace(found, rows=rows)


def randomised(places: Places) -> NDArray[np.bool_]:
    """Which exposures are of a list whose order was left to chance: bool.

    So it is where 1 / propensity is the same at all places (each track as likely at each), or
    falls by one from place to place (each of those that are left as likely).
    """
    _, shown = np.unique(places.page * (places.shelf.max() + 1) + places.shelf, return_inverse=True)
    known = np.isfinite(places.propensity)
    chances = 1 / np.where(known, places.propensity, 1.0)
    even = _spread(shown, chances) | _spread(shown, chances + places.slot)
    chance = np.bincount(shown, known & (chances > 1 + 1e-9)) > 0
    return np.asarray((even & chance & ~(np.bincount(shown, ~known) > 0))[shown])


def _spread(group: Ints, values: Doubles) -> NDArray[np.bool_]:
    """Whether all values of a group are equal: bool [groups]."""
    low, high = (np.full(group.max() + 1, end) for end in (np.inf, -np.inf))
    np.minimum.at(low, group, values)
    np.maximum.at(high, group, values)
    return np.asarray((high - low) <= 1e-6 * np.abs(high))


def _slots(places: Places, of_row: Doubles) -> Examination | None:
    """The slots, by chance or else by interventions; of_row: float64, of each exposure's row."""
    lists = places.page * (places.shelf.max() + 1) + places.shelf
    pairs = places.user * (places.track.max() + 1) + places.track
    chance = np.flatnonzero(randomised(places))
    for basis, key, among in ((RANDOMISED, lists, chance), (INTERVENTIONS, pairs, None)):
        rows = np.arange(len(key)) if among is None else among
        rows = rows[_telling(key[rows], places.slot[rows], places.earned[rows])]
        rewards = int(np.count_nonzero(places.earned[rows]))
        if rewards >= FEWEST_REWARDS:
            group = np.unique(key[rows], return_inverse=True)[1]
            found = curve(places.slot[rows], of_row[rows], places.earned[rows], group)
            return Examination(np.ones(1), found, basis, rewards)
    return None


def _rows(places: Places, slots: Doubles) -> Doubles:
    """By listeners who saw a shelf in several rows; 1 for all where too few did."""
    pairs = places.user * (places.shelf.max() + 1) + places.shelf
    told = _telling(pairs, places.row, places.earned)
    if np.count_nonzero(places.earned[told]) < FEWEST_REWARDS:
        return np.ones(int(places.row.max()) + 1)
    group = np.unique(pairs[told], return_inverse=True)[1]
    of_slot = np.maximum(slots, LEAST)[np.minimum(places.slot[told], len(slots) - 1)]
    found = curve(places.row[told], of_slot, places.earned[told], group)
    return np.pad(found, (0, int(places.row.max()) + 1 - len(found)))


def _telling(key: Ints, place: Ints, earned: Doubles) -> Ints:
    """The exposures of groups that earned something and stood at more than one place."""
    if not len(key):
        return np.empty(0, np.int64)
    _, group = np.unique(key, return_inverse=True)
    low = np.full(group.max() + 1, np.iinfo(np.int64).max)
    high = np.full(group.max() + 1, -1)
    np.minimum.at(low, group, place)
    np.maximum.at(high, group, place)
    useful = (high > low) & (np.bincount(group, earned) > 0)
    return np.flatnonzero(useful[group])
