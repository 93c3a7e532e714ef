"""A catalog at a moment, as every answer sees it: what was opened, and what has come in since.

Opening a catalog of 100,000 tracks takes seconds, an upload should take less than one. So a track
that comes in stands beside the opened catalog, in a new generation that shares all the rest, and
whoever holds a generation sees the same tracks until the answer is done.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.catalog.catalog import Catalog
from musicu.catalog.identity import Row
from musicu.catalog.rows import TableRows, rising
from musicu.catalog.store import Store
from musicu.errors import QueryError
from musicu.items.item_table import ItemTable
from musicu.retrieval.similar import similar_to_vector
from musicu.sequences.catalog_models import has_next_model, open_next_model
from musicu.sequences.next_item_model import NextItemModel
from musicu.serving.style_thinning import StyleScale
from musicu.shelves.context import ShelfContext
from musicu.shelves.shelf import ShelfTrack

Floats = NDArray[np.float32]

#: Which track came in when, in the catalog's folder, a line each; and how many lines count.
ARRIVALS = Path("uploads") / "arrivals.jsonl"
_MOST_ARRIVALS = 200
_ARRIVAL_BYTES = 200_000
_ARRIVAL_DAYS = 90
#: What an answer is made of; `path` gives the title where no tag does.
SHOWN_COLUMNS = [
    "track_id",
    "title",
    "artists",
    "album_artist",
    "album",
    "date",
    "released",
    "genres",
    "duration_seconds",
    "path",
]


@dataclass(frozen=True, slots=True, eq=False)
class FreshTrack:
    """A track that came in after the catalog was opened.

    row: with the catalog's columns. vector: float32 [dim], unit length; None where it has none
    under the catalog's model.
    """

    row: Row
    vector: Floats | None

    @property
    def track_id(self) -> str:
        """The track's id."""
        return str(self.row["track_id"])


class OpenedCatalog:
    """A catalog folder as it was when it was opened; what is made of all of it is kept.

    number: tells it from those opened before and after.
    """

    def __init__(self, catalog: Catalog, sequence: int, model: str | None, number: int) -> None:
        self.catalog, self.sequence, self.number = catalog, sequence, number
        self.tracks: pa.Table = catalog.tracks()
        self.model = catalog.default_model if model is None else model
        self.context = self._context()
        self.arrivals = self._arrivals()
        self.shared_page: Any = None  # of `listener_pages`, made before anybody sees this

    @classmethod
    def open(cls, catalog: Catalog, model: str | None, number: int) -> OpenedCatalog:
        """Open the folder of a catalog anew."""
        store = Store.open(catalog.path)
        return cls(Catalog(store), store.manifest.sequence, model, number)

    def _context(self) -> ShelfContext | None:
        """What shelves are made from; None where no track has a vector."""
        if self.model is None or not len(self.catalog.vectors(self.model).ids):
            return None
        context = ShelfContext(self.catalog, model=self.model)
        context.items.index  # noqa: B018 - made now, not for the first who asks
        context.items.index_ids()
        return context

    def _arrivals(self) -> tuple[Row, ...]:
        """The rows of tracks that came in by the service, the latest first."""
        try:
            with (self.catalog.path / ARRIVALS).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _ARRIVAL_BYTES))
                lines = file.read().splitlines()[-_MOST_ARRIVALS:]
        except FileNotFoundError:
            return ()
        since = (datetime.now(timezone.utc) - timedelta(days=_ARRIVAL_DAYS)).isoformat()
        said = [arrival for line in lines if (arrival := _arrival(line)) is not None]
        ids = [track for track, at in reversed(said) if at >= since]
        rows = (self.row(track_id) for track_id in dict.fromkeys(ids))
        return tuple(row for row in rows if row is not None and not row["gone"])

    @property
    def items(self) -> ItemTable | None:
        """The tracks that have a vector; None where none has."""
        return None if self.context is None else self.context.items

    @cached_property
    def ids(self) -> NDArray[np.object_]:
        """The ids of all tracks: object [tracks], rising."""
        ids = self.tracks["track_id"]
        if not rising(ids):
            raise QueryError(f"the tracks of {self.catalog.path} are not sorted: embed anew")
        found: NDArray[np.object_] = ids.to_numpy(zero_copy_only=False)
        return found

    @cached_property
    def style_scale(self) -> StyleScale:
        """How alike tracks of one style are."""
        assert self.items is not None
        return StyleScale.of(self.items)

    @cached_property
    def next_model(self) -> NextItemModel | None:
        """The catalog's next-item model, where one was trained."""
        return open_next_model(self.catalog) if has_next_model(self.catalog) else None

    def row(self, track_id: str) -> Row | None:
        """A track's row."""
        place = int(np.searchsorted(self.ids, track_id)) if len(self.ids) else 0
        if place >= len(self.ids) or self.ids[place] != track_id:
            return None
        found: Row = self.tracks.slice(place, 1).to_pylist()[0]
        return found

    def rows(self, track_ids: Sequence[str]) -> list[Row]:
        """What is shown of some tracks that are all there, in their order."""
        asked = np.empty(len(track_ids), object)
        asked[:] = track_ids
        found: list[Row] = self._shown.take(np.searchsorted(self.ids, asked)).to_pylist()
        return found

    @cached_property
    def _shown(self) -> TableRows:
        return TableRows(self.tracks.select(SHOWN_COLUMNS))

    def rows_after(self, track_id: str, limit: int) -> list[Row]:
        """The rows of the tracks that follow an id."""
        place = int(np.searchsorted(self.ids, track_id, side="right")) if len(self.ids) else 0
        found: list[Row] = self.tracks.slice(place, limit).to_pylist()
        return found


