"""A catalog's map as numbers: where each track lies, and which region it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.catalog.catalog import Catalog
from musicu.catalog.rows import TableRows
from musicu.catalog.stored_vectors import VectorBatch
from musicu.errors import QueryError
from musicu.progress import tell, tracked
from musicu.retrieval import Filter, matching_rows
from musicu.shelves.character import SCALES, Character
from musicu.shelves.clusters import (
    by_size,
    nearest_centre,
    region_centres,
    region_count,
    sample_rows,
)
from musicu.shelves.map.projection import Method, component_count, laid_out, principal_components
from musicu.shelves.naming import Namer
from musicu.shelves.shelf_catalog import NAMED_BY

Rows = NDArray[np.int64]

#: What regions are named by.
COLUMNS = (
    *("track_id", "title", "artists", "album_artist", "genres", *SCALES),
    *(confidence for _, _, confidence in SCALES.values() if confidence),
)

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
    catalog: Catalog,
    *,
    model: str | None = None,
    where: Filter = None,
    count: int | None = None,
    method: Method = "tsne",
) -> Atlas:
    """The map of the tracks that meet a filter and have a vector.

    model: Default: the catalog's default model. count: regions, as `region_count` says where None.
    Vectors are read twice, some thousand at a time: regions and principal components are fitted to
    at most 20,000 of them.

    Raises QueryError where there is no track to draw, and as `project` does.
    """
    tracks = catalog.columns(COLUMNS) if where is None else catalog.tracks()
    wanted = np.zeros((2, tracks.num_rows), np.bool_)
    wanted[0, matching_rows(tracks, where)] = wanted[1, catalog.vector_rows(model)] = True
    rows = np.flatnonzero(wanted.all(axis=0))
    if not len(rows):
        raise QueryError("no track with a vector meets the conditions: there is nothing to draw")
    if count is not None and count < 1:
        raise QueryError(f"the number of regions is {count}: it must be 1 or more")
    places = np.full(tracks.num_rows, -1)
    places[rows] = np.arange(len(rows))

    def batches(stage: str) -> Iterator[VectorBatch]:
        placed = _placed(catalog.vector_batches(model), places)
        return tracked(placed, stage, len(rows), "tracks", lambda batch: len(batch.rows))

    rng = np.random.default_rng(0)
    sample = _sample(batches("reading vectors"), sample_rows(len(rows), rng))
    centres = region_centres(sample, count or region_count(len(rows)), rng)
    components = principal_components(sample, component_count(method))
    parts = np.zeros((len(rows), components(sample[:1]).shape[1]))
    labels = np.zeros(len(rows), np.int64)
    closeness = np.zeros(len(rows), np.float32)
    for at, values in batches("placing tracks in regions"):
        parts[at] = components(values)
        labels[at] = nearest_centre(values, centres)
        closeness[at] = np.einsum("ij,ij->i", values, centres[labels[at]])
    labels = by_size(labels, centres)[0]
    tell("laying out the map")
    flat = laid_out(parts, method)
    ids = tracks["track_id"].take(pa.array(rows)).combine_chunks()
    table = pa.table([ids, flat[:, 0], flat[:, 1], labels.astype(np.int32)], schema=PLACES)
    return Atlas(table, _named(tracks, rows, labels, closeness))


def _placed(batches: Iterator[VectorBatch], places: Rows) -> Iterator[VectorBatch]:
    """The vectors of the tracks that have a place, and it in place of their row."""
    for rows, values in batches:
        found = places[rows]
        kept = found >= 0
        yield VectorBatch(found[kept], values if kept.all() else values[kept])


def _sample(batches: Iterator[VectorBatch], chosen: Rows) -> NDArray[np.float32]:
    """The vectors of some places, rising: float32 [places, dim]."""
    found = np.zeros((len(chosen), 0), np.float32)
    for rows, values in batches:
        if not found.size:
            found = np.zeros((len(chosen), values.shape[1]), np.float32)
        at = np.minimum(np.searchsorted(chosen, rows), len(chosen) - 1)
        same = chosen[at] == rows
        found[at[same]] = values[same]
    return found


def _named(
    tracks: pa.Table, rows: Rows, labels: Rows, closeness: NDArray[np.float32]
) -> tuple[Region, ...]:
    """The regions by number, named by the tracks nearest to their middles."""
    groups = []
    for number in range(labels.max() + 1):
        members = np.flatnonzero(labels == number)
        groups.append(rows[members[np.argsort(-closeness[members], kind="stable")]])
    held = TableRows(tracks)
    named_by = [held.take(group[:NAMED_BY]).to_pylist() for group in groups]
    names = Namer(tracks, Character(tracks)).names(named_by)
    pairs = zip(names, groups, named_by, strict=True)
    return tuple(Region(name, len(group), near[0]["track_id"]) for name, group, near in pairs)
