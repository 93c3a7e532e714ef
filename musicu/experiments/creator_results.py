"""Results by group of creators: their share of exposure and of listening, and what they gain.

Conventions:

- The rows of the table are exposures, each of one track, any number a listener (the unit).
- The share of exposure of a group is its rows over all rows of tracks that are known; its share of
  listening is the same of a column, such as plays or milliseconds. Both are ratios of sums a unit,
  compared as all ratio metrics are.
- What a group adds to a metric is the metric with the numerators of the group's rows alone: where
  every track is in one group, the groups' differences sum to the metric's.
- Popularity groups (`musicu.items.creator_groups`) count listeners in all arms together, so that
  equal arms stay equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.experiments.comparisons import Comparisons, MetricResult, of_large_arms
from musicu.experiments.sequential import Design
from musicu.experiments.unit_values import Metric, check_columns, units_of
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.items.creator_groups import (
    POPULARITY,
    CreatorGroups,
    creator_groups,
    groups_of_cells,
)
from musicu.listening.small_groups import is_shown

Ints = NDArray[np.int64]

EXPOSURE_SHARE, LISTENING_SHARE = "exposure share", "listening share"
_ARM, _UNIT = " arm", " unit"  # no name of a column that somebody has


@dataclass(frozen=True, slots=True, kw_only=True)
class ByCreator:
    """Which groups of creators an experiment is reported by.

    by: "popularity", "release-age", a column of `tracks` or of the experiment's table, or a table
    (a Path is read) of track_id and a group. tracks: those of a catalog, where their columns are
    asked for. track: the column of the experiment's table that has track ids. listening: its column
    of what was listened to; without one there are no shares of listening. exposures: its column of
    how many exposures a row stands for, one by default.
    """

    by: str | TableLike = POPULARITY
    tracks: TableLike | None = None
    track: str = "track_id"
    listening: str | None = None
    exposures: str | None = None


@dataclass(frozen=True, slots=True)
class CreatorResult:
    """A group of creators in one arm against the control.

    kind: "exposure share", "listening share", or the name of the metric that the group adds to.
    """

    by: str
    group: str
    arm: str
    kind: str
    result: MetricResult


@dataclass(frozen=True, slots=True)
class CreatorAnalysis:
    """How the arms are compared: as the whole experiment is."""

    arm: str
    unit: str
    control: str
    arms: Sequence[str]
    metrics: Sequence[Metric]
    design: Design
    alpha: float
    smallest: int

    def results(
        self, table: pa.Table, asked: ByCreator
    ) -> tuple[list[CreatorResult], dict[str, int]]:
        """The results of every group, and what was folded. Raises QueryError for no groups."""
        wanted = [name for name in (asked.listening, asked.exposures) if name is not None]
        check_columns(table, wanted)
        in_arms = pc.is_in(table[self.arm].cast(pa.string()), pa.array(self.arms, pa.string()))
        table = table.filter(pc.and_(in_arms, pc.is_valid(table[self.unit])))
        item, groups = _grouped(table, asked, self.unit)
        counts = {"rows of an unknown track": int((item < 0).sum())}
        groups, folded = groups.folded(partial(self._listeners, table, item), self.smallest)
        counts[f"groups of creators with fewer than {self.smallest} units in an arm"] = folded
        found = [
            each
            for name in groups.names
            for each in self._of_group(table, asked, groups.by, name, item, groups.mask(name))
        ]
        return found, {reason: count for reason, count in counts.items() if count}

    def _listeners(self, table: pa.Table, item: Ints, groups: CreatorGroups) -> Ints:
        """In how many units each group is, in the arm with the fewest: int64 [groups]."""
        unit = pc.dictionary_encode(table[self.unit].combine_chunks()).indices.to_numpy()
        arms = table[self.arm].cast(pa.string())
        arm = pc.index_in(arms, value_set=pa.array(self.arms, pa.string())).to_numpy()
        known = item >= 0
        count = groups.tracks
        pairs = np.unique(
            (unit[known].astype(np.int64) * len(self.arms) + arm[known]) * count + item[known]
        )
        whose, track = pairs // count, pairs % count
        member = groups.matrix()[track].tocoo()
        seen = np.unique(np.stack([whose[member.row], member.col]), axis=1)
        sizes = np.zeros((len(self.arms), len(groups.names)), np.int64)
        np.add.at(sizes, (seen[0] % len(self.arms), seen[1]), 1)
        fewest: Ints = sizes.min(axis=0)
        return fewest

    def _of_group(
        self, table: pa.Table, asked: ByCreator, by: str, name: str, item: Ints,
        mask: NDArray[np.bool_],
    ) -> Iterator[CreatorResult]:  # fmt: skip
        inside = np.append(mask, False)[item]
        known = pa.array(item >= 0)
        columns = {_ARM: table[self.arm], _UNIT: table[self.unit]}
        metrics = list[Metric]()
        one = pa.array(np.ones(len(item)))
        shares = {EXPOSURE_SHARE: one if asked.exposures is None else table[asked.exposures]}
        if asked.listening is not None:
            shares[LISTENING_SHARE] = table[asked.listening]
        for kind, column in shares.items():
            of_all, of_group = f" {kind} of all", f" {kind} of the group"
            columns[of_all] = _within(column, known)
            columns[of_group] = _within(column, pa.array(inside))
            metrics.append(Metric(kind, of_group, of_all))
        for metric in self.metrics:
            metrics.append(replace(metric, covariate=None, margin=None))
            for column in metric.columns:
                columns.setdefault(column, table[column])
            value = f" {metric.name} of the group"
            columns[value] = _within(table[metric.value or metric.name], pa.array(inside))
            metrics[-1] = replace(metrics[-1], value=value)
        yield from self._compared(pa.table(columns), metrics, by, name)

    def _compared(
        self, table: pa.Table, metrics: Sequence[Metric], by: str, name: str
    ) -> Iterator[CreatorResult]:
        units = units_of(
            table, arm=_ARM, control=self.control, unit=_UNIT, metrics=metrics, segments=()
        )
        units = of_large_arms(units, self.smallest)
        for metric in metrics:
            test = Comparisons(units, [metric], self.design, self.alpha, self.smallest)
            try:
                found = test.among(np.ones(len(units.arm), np.bool_))
            except QueryError:  # an arm has nothing to divide by
                continue
            for arm, results in found.items():
                for result in results.values():
                    if is_shown(min(result.units), self.smallest):
                        yield CreatorResult(by, name, arm, metric.name, result)


def _within(column: pa.ChunkedArray | pa.Array, inside: pa.Array) -> pa.ChunkedArray:
    """A column of numbers, 0 in the rows that are not in a group; unknown values stay unknown."""
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise QueryError(f"exposures and listening are numbers, and a column holds {column.type}")
    numbers = column.cast(pa.float64())
    zero = pc.if_else(pc.is_valid(numbers), pa.scalar(0.0), pa.scalar(None, pa.float64()))
    return pc.if_else(inside, numbers, zero)


def _grouped(table: pa.Table, asked: ByCreator, unit: str) -> tuple[Ints, CreatorGroups]:
    """What each row is of, -1 where unknown, and the groups of that: tracks or values."""
    own = asked.by if isinstance(asked.by, str) and asked.tracks is None else None
    if own is not None and own in table.column_names:
        item, values = _encoded(table, own)
        return item, groups_of_cells(own, values.to_pylist())
    check_columns(table, [asked.track])
    item, ids = _encoded(table, asked.track)
    listeners = _pairs(table, item, unit, asked, len(ids))
    names = ids.cast(pa.string())
    tracks = pa.table({"track_id": names})
    if asked.tracks is not None:
        given = as_table(asked.tracks, "the tracks")
        check_columns(given, ["track_id"])
        places = pc.index_in(names, value_set=given["track_id"].cast(pa.string()))
        tracks = given.take(places).set_column(
            given.column_names.index("track_id"), "track_id", names
        )
        item = np.where(pc.is_valid(places).to_numpy(zero_copy_only=False)[item], item, -1)
        if not (item >= 0).any():
            raise QueryError(
                f"no track of the column {asked.track!r} is in the tracks: compare the ids of both"
            )
    return item, creator_groups(tracks, asked.by, listeners)


def _pairs(table: pa.Table, item: Ints, unit: str, asked: ByCreator, tracks: int) -> Ints:
    """How many units listened to each track, or saw it where no listening is given: int64."""
    codes = pc.dictionary_encode(table[unit].combine_chunks()).indices.to_numpy().astype(np.int64)
    counts = item >= 0
    if asked.listening is not None:
        played = table[asked.listening].cast(pa.float64()).to_numpy()
        counts &= played > 0
    pairs = np.unique(codes[counts] * tracks + item[counts])
    return np.bincount(pairs % max(tracks, 1), minlength=tracks)


def _encoded(table: pa.Table, column: str) -> tuple[Ints, pa.Array]:
    if pa.types.is_nested(table[column].type):
        raise QueryError(
            f"column {column!r} holds {table[column].type}: give one text or number a row"
        )
    held = pc.dictionary_encode(table[column].combine_chunks())
    codes = pc.fill_null(held.indices.cast(pa.int64()), -1).to_numpy()
    return codes, held.dictionary
