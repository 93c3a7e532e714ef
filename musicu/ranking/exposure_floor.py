"""A share of exposure for a group of tracks, taken where it costs least.

Each listener's list gives up its last tracks that are not of the group for the best ones of the
group below it. Over all listeners the exchanges that lose least expected reward are made, until the
group has its share: those who like such tracks anyway get them, and others keep their lists. What
an exchange loses rises with each further one of a list, so that no other choice of exchanges loses
less. The aim is that of Biega, Gummadi and Weikum ("Equity of attention", SIGIR 2018).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


def with_exposure_floor(scores: Floats, group: Mask, k: int, share: float) -> Ints:
    """The k places of each list to show, best first, so that the group has a share of them all.

    scores: float [listeners, places], each row falling, expected rewards that compare across
    listeners; -inf where a list ends. group: bool, of the same shape. share: of all places shown,
    in [0, 1]. Gives int64 [listeners, k], -1 where a list ends. Where the lists hold too few tracks
    of the group, it gets what they hold. Raises QueryError for what does not fit.
    """
    if scores.shape != group.shape or scores.ndim != 2:
        raise QueryError(f"scores are {scores.shape} and groups {group.shape}: give them alike")
    if not 0 <= share <= 1 or k < 1:
        raise QueryError(f"share is {share} and k {k}: a share from 0 to 1 of at least one place")
    there = np.isfinite(scores)
    if (np.diff(np.where(there, scores, -np.inf), axis=1) > 0).any():
        raise QueryError("scores have to fall along each list")
    width = min(k, scores.shape[1])
    shown = there[:, :width]
    owed = math.ceil(share * int(shown.sum()) - 1e-9) - int((shown & group[:, :width]).sum())
    exchanges = _exchanges(scores, group & there, there & ~group, width)
    losses, lists, leaving, coming = exchanges
    chosen = np.argsort(losses, kind="stable")[: max(owed, 0)]
    kept = np.zeros(scores.shape, bool)
    kept[:, :width] = shown
    kept[lists[chosen], leaving[chosen]] = False
    kept[lists[chosen], coming[chosen]] = True
    found = np.full((len(scores), k), -1, np.int64)
    row, place = np.nonzero(kept)
    within = np.arange(len(row)) - np.searchsorted(row, row)
    found[row, within] = place
    return found


def _exchanges(
    scores: Floats, group: Mask, other: Mask, width: int
) -> tuple[NDArray[np.float64], Ints, Ints, Ints]:
    """What each exchange of each list loses: the list, the place that leaves and that which comes.

    The last place that is not of the group is exchanged for the best of the group further down, and
    so on upwards; the loss counts by the discount of the place that is given up.
    """
    losses, lists, leaving, coming = [], [], [], []
    discount = 1 / np.log2(np.arange(width) + 2.0)
    for row in range(len(scores)):
        out = np.flatnonzero(other[row, :width])[::-1]
        into = width + np.flatnonzero(group[row, width:])
        count = min(len(out), len(into))
        out, into = out[:count], into[:count]
        apart = (scores[row, out] - scores[row, into]) * discount[out]
        losses.append(np.maximum.accumulate(apart.astype(np.float64)) if count else apart)
        lists.append(np.full(count, row))
        leaving.append(out)
        coming.append(into)
    return tuple(np.concatenate(parts) for parts in (losses, lists, leaving, coming))  # type: ignore[return-value]
