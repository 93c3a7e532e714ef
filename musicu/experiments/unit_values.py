"""From a table of an experiment to one value a unit: the unit that was assigned is the unit of
analysis.

Rows of one unit (the streams of a listener) are summed before anything is computed, since they
are not independent: a test over streams finds differences between equal arms (Deng, Knoblich and
Lu, KDD 2018). What was a mean over rows becomes a ratio of two sums a unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.records import check_number, short

Floats = NDArray[np.float64]

#: A value whose square, summed over many units, is still a number.
LARGEST = 1e100


@dataclass(frozen=True, slots=True)
class Metric:
    """What an experiment measures of each unit.

    name: of the result. value: a column of numbers or truth values; the name by default.
    over: the column that `value` is divided by, as a ratio of sums ("skips" over "streams");
    without one the metric is the mean of `value` over units. covariate: a column with the same
    quantity before the experiment, which makes the interval narrower (CUPED; Deng et al., WSDM
    2013). better: "higher" or "lower". margin: makes the metric a guardrail, which holds if the
    treatment is shown to be worse by less than this share of the control's value.
    """

    name: str
    value: str | None = None
    over: str | None = None
    covariate: str | None = None
    better: str = "higher"
    margin: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise QueryError(f"a metric's name is {self.name!r}: give a text")
        if self.better not in ("higher", "lower"):
            raise QueryError(f"metric {self.name}: better is {self.better!r}: higher or lower")
        if self.margin is not None and not 0 < check_number("margin", self.margin) < 1:
            raise QueryError(
                f"metric {self.name}: margin is {self.margin}: give a share between 0 and 1"
            )

    @classmethod
    def parse(cls, words: str) -> Metric:
        """A metric from a column's name, or from two with a slash ("skips/streams")."""
        value, _, over = (part.strip() for part in words.partition("/"))
        return cls(words, value, over or None)

    @property
    def columns(self) -> list[str]:
        """The columns of the table that it reads."""
        read = (self.value or self.name, self.over, self.covariate)
        return [column for column in read if column is not None]


@dataclass(frozen=True, slots=True)
class UnitTable:
    """One row a unit: the arm as a code, and for each column the sum over the unit's rows.

    arms: names by code, the control first. arm: int [units]. rows: float64 [units], how many rows
    a unit had. sums: column → float64 [units], NaN where a unit has no value.
    left_out: why rows or units are not here → how many.
    """

    arms: tuple[str, ...]
    arm: NDArray[np.int64]
    rows: Floats
    sums: Mapping[str, Floats]
    labels: Mapping[str, NDArray[np.object_]]
    left_out: Mapping[str, int]
    summed: bool

    def values(self, metric: Metric) -> tuple[Floats, Floats]:
        """Numerators and denominators of a metric: float64 [units] each."""
        top = self.sums[metric.value or metric.name]
        if metric.over is not None:
            return top, self.sums[metric.over]
        return top, self.rows if self.summed else np.ones(len(top))


def units_of(
    table: pa.Table,
    *,
    arm: str,
    control: str | None,
    unit: str | None,
    metrics: Sequence[Metric],
    segments: Sequence[str],
) -> UnitTable:
    """Sum a table by unit; without `unit`, each row is a unit. Raises QueryError where a column is
    missing or holds no numbers, or where there are not two arms."""
    columns = dict.fromkeys(column for metric in metrics for column in metric.columns)
    if not isinstance(segments, Sequence):
        raise QueryError(f"segments are {short(segments)}: give columns, as a list")
    check_columns(table, [arm, *([unit] if unit else []), *columns, *segments])
    known = _known(table[arm], arm)
    if unit:
        known = pc.and_(known, _known(table[unit], unit))
    left_out = {"rows without an arm or a unit": table.num_rows - (pc.sum(known).as_py() or 0)}
    table = table.filter(known)
    names = table[arm].cast(pa.string())
    arms = _arms(pc.unique(names).to_pylist(), control)
    arm_of_row = pc.index_in(names, value_set=pa.array(arms)).to_numpy().astype(np.int64)
    groups, first = _groups(table, unit)
    mixed = _in_several_arms(groups, arm_of_row, len(first))
    left_out["units in several arms"] = int(mixed.sum())
    kept = np.flatnonzero(~mixed)
    rows = np.bincount(groups, minlength=len(first)).astype(np.float64)
    sums = {name: _sums(table[name], name, groups, len(first))[kept] for name in columns}
    labels = {name: _texts(table[name], name)[first][kept] for name in segments}
    return UnitTable(
        tuple(arms),
        arm_of_row[first][kept],
        rows[kept],
        sums,
        labels,
        {reason: count for reason, count in left_out.items() if count},
        unit is not None,
    )


