"""Around the catalog: a shelf for each of its regions, named by what sets it apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from musicu.shelves.build import Ask, by_score
from musicu.shelves.clusters import medoid_of, region_count, regions
from musicu.shelves.naming import Namer
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.shelf import Shelf
from musicu.shelves.world import FIRST_POOL, Anchor, World, quoted

#: A region is named by at most this many of its tracks, those nearest to its middle.
NAMED_BY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AroundTheCatalog(Recipe):
    """What lies around the middle of each of the largest regions. count: regions at most."""

    name: ClassVar[str] = "around-the-catalog"
    count: int = 8

    def shelves(self, world: World) -> list[Shelf]:
        """A shelf a region, the largest first."""
        ids = world.matching(self.where)
        values = world.space.rows(ids)
        labels, centres = regions(values, region_count(len(ids)))
        middles: list[str] = []
        groups: list[list[str]] = []
        for number in range(min(self.count, len(centres))):
            members = np.flatnonzero(labels == number)
            place = medoid_of(values, members, centres[number])
            order = np.argsort(-(values[members] @ values[place]), kind="stable")
            middles.append(ids[place])
            groups.append([ids[i] for i in members[order]])
        rows = world.rows([t for group in groups for t in group[: max(NAMED_BY, FIRST_POOL)]])
        named_by = [[rows[t] for t in group[:NAMED_BY]] for group in groups]
        names = Namer(world.tracks, world.character).names(named_by)
        shelves = []
        for name, middle, group in zip(names, middles, groups, strict=True):
            near = [t for t in group[:FIRST_POOL] if t != middle]
            ask = Ask(
                title=f"{self.title}: {name}" if self.title else name,
                about=f"around {quoted(rows[middle])}, of {len(group):,} tracks",
                choices=world.choices(near, [Anchor(rows[middle])]),
                barred=[rows[middle]],
                seed=rows[middle],
                arrange=by_score,
            )
            shelves.append(self.shelf(world, ask))
        return shelves
