"""A share of exposure for groups of tracks, taken where it costs least.

Each listener's list gives up its last tracks that are not of the group for the best ones of the
group below it. Over all listeners the exchanges that lose least expected reward are made, until the
group has its share: those who like such tracks anyway get them, and others keep their lists. What
an exchange loses rises with each further one of a list, so that no other choice of exchanges loses
less. The aim is that of Biega, Gummadi and Weikum ("Equity of attention", SIGIR 2018). Several
groups take their shares one after the other; none takes a place from another that then has less
than its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    shown = there & (np.arange(scores.shape[1]) < k)
    kept = with_exposure_floors(scores, shown, [group], [share])
    found = np.full((len(scores), k), -1, np.int64)
    row, place = np.nonzero(kept)
    within = np.arange(len(row)) - np.searchsorted(row, row)
    found[row, within] = place
    return found


def with_exposure_floors(
    scores: Floats,
    shown: Mask,
    groups: Sequence[Mask],
    shares: Sequence[float],
    fixed: Mask | None = None,
) -> Mask:
    """Which places of each list to show, as many as before, so that each group has its share.

    scores: float [listeners, places], each row falling; -inf where a list ends. shown: bool, of the
    same shape, what is shown without floors. groups: such masks. shares: of each group. fixed: what
    is shown whatever it costs. Gives bool, of the same shape.
    """
    there = np.isfinite(scores)
    if (there[:, 1:] & ~(scores[:, 1:] <= scores[:, :-1])).any():
        raise QueryError("scores have to fall along each list")
    kept = shown & there
    least = [math.ceil(share * int(kept.sum()) - 1e-9) for share in shares]
    stays = np.zeros(scores.shape, bool) if fixed is None else fixed
    members = [group & there for group in groups]
    for number, (group, wanted) in enumerate(zip(members, least, strict=True)):
        while (owed := wanted - int((kept & group).sum())) > 0:
            spare = [int((kept & other).sum()) - n for other, n in zip(members, least, strict=True)]
            free = kept & ~group & ~stays
            for place, other in enumerate(members):
                if place != number and spare[place] <= 0:
                    free &= ~other
            others = [(m, spare[n]) for n, m in enumerate(members) if n != number]
            made = _exchange(scores, kept, group & ~kept, free, owed, others)
            if not made:
                break
    return kept


def _exchange(
    scores: Floats, kept: Mask, coming: Mask, leaving: Mask, owed: int,
    others: Sequence[tuple[Mask, int]],
) -> int:  # fmt: skip
    """Make the cheapest exchanges, in place; how many. others: groups, and what each can spare."""
    losses, row, out, into = _exchanges(scores, kept, coming, leaving)
    chosen = np.argsort(losses, kind="stable")
    for mask, spare in others:
        taken = mask[row[chosen], out[chosen]]
        chosen = chosen[~taken | (np.cumsum(taken) <= spare)]
    chosen = chosen[:owed]
    kept[row[chosen], out[chosen]] = False
    kept[row[chosen], into[chosen]] = True
    return len(chosen)


def _exchanges(
    scores: Floats, kept: Mask, coming: Mask, leaving: Mask
) -> tuple[NDArray[np.float64], Ints, Ints, Ints]:
    """What each exchange of each list loses: the list, the place that leaves and that which comes.

    The last place that may leave is exchanged for the best that may come, and so on upwards; the
    loss counts by the discount of the place that is given up.
    """
    losses = [np.empty(0)]
    lists, out_of, in_to = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    discount = 1 / np.log2(np.arange(scores.shape[1]) + 2.0)
    for row in np.flatnonzero(coming.any(axis=1) & leaving.any(axis=1)).tolist():
        out, into = np.flatnonzero(leaving[row])[::-1], np.flatnonzero(coming[row])
        count = min(len(out), len(into))
        out, into = out[:count], into[:count]
        rank = np.cumsum(kept[row])[out] - 1
        apart = (scores[row, out] - scores[row, into]) * discount[rank]
        losses.append(np.maximum.accumulate(apart.astype(np.float64)))
        lists.append(np.full(count, row))
        out_of.append(out)
        in_to.append(into)
    return tuple(np.concatenate(parts) for parts in (losses, lists, out_of, in_to))  # type: ignore[return-value]
