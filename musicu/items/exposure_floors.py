"""Which groups of creators get at least a share of what is shown, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.items.creator_groups import POPULARITY, Mask, check_group_table, item_groups
from musicu.items.item_table import ItemTable
from musicu.records import check_number, short


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExposureFloors:
    """At least these shares of all places shown are for tracks of these groups.

    shares: by group, from 0 to 1, at most 1 together. by: what the groups are of, as in
    `creator_groups.item_groups`: "popularity", "emerging", "release-age", a column of the tracks,
    or a table (a Path is read) of track_id and a group. Raises QueryError for shares that make no
    sense; for unknown groups where they are first used.
    """

    shares: Mapping[str, float]
    by: str | TableLike = POPULARITY

    def __post_init__(self) -> None:
        """Read the table of groups, and refuse shares that cannot be."""
        if not isinstance(self.shares, Mapping) or not self.shares:
            raise QueryError(
                f"floors are {short(self.shares)}: give a share for each group, as "
                "ExposureFloors({'tail': 0.1})"
            )
        for group, share in self.shares.items():
            if not 0 <= check_number(f"the floor of {group!r}", share) <= 1:
                raise QueryError(f"the floor of {group!r} is {share}: give a share from 0 to 1")
        if sum(self.shares.values()) > 1 + 1e-9:
            raise QueryError(
                f"the floors are {sum(self.shares.values()):.4g} together: at most 1 can be shown"
            )
        if not isinstance(self.by, str):
            table = as_table(self.by, "the groups of creators")
            check_group_table(table)
            object.__setattr__(self, "by", table)

    def __repr__(self) -> str:
        by = self.by if isinstance(self.by, str) else _digest(as_table(self.by))
        return f"ExposureFloors({dict(self.shares)!r}, by={by!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExposureFloors) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def to_dict(self) -> dict[str, object]:
        """What was asked for, for JSON: of a table of groups the name of its column."""
        by = self.by
        if not isinstance(by, str):
            by = check_group_table(as_table(by))
        return {"by": by, "shares": {str(g): float(s) for g, s in self.shares.items()}}

    def masks(self, items: ItemTable, exposure_below: int) -> list[Mask]:
        """Which rows are in each group, in the order of the shares: bool [rows] each.

        Raises QueryError for a group that is not there.
        """
        groups = item_groups(items, self.by, exposure_below)
        return [groups.mask(str(group)) for group in self.shares]


class FloorWarning(UserWarning):
    """A group got less than its share, as no more of its tracks can be shown."""


@dataclass(frozen=True, slots=True)
class FloorCount:
    """What a floor did.

    share: asked for. places: shown in all. before, after: of the group, without the floors and with
    them. score_before, score_after: sums of the scores of all places.
    """

    group: str
    share: float
    places: int
    before: int
    after: int
    score_before: float
    score_after: float

    @property
    def reached(self) -> bool:
        """Whether the group has its share."""
        return self.after >= self.share * self.places - 1e-9

    def __add__(self, other: FloorCount) -> FloorCount:
        sums = ("places", "before", "after", "score_before", "score_after")
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in sums})

    def words(self) -> str:
        """What was reached, and what it cost, as a sentence."""
        places = max(self.places, 1)
        if self.reached:
            told = f"{self.group}: {self.after / places:.2%} of {self.places:,} places"
        else:
            told = (
                f"{self.group}: only {self.after / places:.2%} of {self.places:,} places instead "
                f"of {self.share:.2%}: no more of its tracks can be shown"
            )
        return (
            f"{told} ({self.before / places:.2%} without floors); mean score "
            f"{self.score_before / places:.4g} -> {self.score_after / places:.4g}"
        )


def summed(counts: Iterable[FloorCount]) -> list[FloorCount]:
    """Counts of many lists, one for each group."""
    found: dict[str, FloorCount] = {}
    for each in counts:
        found[each.group] = found[each.group] + each if each.group in found else each
    return list(found.values())


def counts_of(
    floors: ExposureFloors,
    masks: list[Mask],
    before: tuple[np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray],
) -> list[FloorCount]:
    """What floors did; before, after: the rows that are shown, and their scores."""
    return [
        FloorCount(
            str(group), float(share), len(after[0]), int(mask[before[0]].sum()),
            int(mask[after[0]].sum()), float(before[1].sum()), float(after[1].sum()),
        )
        for (group, share), mask in zip(floors.shares.items(), masks, strict=True)
    ]  # fmt: skip


def floors_of(pairs: Iterable[tuple[str, float]], by: str | TableLike) -> ExposureFloors | None:
    """Floors from pairs of group and share; None where there are none."""
    shares: dict[str, float] = {}
    for group, share in pairs:
        if group in shares:
            raise QueryError(f"the group {group!r} has two floors: give one")
        shares[group] = share
    return ExposureFloors(shares, by) if shares else None


def _digest(table: pa.Table) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for name in table.column_names:
        digest.update(repr((name, table[name].to_pylist())).encode())
    return digest.hexdigest()
