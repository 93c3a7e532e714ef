"""A catalog as recipes see it, whoever the shelves are for: made once, for all listeners."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.identity import Row
from musicu.errors import QueryError
from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.records import counted
from musicu.shelves.character import Character
from musicu.shelves.clusters import Neighbourhood, neighbourhoods, region_count
from musicu.shelves.naming import Namer
from musicu.shelves.seed_comparison import compared_sample

#: A region's shelf is filled from at most this many, so that one artist cannot empty it.
REGION_POOL = 600
#: A region is named by at most this many of its tracks, those nearest to its middle.
NAMED_BY = 200


class ShelfCatalog:
    """The tracks of a catalog, those of them with a vector, and what is learned from all of them.

    tracks: all. items: those with a vector of one model.
    """

    def __init__(self, tracks: pa.Table, items: ItemTable) -> None:
        self.tracks = tracks
        self.items = items

    @cached_property
    def character(self) -> Character:
        """The words of this catalog."""
        return Character(self.tracks)

    @cached_property
    def namer(self) -> Namer:
        """Names for groups of its tracks."""
        return Namer(self.tracks, self.character)

    @cached_property
    def compared(self) -> Floats:
        """The vectors that seeds are compared with."""
        return compared_sample(self.items)

    @cached_property
    def regions(self) -> list[tuple[str, Neighbourhood]]:
        """The regions of the whole catalog: see `regions_of`."""
        return self.regions_of(np.arange(len(self.items)))

    @property
    def _places(self) -> Ints:
        """Where the track of each row of the item table stands among all: int64 [rows]."""
        if self.items.tracks is self.tracks:
            return np.arange(len(self.items))
        held = self.tracks["track_id"].combine_chunks()
        places: Ints = pc.index_in(self.items.id_texts, value_set=held).to_numpy()
        return places

    def regions_of(self, rows: Ints) -> list[tuple[str, Neighbourhood]]:
        """The regions of some rows of the item table with their names, the largest first.

        They are found in the order of the catalog's tracks, as on its map, and named as there: by
        the rows nearest to their centres, the names of all of them beside each other.
        """
        own = rows[np.argsort(self._places[rows], kind="stable")]
        same = len(own) == len(self.items) and np.array_equal(own, np.arange(len(own)))
        values = self.items.values if same else self.items.values[own]
        found = neighbourhoods(values, region_count(len(own)), REGION_POOL, NAMED_BY)
        named_by = [self.items.tracks_at(own[region.central]).to_pylist() for region in found]
        regions = [
            replace(
                region,
                middle=int(own[region.middle]),
                nearest=own[region.nearest],
                central=own[region.central],
            )
            for region in found
        ]
        return list(zip(self.namer.names(named_by), regions, strict=True))

    def rows(self, ids: Iterable[str], *, missing_ok: bool = False) -> dict[str, Row]:
        """Rows by id, in the order of the ids; QueryError where one is not there, unless fine."""
        wanted = list(dict.fromkeys(ids))
        places = self.items.rows_of(wanted)
        known = self.items.tracks_at(places[places >= 0])
        found = {row["track_id"]: row for row in known.to_pylist()}
        if len(found) == len(wanted):
            return found
        others = rows_of(self.tracks, [t for t in wanted if t not in found], missing_ok=missing_ok)
        found |= others
        return {t: found[t] for t in wanted if t in found}


def rows_of(tracks: pa.Table, ids: Iterable[str], *, missing_ok: bool = False) -> dict[str, Row]:
    """Rows by id; QueryError where one is not in the table, unless that is fine."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    texts = pa.array(wanted, pa.string())
    kept = np.flatnonzero(pc.is_in(tracks["track_id"], value_set=texts).to_numpy())
    found = {row["track_id"]: row for row in tracks.take(pa.array(kept)).to_pylist()}
    missing = [t for t in wanted if t not in found]
    if missing and not missing_ok:
        raise QueryError(
            f"not in the table of tracks: {counted(len(missing), 'track')}, the first "
            f"{missing[0]!r}; take candidates and tracks from one catalog"
        )
    return {t: found[t] for t in wanted if t in found}
