"""Around the catalog: a shelf for each of its regions, named by what sets it apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from musicu.progress import tell
from musicu.shelves.assembly import ScoredItem, ShelfSpec, by_score
from musicu.shelves.context import Anchor, ShelfContext, quoted
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.shelf import Shelf
from musicu.shelves.shelf_reasons import ordinal


@dataclass(frozen=True, slots=True, kw_only=True)
class AroundTheCatalog(Recipe):
    """What lies around the middle of each of the largest regions. count: regions at most."""

    name: ClassVar[str] = "around-the-catalog"
    count: int = 8

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """A shelf a region, the largest first."""
        own = context.matching(self.constraints.where)
        tell("finding regions", 0, len(own), "tracks")
        whole = len(own) == len(context.items)
        regions = context.catalog.regions if whole else context.catalog.regions_of(own)
        regions = regions[: self.count]
        ids = context.items.ids
        rows = context.rows([t for _, region in regions for t in ids[region.nearest]])
        shelves = []
        for name, region in regions:
            middle = str(ids[region.middle])
            group = ids[region.nearest].tolist()
            near = [t for t in group if t != middle]
            ask = ShelfSpec(
                title=f"{self.title}: {name}" if self.title else name,
                about=f"around {quoted(rows[middle])}, of {region.size:,} tracks",
                items=[
                    _in_region(item, rank, region.size)
                    for rank, item in enumerate(context.likened(near, [Anchor(rows[middle])]), 1)
                ],
                excluded=[rows[middle]],
                seed=rows[middle],
                order=by_score,
            )
            shelves.append(self.shelf(context, ask))
        return shelves


def _in_region(item: ScoredItem, rank: int, size: int) -> ScoredItem:
    """An item whose nearness is told as its place in the region: many are as near in the catalog.

    rank: 1 is the nearest to the middle. size: tracks of the region.
    """
    reasons = tuple(
        replace(
            reason,
            text=_place(rank),
            value={**reason.value, "region_rank": rank, "region_tracks": size},
        )
        if reason.kind == "sound"
        else reason
        for reason in item.reasons
    )
    return replace(item, reasons=reasons)


def _place(rank: int) -> str:
    if rank == 1:
        return "the track nearest to the middle of the region"
    return f"{ordinal(rank)} nearest to the middle of the region"
