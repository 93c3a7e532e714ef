"""What may be recommended at all, how often, and how varied: one set of constraints for all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.errors import QueryError
from musicu.items.exposure_floors import ExposureFloors
from musicu.items.item_table import Ints, ItemTable
from musicu.records import check_count, check_kind, id_list
from musicu.retrieval.filters import Filter, matching_rows, where_options

#: As many as no list of candidates has: for `max_per_artist` and `max_per_album`, no cap.
NO_CAP = 1 << 30


@dataclass(frozen=True, slots=True)
class Constraints:
    """The constraints that candidates and shelves keep, whatever their source.

    where: a filter that tracks must meet, as in `musicu.retrieval.matching_rows`.
    market: tracks must be known to be on sale there.
    explicit: False leaves out what is marked explicit; what is not marked stays.
    blocked_artists: names; no track that credits one of them, however spelled.
    blocked_tracks: ids; nor the same recording in another file.
    heard: True lets through what the listener has heard; what was skipped more than played
        stays out all the same.
    max_per_artist: tracks that credit one artist, however many others they credit. max_per_album:
        tracks of one album; on a shelf they stand together. Of one work there is always one.
    min_score: the lowest score that may stand on a shelf; None lets everything in.
    diversity: of a shelf, 0 takes the best scores, 1 only looks for what differs; None: what the
        recipe sets.
    explore: the share, 0 to 1, of a listener's candidates that goes to artists with less
        exposure, drawn among the nearest. exposure_below: fewer listens than this, of all
        listeners, make an artist one with less exposure.
    floors: groups of creators that get at least a share of what is shown, where that costs least.

    Raises QueryError for a value that makes no sense.
    """

    where: Filter = None
    market: str | None = None
    explicit: bool = True
    blocked_artists: frozenset[str] = frozenset()
    blocked_tracks: frozenset[str] = frozenset()
    heard: bool = False
    max_per_artist: int = 4
    max_per_album: int = 2
    min_score: float | None = None
    diversity: float | None = None
    explore: float = 0.0
    exposure_below: int = 10
    floors: ExposureFloors | None = None

    def __post_init__(self) -> None:
        """Accept any collection of names and ids, and refuse what makes no sense."""
        for name in ("blocked_artists", "blocked_tracks"):
            given = getattr(self, name)
            if isinstance(given, str):
                raise QueryError(f"{name} is {given!r}: give a list, as [{given!r}]")
            object.__setattr__(self, name, frozenset(id_list(given)))
        for name in ("max_per_artist", "max_per_album"):
            check_count(name, getattr(self, name))
        for name in ("diversity", "explore"):
            value = getattr(self, name)
            if value is not None or name == "explore":
                check_kind(name, value, (int, float), "a number from 0 to 1")
            if value is not None and not 0 <= value <= 1:
                raise QueryError(f"{name} is {value}: it goes from 0 to 1")
        if self.floors is not None:
            check_kind("floors", self.floors, ExposureFloors, "ExposureFloors({'tail': 0.1})")
        if self.min_score is not None and math.isnan(self.min_score):
            raise QueryError("min_score is not a number")


def allowed_rows(items: ItemTable, constraints: Constraints) -> Ints:
    """The rows that may be anybody's candidate, rising: int64 [rows]; of a recording whose copies
    are not all named, those that are."""
    allowed = np.ones(len(items), bool)
    if constraints.where is not None:
        allowed[:] = False
        allowed[matching_rows(items.tracks, constraints.where)] = True
    if constraints.market is not None:
        on_sale = np.zeros(len(items), bool)
        on_sale[matching_rows(items.tracks, where_options(market=constraints.market))] = True
        allowed &= on_sale
    if not constraints.explicit:
        marked = pc.fill_null(items.tracks["explicit"], False)
        allowed &= ~marked.to_numpy()
    if constraints.blocked_artists:
        allowed[items.credits.rows_by(sorted(constraints.blocked_artists))] = False
    if constraints.blocked_tracks:
        ids = pa.array(sorted(constraints.blocked_tracks), pa.string())
        blocked = pc.is_in(items.id_texts, value_set=ids).to_numpy(zero_copy_only=False)
        allowed &= ~np.isin(items.recordings, items.recordings[blocked])
    return items.without_nameless_copies(np.flatnonzero(allowed))
