"""Groups of creators: whose tracks are heard and shown.

Conventions:

- A group is a set of tracks. A track may be in several (its artists, its genres) or in none.
- Popularity. Cold: nobody heard it. Head: the most heard tracks that together have 80 % of all
  pairs of listener and track; tail: the other heard ones (the cut of Celma, Music Recommendation
  and Discovery, 2010, chapter 5). Equals are in the same group: the head takes in all tracks with
  as many listeners as its last.
- Release age, in years of 365 days before a day: new below 1, recent below 5, old from 5 on.
- Emerging: tracks all of whose artists have little exposure (`emerging_rows`).
- Otherwise a column of the tracks, such as a label, or a table of track_id and a group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.items.item_table import ItemTable
from musicu.records import short

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

HEAD_SHARE = 0.8
POPULARITY, RELEASE_AGE, EMERGING, OTHER = "popularity", "release-age", "emerging", "other groups"
TRACK_GROUPS = ("cold", "tail", "head")
AGE_GROUPS = ("new", "recent", "old")
AGE_YEARS = (1, 5)
#: Groups that are shown at most; the smaller ones are folded into one.
MOST_GROUPS = 20

_FOUND: WeakKeyDictionary[ItemTable, dict[Any, tuple[Any, CreatorGroups]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, eq=False)
class CreatorGroups:
    """Which tracks are in which group.

    by: what the groups are of. names: rising. row, group: int64 [pairs], a track and its group.
    tracks: how many there are, with or without a group.
    """

    by: str
    names: tuple[str, ...]
    row: Ints
    group: Ints
    tracks: int

    @classmethod
    def of_masks(cls, by: str, masks: Mapping[str, Mask]) -> CreatorGroups:
        """Groups from bool [tracks] each."""
        held = {name: np.flatnonzero(mask) for name, mask in masks.items()}
        return cls(
            by,
            tuple(held),
            np.concatenate([np.empty(0, np.int64), *held.values()]),
            np.repeat(np.arange(len(held)), [len(rows) for rows in held.values()]),
            len(next(iter(masks.values()))),
        )

    def mask(self, name: str) -> Mask:
        """The tracks of one group: bool [tracks]. Raises QueryError for an unknown one."""
        if name not in self.names:
            known = ", ".join(map(repr, self.names[:MOST_GROUPS]))
            more = " and more" if len(self.names) > MOST_GROUPS else ""
            raise QueryError(f"{self.by} has no group {name!r}: the groups are {known}{more}")
        mask = np.zeros(self.tracks, bool)
        mask[self.row[self.group == self.names.index(name)]] = True
        return mask

    def matrix(self) -> csr_matrix:
        """csr float32 [tracks, groups], 1 where a track is in a group."""
        ones = np.ones(len(self.row), np.float32)
        return csr_matrix((ones, (self.row, self.group)), shape=(self.tracks, len(self.names)))

    def folded(
        self, listeners: Callable[[CreatorGroups], Ints], smallest: int, most: int = MOST_GROUPS
    ) -> tuple[CreatorGroups, int]:
        """Groups of too few listeners, and those after the largest, as the one "other groups".

        It takes in the smallest others until it has enough listeners, so that no small group can
        be had by subtraction; where only it is left there is no group. listeners: counts those of
        each of some groups, int64 [groups]. Gives the groups and how many were folded.
        """
        held = np.unique(self.group)
        if len(held) < len(self.names):  # groups without a track
            names = tuple(self.names[group] for group in held.tolist())
            group = np.searchsorted(held, self.group)
            some = CreatorGroups(self.by, names, self.row, group, self.tracks)
            return some.folded(listeners, smallest, most)
        sizes = listeners(self)
        order = np.argsort(sizes, kind="stable").tolist()
        hidden = max(int((sizes < smallest).sum()), len(order) - most)
        if hidden <= 0:
            return self, 0
        found = self._without(order[:hidden])
        while hidden < len(order) and listeners(found)[-1] < smallest:
            hidden += 1
            found = self._without(order[:hidden])
        if hidden < len(order):
            return found, hidden
        none = np.empty(0, np.int64)
        return CreatorGroups(self.by, (), none, none, self.tracks), hidden

    def _without(self, hidden: Sequence[int]) -> CreatorGroups:
        """Some groups as one, the last."""
        kept = sorted(set(range(len(self.names))) - set(hidden))
        place = np.full(len(self.names), len(kept))
        place[kept] = np.arange(len(kept))
        pairs = np.unique(np.stack([self.row, place[self.group]]), axis=1)
        names = (*(self.names[group] for group in kept), OTHER)
        return CreatorGroups(self.by, names, pairs[0], pairs[1], self.tracks)


def head(listeners: NDArray[Any]) -> Mask:
    """Who together has HEAD_SHARE of all listeners, the most heard first: bool, same length."""
    falling = np.sort(listeners)[::-1]
    total = float(falling.sum())
    if total == 0:
        return np.zeros(len(listeners), dtype=bool)
    last = int(np.searchsorted(np.cumsum(falling), HEAD_SHARE * total))
    least = falling[min(last, len(falling) - 1)]
    mask: Mask = (listeners >= least) & (listeners > 0)
    return mask


def track_groups(listeners: NDArray[Any]) -> dict[str, Mask]:
    """Cold, tail and head: bool [tracks] each, of which every track has one."""
    cold, top = listeners == 0, head(listeners)
    return dict(zip(TRACK_GROUPS, (cold, ~cold & ~top, top), strict=True))


def emerging_rows(items: ItemTable, exposure_below: int) -> Ints:
    """The rows all of whose artists have fewer listens than that, rising: int64 [rows]."""
    made = items.credits
    exposure = np.bincount(made.artist, items.plays[made.row], len(made.keys))
    known = exposure[made.artist] >= exposure_below
    emerging = np.zeros(len(items), bool)
    emerging[made.row] = True  # a track of nobody's is no artist's chance
    emerging[made.row[known]] = False
    return np.flatnonzero(emerging)


def item_groups(
    items: ItemTable, by: str | TableLike = POPULARITY, exposure_below: int = 10
) -> CreatorGroups:
    """Groups of the rows of an item table; by: as in `creator_groups`, or "emerging".

    exposure_below: fewer listens than this of all listeners make an artist an emerging one.
    Popularity is that of listens, or of the catalog where none are known. What was found of a
    table is kept.
    """
    known = _FOUND.setdefault(items, {})
    key = (by if isinstance(by, str) else id(by), exposure_below, int(items.plays.sum()))
    if key not in known:
        known[key] = by, _item_groups(items, by, exposure_below)  # who keeps it keeps its id
    return known[key][1]


def _item_groups(items: ItemTable, by: str | TableLike, exposure_below: int) -> CreatorGroups:
    if isinstance(by, str) and by == EMERGING:
        few = np.zeros(len(items), bool)
        few[emerging_rows(items, exposure_below)] = True
        return CreatorGroups.of_masks(EMERGING, {EMERGING: few, "established": ~few})
    return creator_groups(items.tracks, by, np.nan_to_num(items.popularity))


def creator_groups(
    tracks: pa.Table,
    by: str | TableLike,
    listeners: NDArray[Any],
    now: date | None = None,
) -> CreatorGroups:
    """The groups of tracks.

    tracks: with track_id. by: "popularity", "release-age", a column of the tracks, or a table
    (a Path is read) of track_id and one more column. listeners: of each track, [tracks]. now: the
    day that release ages are of; today by default. Raises QueryError where there is no such column,
    or no track has a group.
    """
    if isinstance(by, str):
        if by == POPULARITY:
            return CreatorGroups.of_masks(POPULARITY, track_groups(listeners))
        if by == RELEASE_AGE:
            return CreatorGroups.of_masks(RELEASE_AGE, _ages(tracks, now or date.today()))
        return _by_column(tracks, by)
    return _by_table(tracks, as_table(by, "the groups of creators"))


def groups_of_cells(by: str, cells: Sequence[Any]) -> CreatorGroups:
    """Groups from a cell a track: a text, a number, a list of them, or None for no group."""
    pairs = [(row, name) for row, cell in enumerate(cells) for name in _names(cell)]
    if not pairs:
        raise QueryError(f"no track has a value in {by!r}: give another column of groups")
    names, group = np.unique(np.array([name for _, name in pairs], object), return_inverse=True)
    row = np.array([row for row, _ in pairs], np.int64)
    unique = np.unique(np.stack([row, group.astype(np.int64)]), axis=1)
    return CreatorGroups(by, tuple(names.tolist()), unique[0], unique[1], len(cells))


def given_groups(by: str | TableLike) -> str | TableLike:
    """What somebody wrote for the groups: the name of a column, or the path of a table."""
    if isinstance(by, str) and Path(by).suffix.lower() in (".csv", ".tsv", ".parquet"):
        return Path(by)
    return by


def _names(cell: Any) -> list[str]:
    values = cell if isinstance(cell, list) else [cell]
    texts = (str(value).strip() for value in values if value is not None)
    return [text for text in texts if text]


def _by_column(tracks: pa.Table, by: str) -> CreatorGroups:
    if by not in tracks.column_names:
        found = ", ".join(tracks.column_names)
        raise QueryError(
            f"the tracks have no column {by!r} to make groups of: choose {POPULARITY}, "
            f"{RELEASE_AGE}, a column ({found}), or a file of track_id and a group"
        )
    return groups_of_cells(by, tracks[by].to_pylist())


def check_group_table(table: pa.Table) -> str:
    """The column with the groups; raises QueryError where it is not track_id and one more."""
    columns = [name for name in table.column_names if name != "track_id"]
    if "track_id" not in table.column_names or len(columns) != 1:
        raise QueryError(
            f"a table of groups has the columns track_id and one more, not "
            f"{short(', '.join(table.column_names))}"
        )
    return str(columns[0])


def _by_table(tracks: pa.Table, table: pa.Table) -> CreatorGroups:
    column = check_group_table(table)
    held = pa.array(map(str, tracks["track_id"].to_pylist()), pa.string())
    row = pc.index_in(table["track_id"].cast(pa.string()), value_set=held)
    known = pc.is_valid(row)
    if not pc.any(known).as_py():
        raise QueryError("no track_id of the table of groups is one of the tracks: compare the two")
    cells: list[list[str]] = [[] for _ in range(tracks.num_rows)]
    kept = table[column].filter(known).to_pylist()
    for place, cell in zip(row.filter(known).to_pylist(), kept, strict=True):
        cells[place] += _names(cell)
    return groups_of_cells(column, cells)


def _ages(tracks: pa.Table, now: date) -> dict[str, Mask]:
    if "released" not in tracks.column_names:
        raise QueryError("the tracks have no column 'released', which says how old they are")
    days = tracks["released"].cast(pa.date32()).to_pylist()
    age = np.array([np.nan if day is None else (now - day).days / 365 for day in days])
    first, last = AGE_YEARS
    masks = (age < first, (age >= first) & (age < last), age >= last)
    if not any(mask.any() for mask in masks):
        raise QueryError("no track has a day of release: there are no groups by release age")
    return dict(zip(AGE_GROUPS, masks, strict=True))
