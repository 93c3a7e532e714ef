"""What may be a candidate at all, and how often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from musicu.errors import QueryError
from musicu.items.table import Ints, Stock
from musicu.retrieval.filters import Filter, matching_rows, where_options


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules that every listener's candidates keep, whatever the source.

    where: a filter that tracks must meet, as in `musicu.retrieval.matching_rows`.
    market: tracks must be known to be on sale there.
    explicit: False leaves out what is marked explicit; what is not marked stays.
    blocked_artists: names; no track that credits one of them, however spelled.
    blocked_tracks: ids.
    heard: True lets through what the listener has heard; what was skipped more than played
        stays out all the same.
    max_per_artist: tracks that credit one artist, however many others they credit. max_per_album:
        tracks of one album.
    explore: the share, 0 to 1, of a listener's candidates that goes to artists with less
        exposure, drawn among the nearest. exposure_below: fewer listens than this, of all
        listeners, make an artist one with less exposure.

    Raises QueryError for a value that makes no sense.
    """

    where: Filter = None
    market: str | None = None
    explicit: bool = True
    blocked_artists: frozenset[str] = frozenset()
    blocked_tracks: frozenset[str] = frozenset()
    heard: bool = False
    max_per_artist: int = 3
    max_per_album: int = 2
    explore: float = 0.0
    exposure_below: int = 10

    def __post_init__(self) -> None:
        """Accept any collection of names and ids, and refuse what makes no sense."""
        check_limits(self)
        if not 0 <= self.explore <= 1:
            raise QueryError(f"explore is {self.explore}: it is a share from 0 to 1")


def check_limits(limits: object) -> None:
    """Make what is blocked a frozen set, and refuse limits below one; for frozen dataclasses.

    limits: has blocked_artists, blocked_tracks, max_per_artist and max_per_album.
    Raises QueryError for a single text where a list belongs, and for a limit below one.
    """
    for name in ("blocked_artists", "blocked_tracks"):
        given = getattr(limits, name)
        if isinstance(given, str):
            raise QueryError(f"{name} is {given!r}: give a list, as [{given!r}]")
        object.__setattr__(limits, name, frozenset(given))
    for name in ("max_per_artist", "max_per_album"):
        if getattr(limits, name) < 1:
            raise QueryError(f"{name} is {getattr(limits, name)}: it must be 1 or more")


def allowed_rows(stock: Stock, limits: Limits) -> Ints:
    """The rows that may be anybody's candidate, rising: int64 [rows]."""
    allowed = np.zeros(len(stock), bool)
    allowed[matching_rows(stock.tracks, limits.where)] = True
    if limits.market is not None:
        on_sale = np.zeros(len(stock), bool)
        on_sale[matching_rows(stock.tracks, where_options(market=limits.market))] = True
        allowed &= on_sale
    if not limits.explicit:
        marked = pc.fill_null(stock.tracks["explicit"], False)
        allowed &= ~marked.to_numpy()
    allowed[stock.credits.rows_by(sorted(limits.blocked_artists))] = False
    blocked = pc.is_in(stock.id_texts, value_set=_texts(limits.blocked_tracks))
    allowed &= ~blocked.to_numpy(zero_copy_only=False)
    return np.flatnonzero(allowed)


def emerging_rows(stock: Stock, exposure_below: int) -> Ints:
    """The rows all of whose artists have fewer listens than that, rising: int64 [rows]."""
    made = stock.credits
    exposure = np.bincount(made.artist, stock.plays[made.row], len(made.keys))
    known = exposure[made.artist] >= exposure_below
    emerging = np.zeros(len(stock), bool)
    emerging[made.row] = True  # a track of nobody's is no artist's chance
    emerging[made.row[known]] = False
    return np.flatnonzero(emerging)


def _texts(values: frozenset[str]) -> object:
    import pyarrow as pa

    return pa.array(sorted(values), pa.string())
