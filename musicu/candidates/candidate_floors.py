"""Exposure floors over the candidates of some listeners.

Each group's own best candidates, found as all others are, come after the candidates that a listener
has, as far as the caps let them stand together. Then a listener's candidates of one source are one
list, and `with_exposure_floors` exchanges the places that cost least. Shares between sources stay,
and so does what is there to explore.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from musicu.candidates.candidate_reasons import Found
from musicu.candidates.request import Ranked
from musicu.candidates.selection import Entries, select
from musicu.items.constraints import Constraints
from musicu.items.creator_groups import Mask
from musicu.items.exposure_floors import ExposureFloors, FloorCount, counts_of
from musicu.items.item_table import Ints, ItemTable
from musicu.ranking.exposure_floor import with_exposure_floors
from musicu.retrieval.ordering import best_first, places_in


def with_floors(
    floors: ExposureFloors, masks: list[Mask], items: ItemTable, constraints: Constraints,
    found: Found, own: Sequence[Found], sources: int,
) -> tuple[Found, list[FloorCount]]:  # fmt: skip
    """The candidates with the floors, in the order of CANDIDATES, and what the floors did.

    masks: bool [rows], of each group. found: without floors. own: the best of each group.
    """
    every = Found.joined([found, *own])
    known = np.repeat([True, False], [len(found.row), len(every.row) - len(found.row)])
    order = np.lexsort((items.order_by_id[every.row], -every.score, ~known, every.listener))
    every, known = every.take(order), known[order]
    allowed = _within_caps(items, every, constraints)
    every, known = every.take(allowed), known[allowed]
    lists = every.listener * sources + every.source
    order = best_first(lists, every.score, items.order_by_id[every.row])
    every, known, lists = every.take(order), known[order], lists[order]
    names, row = np.unique(lists, return_inverse=True)
    place = places_in(lists)
    shape = (len(names), int(place.max(initial=-1)) + 1)

    def padded(values: Mask) -> Mask:
        table = np.zeros(shape, np.bool_)
        table[row, place] = values
        return table

    scores = np.full(shape, -np.inf, np.float32)
    scores[row, place] = every.score
    kept = with_exposure_floors(
        scores, padded(known), [padded(mask[every.row]) for mask in masks],
        list(floors.shares.values()), padded(every.explored),
    )  # fmt: skip
    shown = every.take(np.flatnonzero(kept[row, place]))
    before = found.row, found.score
    return shown, counts_of(floors, masks, before, (shown.row, shown.score))


def _within_caps(items: ItemTable, found: Found, constraints: Constraints) -> Ints:
    """Which entries may stand together, for each listener the first before the others."""
    listeners, sizes = np.unique(found.listener, return_counts=True)
    count = len(listeners)
    lists = Ranked(
        np.arange(count),
        np.full(count, -1, np.int32),
        sizes.astype(np.int64),
        np.ones(count, bool),
        np.append(0, np.cumsum(sizes)),
        found.row,
        found.score,
    )
    caps = constraints.max_per_artist, constraints.max_per_album
    most = int(sizes.max(initial=1))
    return select(lists, Entries.of(items, found.row), count, most, *caps).entries
