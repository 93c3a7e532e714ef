"""How near tracks are to seeds, among all tracks of a catalog."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.shelves.shelf_reasons import Likeness

#: With how many tracks a track's likeness to a seed is compared at most.
COMPARED = 32_768


class SeedComparison:
    """Compares tracks with seeds; what was found of a seed is kept.

    Of a catalog of more than COMPARED tracks, a sample of so many is compared.
    """

    def __init__(self, items: ItemTable, sample: Callable[[], Floats]) -> None:
        """items: all tracks. sample: gives float32 [compared, dim] of `compared_sample`."""
        self._items = items
        self._sampled = sample
        self._cosines: dict[int, tuple[Floats, Floats]] = {}  # by row, also in rising order

    @property
    def _sample(self) -> Floats:
        return self._sampled()

    def prepare(self, seeds: Ints) -> None:
        """Compare some rows with the sample together, which takes a fraction of one by one."""
        new = np.array([row for row in set(seeds.tolist()) if row not in self._cosines], np.int64)
        if len(self._sample) == len(self._items):
            return  # a seed's rank is told: copies must have one cosine, whatever is beside them
        cosines = self._items.values[new] @ self._sample.T
        for row, own, rising in zip(new.tolist(), cosines, np.sort(cosines), strict=True):
            self._cosines[row] = own, rising

    def likeness(self, seed: int, row: int) -> Likeness:
        """How near a row is to the row of a seed, among all others."""
        values, others = self._items.values, len(self._items) - 1
        if seed not in self._cosines:
            cosines = self._sample @ values[seed]
            self._cosines[seed] = cosines, np.sort(cosines)
        cosines, rising = self._cosines[seed]
        if len(rising) <= others:  # a sample
            cosine = float(values[row] @ values[seed])
            share = int(np.searchsorted(rising, cosine)) / len(rising)
            spread = 4 * (share * (1 - share) / len(rising)) ** 0.5
            share = max(0.0, share - spread - 8 / len(rising))
            return Likeness(cosine, None, others, share, self._items.of_sound)
        cosine, self_cosine = cosines[row], cosines[seed]
        below = int(np.searchsorted(rising, cosine)) - int(self_cosine < cosine)
        above = len(rising) - int(np.searchsorted(rising, cosine, side="right"))
        rank = above - int(self_cosine > cosine) + 1
        share = below / max(1, others)
        return Likeness(float(cosine), rank, others, share, self._items.of_sound)


def compared_sample(items: ItemTable) -> Floats:
    """The vectors that seeds are compared with: all of them, or COMPARED, drawn once."""
    count = len(items)
    if count <= COMPARED:
        return items.values
    rows = np.random.default_rng(0).choice(count, COMPARED, replace=False)
    sample: Floats = items.values[np.sort(rows)]
    return sample
