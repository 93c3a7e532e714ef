"""Around the catalog: a shelf for each of its regions, named by what sets it apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from musicu.progress import tell
from musicu.shelves.assembly import ShelfSpec, by_score
from musicu.shelves.clusters import medoid_of, region_count, regions
from musicu.shelves.context import Anchor, ShelfContext, quoted
from musicu.shelves.naming import Namer
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.shelf import Shelf

#: A region is named by at most this many of its tracks, those nearest to its middle.
NAMED_BY = 200
#: A region's shelf is filled from at most this many, so that one artist cannot empty it.
POOL = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class AroundTheCatalog(Recipe):
    """What lies around the middle of each of the largest regions. count: regions at most."""

    name: ClassVar[str] = "around-the-catalog"
    count: int = 8

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """A shelf a region, the largest first."""
        own = context.matching(self.constraints.where)
        values = (
            context.items.values if len(own) == len(context.items) else context.items.values[own]
        )
        tell("finding regions", 0, len(own), "tracks")
        labels, centres = regions(values, region_count(len(own)))
        middles: list[str] = []
        groups: list[list[str]] = []
        sizes: list[int] = []
        for number in range(min(self.count, len(centres))):
            members = np.flatnonzero(labels == number)
            place = medoid_of(values, members, centres[number])
            order = np.argsort(-(values[members] @ values[place]), kind="stable")
            middles.append(str(context.items.ids[own[place]]))
            sizes.append(len(members))
            groups.append(context.items.ids[own[members[order[:POOL]]]].tolist())
        rows = context.rows([t for group in groups for t in group])
        named_by = [[rows[t] for t in group[:NAMED_BY]] for group in groups]
        names = Namer(context.tracks, context.character).names(named_by)
        shelves = []
        for name, middle, size, group in zip(names, middles, sizes, groups, strict=True):
            near = [t for t in group if t != middle]
            ask = ShelfSpec(
                title=f"{self.title}: {name}" if self.title else name,
                about=f"around {quoted(rows[middle])}, of {size:,} tracks",
                items=context.likened(near, [Anchor(rows[middle])]),
                excluded=[rows[middle]],
                seed=rows[middle],
                order=by_score,
            )
            shelves.append(self.shelf(context, ask))
        return shelves
