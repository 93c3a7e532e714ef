"""A catalog's map as numbers: where each track lies, and which region it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.retrieval import Filter
from musicu.shelves.clusters import region_count, regions
from musicu.shelves.context import ShelfContext
from musicu.shelves.map.projection import Method, project
from musicu.shelves.naming import Namer
from musicu.shelves.recipes.around import NAMED_BY

#: A row a track, in the order of the catalog.
PLACES = pa.schema(
    [("track_id", pa.string()), ("x", pa.float32()), ("y", pa.float32()), ("region", pa.int32())]
)


@dataclass(frozen=True, slots=True)
class Region:
    """A region's name, its number of tracks, and the track in its middle."""

    name: str
    tracks: int
    middle: str


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """places: the columns of PLACES, x and y from 0 to 1. regions: by number, largest first."""

    places: pa.Table
    regions: tuple[Region, ...]

    def document(self) -> dict[str, Any]:
        """The regions as plain values that go into JSON."""
        return {
            "format": 1,
            "tracks": self.places.num_rows,
            "regions": [
                {"region": i, "name": r.name, "tracks": r.tracks, "middle": r.middle}
                for i, r in enumerate(self.regions)
            ],
        }


def draw_map(
    context: ShelfContext,
    *,
    where: Filter = None,
    count: int | None = None,
    method: Method = "tsne",
) -> Atlas:
    """The map of the tracks that meet a filter and have a vector.

    count: regions, as `region_count` says where None. Raises QueryError where there is no track
    to draw, and as `project` does.
    """
    own = context.matching(where)
    if not len(own):
        raise QueryError("no track with a vector meets the conditions: there is nothing to draw")
    if count is not None and count < 1:
        raise QueryError(f"the number of regions is {count}: it must be 1 or more")
    ids = context.items.ids[own]
    values = context.items.values if len(own) == len(context.items) else context.items.values[own]
    labels, centres = regions(values, count or region_count(len(ids)))
    flat = project(values, method)
    places = {"track_id": ids, "x": flat[:, 0], "y": flat[:, 1], "region": labels}
    return Atlas(pa.table(places, schema=PLACES), _named(context, ids, values, labels, centres))


def _named(
    context: ShelfContext,
    ids: NDArray[np.object_],
    values: NDArray[np.float32],
    labels: NDArray[np.int64],
    centres: NDArray[np.float32],
) -> tuple[Region, ...]:
    groups = []
    for number, centre in enumerate(centres):
        members = np.flatnonzero(labels == number)
        groups.append(members[np.argsort(-(values[members] @ centre), kind="stable")])
    rows = context.rows({ids[i] for members in groups for i in members[:NAMED_BY]})
    named_by = [[rows[ids[i]] for i in members[:NAMED_BY]] for members in groups]
    names = Namer(context.tracks, context.character).names(named_by)
    pairs = zip(names, groups, strict=True)
    return tuple(Region(name, len(members), ids[members[0]]) for name, members in pairs)
