"""Around the catalog: a shelf for each of its regions, named by what sets it apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.items.item_table import Ints
from musicu.progress import tell
from musicu.shelves.assembly import ShelfSpec, by_score
from musicu.shelves.clusters import Floats, Labels, medoid_of, region_count, regions
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
        own = _in_order_of_tracks(context, context.matching(self.constraints.where))
        values = (
            context.items.values if len(own) == len(context.items) else context.items.values[own]
        )
        tell("finding regions", 0, len(own), "tracks")
        labels, centres = regions(values, region_count(len(own)))
        middles: list[str] = []
        groups: list[list[str]] = []
        sizes: list[int] = []
        names = _names(context, own, values, labels, centres)
        for number in range(min(self.count, len(centres))):
            members = np.flatnonzero(labels == number)
            place = medoid_of(values, members, centres[number])
            order = np.argsort(-(values[members] @ values[place]), kind="stable")
            middles.append(str(context.items.ids[own[place]]))
            sizes.append(len(members))
            groups.append(context.items.ids[own[members[order[:POOL]]]].tolist())
        rows = context.rows([t for group in groups for t in group])
        shelves = []
        for name, middle, size, group in zip(
            names[: len(groups)], middles, sizes, groups, strict=True
        ):
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


def _in_order_of_tracks(context: ShelfContext, rows: Ints) -> Ints:
    """Rows in the order of the catalog's tracks, in which the map finds the same regions."""
    ids = context.items.id_texts.take(pa.array(rows))
    places = pc.index_in(ids, value_set=context.tracks["track_id"].combine_chunks()).to_numpy()
    return rows[np.argsort(places, kind="stable")]


def _names(
    context: ShelfContext, own: Ints, values: Floats, labels: Labels, centres: Floats
) -> list[str]:
    """The names of all regions, as the map has them: those of some depend on the others."""
    groups = []
    for number, centre in enumerate(centres):
        members = np.flatnonzero(labels == number)
        near = members[np.argsort(-(values[members] @ centre), kind="stable")][:NAMED_BY]
        groups.append(context.items.tracks.take(pa.array(own[near])).to_pylist())
    return Namer(context.tracks, context.character).names(groups)