def check_columns(table: pa.Table, wanted: Sequence[str]) -> None:
    """Raise QueryError where a table lacks a column."""
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise QueryError(
            f"the table has no column {missing[0]!r}: it has {', '.join(table.column_names)}"
        )
    double = [name for name in wanted if table.column_names.count(name) > 1]
    if double:
        raise QueryError(f"the table has two columns {double[0]!r}: rename one of them")


def _texts(column: pa.ChunkedArray, name: str) -> NDArray[np.object_]:
    """The values as texts, None where there is none."""
    texts = pc.if_else(_known(column, name), column, pa.scalar(None, column.type))
    found: NDArray[np.object_] = texts.cast(pa.string()).to_numpy(zero_copy_only=False)
    return found


def _known(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Which rows have a value, NaN being none; QueryError for what is no text or number."""
    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise QueryError(f"column {name!r} holds {kind}: give one text or number a row")
    return pc.invert(pc.is_null(column, nan_is_null=True))


def _arms(found: Sequence[str], control: str | None) -> list[str]:
    """The arms, the control first: the one that is named, else the first in the alphabet."""
    arms = sorted(found)
    if len(arms) < 2:
        raise QueryError(f"an experiment needs two arms or more, and the table has {arms}")
    if control is not None and control not in arms:
        raise QueryError(f"no unit is in the control {control!r}: the arms are {', '.join(arms)}")
    first = control or next((arm for arm in arms if arm.casefold() == "control"), arms[0])
    return [first, *(arm for arm in arms if arm != first)]


def _groups(table: pa.Table, unit: str | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The unit of each row, numbered, and the first row of each unit."""
    if unit is None:
        rows = np.arange(table.num_rows)
        return rows, rows
    codes = pc.dictionary_encode(table[unit].combine_chunks()).indices.to_numpy()
    _, first, groups = np.unique(codes, return_index=True, return_inverse=True)
    return groups.astype(np.int64), first


def _in_several_arms(
    groups: NDArray[np.int64], arm: NDArray[np.int64], units: int
) -> NDArray[np.bool_]:
    low, high = np.full(units, np.iinfo(np.int64).max), np.full(units, -1)
    np.minimum.at(low, groups, arm)
    np.maximum.at(high, groups, arm)
    return np.asarray(low != high)


def _sums(column: pa.ChunkedArray, name: str, groups: NDArray[np.int64], units: int) -> Floats:
    """The sum of a column by unit; a unit none of whose rows has a value is NaN."""
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    if not any(is_kind(column.type) for is_kind in kinds):
        raise QueryError(f"column {name!r} holds {column.type}: a metric needs numbers")
    values = column.cast(pa.float64()).to_numpy()
    if np.isinf(values).any():
        raise QueryError(f"column {name!r} holds infinite values: leave those rows out")
    if (np.abs(values) > LARGEST).any():
        raise QueryError(f"column {name!r} holds values beyond {LARGEST:g}: give a larger unit")
    known = ~np.isnan(values)
    sums = np.bincount(groups, weights=np.where(known, values, 0.0), minlength=units)
    seen = np.bincount(groups, weights=known, minlength=units)
    return np.where(seen > 0, sums, np.nan)
