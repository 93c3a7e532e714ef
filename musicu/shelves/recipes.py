"""Shelves by purpose: each names its candidates and leaves the rest to `build_shelf`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from musicu.errors import QueryError
from musicu.shelves.build import build_shelf
from musicu.shelves.rules import Rules
from musicu.shelves.shelf import Shelf

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog

_FIRST_POOL = 200


def more_like(
    catalog: Catalog,
    track_id: str,
    *,
    size: int = 20,
    where: Any = None,
    model: str | None = None,
    rules: Rules | None = None,
) -> Shelf:
    """A shelf of the tracks that sound most like one track.

    size: how many tracks at most. where: a pyarrow expression that candidates must meet.
    model: whose vectors to compare; those last added unless told otherwise.

    Looks at the nearest max(200, 10 * size) tracks, and further where the rules leave too few
    of them. Raises QueryError where the track, its vector or the model is missing.
    """
    if size < 1:
        raise QueryError(f"the size of a shelf is {size}: it must be 1 or more")
    tracks, vectors = catalog.tracks(), catalog.vectors(model)
    pool = max(_FIRST_POOL, 10 * size)
    while True:
        candidates = catalog.similar(track_id, k=pool, where=where, model=model)
        shelf = build_shelf(candidates, tracks, vectors, rules, size=size, seed=track_id)
        if len(shelf) == size or candidates.num_rows < pool:
            return shelf
        pool *= 8