@dataclass(frozen=True, eq=False)
class Generation:
    """What answers are made from. fresh: the latest first; none of them is in the base."""

    number: int
    base: OpenedCatalog
    fresh: tuple[FreshTrack, ...] = ()

    def with_fresh(self, tracks: Sequence[FreshTrack]) -> Generation:
        """The next generation, with more tracks."""
        ids = {track.track_id for track in tracks}
        kept = (track for track in self.fresh if track.track_id not in ids)
        return replace(self, number=self.number + 1, fresh=(*tracks, *kept))

    def over(self, base: OpenedCatalog) -> Generation:
        """The next generation, over a catalog that was opened since, without what that has."""
        kept = tuple(track for track in self.fresh if base.row(track.track_id) is None)
        return Generation(self.number + 1, base, kept)

    def __len__(self) -> int:
        return len(self.base.ids) + sum(self.base.row(t.track_id) is None for t in self.fresh)

    @cached_property
    def arrivals(self) -> tuple[Row, ...]:
        """The rows of tracks that came in lately, the latest first."""
        ids = self._fresh_by_id.keys()
        older = (row for row in self.base.arrivals if row["track_id"] not in ids)
        return (*(track.row for track in self.fresh), *older)[:_MOST_ARRIVALS]

    @cached_property
    def _fresh_by_id(self) -> dict[str, FreshTrack]:
        return {track.track_id: track for track in self.fresh}

    def row(self, track_id: str) -> Row | None:
        """A track's row; None where there is no such track."""
        fresh = self._fresh_by_id.get(track_id)
        return self.base.row(track_id) if fresh is None else fresh.row

    def rows_after(self, track_id: str, limit: int) -> list[Row]:
        """The rows of the tracks that follow an id, by id."""
        fresh = [track.row for track in self.fresh if track.track_id > track_id]
        found = {_id_of(row): row for row in (*self.base.rows_after(track_id, limit), *fresh)}
        return [found[name] for name in sorted(found)[:limit]]

    def similar(self, track_id: str, k: int) -> list[dict[str, Any]]:
        """The k tracks nearest to one, the best first; QueryError where it has no vector."""
        vector = self.vector(track_id)
        if vector is None:
            raise QueryError(f"track {track_id!r} has no vector")
        found: list[dict[str, Any]] = []
        if self.base.items is not None:
            near = similar_to_vector(
                self.base.catalog, vector, k, model=self.base.model, exclude=[track_id]
            )
            scores = near["score"].to_pylist()
            rows = self.base.rows(near["track_id"].to_pylist())
            found = [{**public(row), "score": s} for row, s in zip(rows, scores, strict=True)]
        found += [
            {**public(track.row), "score": float(track.vector @ vector)}
            for track in self.fresh
            if track.vector is not None and track.track_id != track_id
        ]
        return sorted(found, key=lambda each: -each["score"])[:k]

    def vector(self, track_id: str) -> Floats | None:
        """A track's vector, float32 [dim]; None where it has none."""
        fresh = self._fresh_by_id.get(track_id)
        if fresh is not None:
            return fresh.vector
        if self.base.items is None:
            return None
        place = int(self.base.items.rows_of([track_id])[0])
        return None if place < 0 else np.asarray(self.base.items.values[place])


def public(row: Row) -> dict[str, Any]:
    """What an answer says of a track: nothing of where it lies."""
    track = ShelfTrack(row)
    seconds = row.get("duration_seconds")
    return {
        "track_id": track.track_id,
        "title": track.title,
        "artists": [name for name in row.get("artists") or () if name],
        "album": row.get("album"),
        "date": row.get("date") or _day(row.get("released")),
        "genres": row.get("genres") or [],
        "duration_seconds": _rounded(seconds),
    }


def _arrival(line: bytes) -> tuple[str, str] | None:
    """The id and the moment of a line; None where it was cut short."""
    try:
        said = json.loads(line)
        return str(said["track_id"]), str(said["at"])
    except (ValueError, KeyError, TypeError):
        return None


def _rounded(seconds: float | None) -> float | None:
    """A length for JSON, which knows no number that is not finite."""
    known = seconds is not None and math.isfinite(seconds)
    return round(float(seconds), 3) if known and seconds is not None else None


def _day(day: Any) -> str | None:
    return None if day is None else str(day)


def _id_of(row: Row) -> str:
    return str(row["track_id"])
