"""Arrangements: how the tracks of a shelf are picked from the allowed ones, and in what order.

`by_score`, the plain one, stands in `build`. These are for shelves to listen through: they judge
every transition and say so in `ScoredItem.after`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from musicu.catalog.identity import Row
from musicu.ranking.diversity import POOL_FACTOR
from musicu.shelves.assembly import Order, ScoredItem, Sequencing, diverse
from musicu.shelves.transitions import Transition, Transitions, smooth_order

#: What a choice is worth in a place: float64 [slots, choices].
Fits = NDArray[np.float64]


def flowing(begin: Row | None = None) -> Order:
    """Diversified, then so ordered that each track follows well on the one before.

    begin: the track that was played before the first; else the best choice comes first.
    """

    def arrange(allowed: Sequence[ScoredItem], given: Sequencing) -> list[ScoredItem]:
        pool = list(allowed[: POOL_FACTOR * given.size])
        chosen = [pool[i] for i in diverse(pool, given)]
        return in_flow(chosen, given, begin)

    return arrange


def in_flow(chosen: Sequence[ScoredItem], given: Sequencing, begin: Row | None) -> list[ScoredItem]:
    """The same choices in the order of the smoothest transitions."""
    rows = [*([begin] if begin is not None else []), *(choice.row for choice in chosen)]
    if not rows:
        return []
    judged = transitions(rows, given)
    order = smooth_order(judged.scores, 0)
    offset = len(rows) - len(chosen)
    in_order = [chosen[i - offset] for i in order if i >= offset]
    return followed(in_order, given, begin)


def followed(
    in_order: Sequence[ScoredItem], given: Sequencing, begin: Row | None = None
) -> list[ScoredItem]:
    """Choices in their order, each told how it follows the one before it."""
    rows = [*([begin] if begin is not None else []), *(choice.row for choice in in_order)]
    judged = transitions(rows, given)
    offset = len(rows) - len(in_order)
    return [
        replace(choice, after=judged.of(i + offset - 1, i + offset)) if i + offset else choice
        for i, choice in enumerate(in_order)
    ]


def transitions(rows: Sequence[Row], given: Sequencing) -> Transitions:
    """The transitions among some tracks."""
    return Transitions(rows, given.rows([row["track_id"] for row in rows]))


def slotted(
    fits: Callable[[Sequence[ScoredItem], int], Fits],
    tell: Callable[[ScoredItem, int, int], ScoredItem],
    order: Callable[[list[ScoredItem]], list[ScoredItem]] | None = None,
) -> Order:
    """The best choice for each of a row of places, none twice.

    fits: what each choice is worth in each of so many places. tell: a choice in its place (from
    0, of so many) with its reason. order: a last change of the order, before they are told.

    The assignment has the greatest sum of all (Crouse 2016, as in SciPy).
    """

    def arrange(allowed: Sequence[ScoredItem], given: Sequencing) -> list[ScoredItem]:
        from scipy.optimize import linear_sum_assignment

        slots = min(given.size, len(allowed))
        if not slots:
            return []
        worth = fits(allowed, slots)
        _, columns = linear_sum_assignment(worth, maximize=True)
        chosen = [allowed[i] for i in columns]
        chosen = chosen if order is None else order(chosen)
        told = [tell(choice, slot, slots) for slot, choice in enumerate(chosen)]
        return followed(told, given)

    return arrange


def chained(
    begin: Row,
    allow: Callable[[Transitions], NDArray[np.bool_]],
    tell: Callable[[ScoredItem, Row, Transition], ScoredItem],
    width: int = 24,
) -> Order:
    """A chain from one track by allowed transitions alone; shorter where it comes to an end.

    allow: bool [n, n], which transitions may be made. tell: a choice with the reason that lies
    in how it follows the track before it. A beam of `width` chains grows by the greatest sums of
    scores and transitions.
    """

    def arrange(allowed: Sequence[ScoredItem], given: Sequencing) -> list[ScoredItem]:
        pool = list(allowed[: POOL_FACTOR * given.size])
        rows = [begin, *(choice.row for choice in pool)]
        judged = transitions(rows, given)
        scores = np.array([0.0, *(choice.score for choice in pool)])
        worth = np.where(allow(judged), judged.scores + scores, -np.inf)
        path = longest_chain(worth, given.size, width)
        steps = [(a, b, judged.of(a, b)) for a, b in pairwise(path)]
        return [replace(tell(pool[b - 1], rows[a], step), after=step) for a, b, step in steps]

    return arrange


def longest_chain(worth: NDArray[np.float64], steps: int, width: int) -> list[int]:
    """Places from 0 on, each once, at most `steps` further; the best sum among the longest.

    worth: float64 [n, n], of going from one to another; -inf where that must not be.
    """
    beam: list[tuple[float, list[int]]] = [(0.0, [0])]
    for _ in range(steps):
        grown = []
        for total, path in beam:
            row = worth[path[-1]].copy()
            row[path] = -np.inf
            best = np.argsort(-row, kind="stable")[:width]
            grown += [(total + row[i], [*path, int(i)]) for i in best if np.isfinite(row[i])]
        if not grown:
            break
        beam = sorted(grown, key=lambda state: (-state[0], state[1]))[:width]
    return beam[0][1]
