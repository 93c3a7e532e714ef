"""A log of what a policy showed, as arrays that every estimator reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from musicu.errors import QueryError
from musicu.records import counted, short

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEEDED = ("action", "reward", "propensity")
_NAMED = (*NEEDED, "position")
FEWEST_ROUNDS = 2
LEAST_PROPENSITY = 1e-12  # below, one round has all of the weight
LARGEST = 1e100  # a reward whose square, summed over many rounds, is still a number
_MOST_VALUES = 1000  # of a column of context as categories; a column of ids says nothing of others


@dataclass(frozen=True, slots=True)
class LoggedRounds:
    """One row a round: an action at a position, with the probability that the log gave it.

    action, position: int [rounds], from 0. reward, propensity: float64 [rounds]. context: sparse
    float64 [rounds, columns]. cluster: int [rounds], rounds that are drawn together.
    actions, positions: how many there are.
    """

    action: Ints
    position: Ints
    reward: Floats
    propensity: Floats
    context: csr_matrix
    cluster: Ints
    actions: int
    positions: int

    def __len__(self) -> int:
        return len(self.action)

    def of_log(self, probabilities: Floats) -> Floats:
        """The probability that a policy gives each logged action: float64 [rounds]."""
        return probabilities[np.arange(len(self)), self.action]


def logged_rounds(
    log: pa.Table, actions: Sequence[object] | None, width: int, cluster: str | None
) -> LoggedRounds:
    """Read a log; columns besides action, position, reward and propensity are context.

    actions: the value of each column of action probabilities; by default the numbers 0 to
    width - 1. Raises QueryError for what is missing, empty or out of range, naming the first row.
    """
    missing = [name for name in NEEDED if name not in log.column_names]
    if missing:
        raise QueryError(
            f"the log has no column {missing[0]!r}: it needs action, reward, propensity "
            "(and position, where a list was shown)"
        )
    check_columns(log, [*NEEDED, cluster])
    if log.num_rows < FEWEST_ROUNDS:
        told = f"has {log.num_rows} round" if log.num_rows else "is empty"
        raise QueryError(f"the log {told}: an estimate needs {FEWEST_ROUNDS} rounds or more")
    left = [name for name in log.column_names if name not in (*_NAMED, cluster)]
    position = _positions(log["position"]) if "position" in log.column_names else None
    return LoggedRounds(
        action=_actions(log["action"], actions, width),
        position=np.zeros(log.num_rows, np.int64) if position is None else position,
        reward=numbers_of(log["reward"], "reward", -LARGEST, LARGEST),
        propensity=numbers_of(log["propensity"], "propensity", LEAST_PROPENSITY, 1.0),
        context=_context(log.select(left)),
        cluster=np.arange(log.num_rows) if cluster is None else _clusters(log[cluster], cluster),
        actions=width,
        positions=1 if position is None else int(position.max()) + 1,
    )


def check_columns(log: pa.Table, wanted: Sequence[str | None]) -> None:
    """Raise QueryError for a column that the log lacks, or has twice."""
    for name in wanted:
        if name is not None and log.column_names.count(name) != 1:
            held = "has two columns" if name in log.column_names else "has no column"
            raise QueryError(f"the log {held} {name!r}: it has {', '.join(log.column_names)}")


def numbers_of(column: pa.ChunkedArray, name: str, above: float, most: float) -> Floats:
    """A column above one number and up to another: float64 [rounds]; QueryError for others."""
    if not _is_number(column.type):
        raise QueryError(f"{name} holds {column.type}: it has to be numbers")
    values = column.cast(pa.float64()).to_numpy()
    wrong = np.flatnonzero(~(np.isfinite(values) & (values > above) & (values <= most)))
    if len(wrong):
        row = int(wrong[0])
        allowed = "above 0 and at most 1" if most == 1 else f"a number, at most {LARGEST:g}"
        raise QueryError(f"{name} is {values[row]} in row {row}: it has to be {allowed}")
    return np.asarray(values)


def _is_number(kind: pa.DataType) -> bool:
    is_any = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(is_kind(kind) for is_kind in is_any)


def _positions(column: pa.ChunkedArray) -> Ints:
    numbers_of(column, "position", -np.inf, np.inf)
    return _codes(column)


def _clusters(column: pa.ChunkedArray, name: str) -> Ints:
    if pa.types.is_nested(column.type) or column.null_count:
        raise QueryError(
            f"column {name!r} has {column.null_count:,} rows without a value: leave them out, or "
            "give each row one"
        )
    return _codes(column)


def _codes(column: pa.ChunkedArray) -> Ints:
    """Equal values as equal numbers, in the order of the values."""
    values = pc.unique(column).sort()
    return np.asarray(pc.index_in(column, value_set=values).to_numpy(), dtype=np.int64)


def check_actions(column: pa.ChunkedArray) -> None:
    """Raise QueryError where actions are no texts, numbers or truth values, or some are missing."""
    kind = column.type
    plain = (pa.types.is_string, pa.types.is_integer, pa.types.is_boolean, pa.types.is_floating)
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not any(is_kind(kind) for is_kind in plain):
        raise QueryError(f"actions are {kind}: give a text or a number for each round")
    missing = pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0
    if missing:
        raise QueryError(f"{counted(missing, 'round')} without an action: leave them out")


def _actions(column: pa.ChunkedArray, actions: Sequence[object] | None, width: int) -> Ints:
    if actions is not None:
        if isinstance(actions, str) or not isinstance(actions, Iterable):
            raise QueryError(f"actions are {short(actions)}: give a list, one for each column")
        check_actions(column)
        if len(actions) != width:
            raise QueryError(
                f"{len(actions)} actions are named, the probabilities have {width} columns"
            )
        if len(set(actions)) < len(actions):
            raise QueryError(f"an action is named twice: {short(list(actions))}")
        try:
            named = pa.array(list(actions), type=column.type)
        except pa.ArrowException:
            raise QueryError(
                f"the log's actions are {column.type}, those named {short(list(actions))}: name "
                "them as the log does"
            ) from None
        codes = pc.index_in(column, value_set=named)
        if codes.null_count:
            unknown = column.filter(pc.is_null(codes))[0].as_py()
            raise QueryError(f"the log has the action {unknown!r}, which is not among those named")
        return np.asarray(codes.to_numpy(), dtype=np.int64)
    if not pa.types.is_integer(column.type) or column.null_count:
        raise QueryError(f"actions are {column.type}: name them, as the probabilities' columns are")
    codes = column.to_numpy().astype(np.int64)
    if codes.min() < 0 or codes.max() >= width:
        raise QueryError(
            f"actions go from {codes.min()} to {codes.max()}, and the probabilities have {width} "
            "columns: number actions from 0, or name them"
        )
    return np.asarray(codes)


def _context(table: pa.Table) -> csr_matrix:
    """Numbers standardised, texts and truth values as categories; ids, dates and lists left out."""
    parts = [csr_matrix((table.num_rows, 0))]
    for name in table.column_names:
        column = table[name]
        if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
            values = column.cast(pa.float64()).to_numpy()
            if (np.abs(values) > LARGEST).any():
                raise QueryError(
                    f"column {name!r} holds infinite values, or some beyond {LARGEST:g}: leave "
                    "those rows out"
                )
            values = np.nan_to_num(values)
            deviation = values.std()
            if deviation > 0:
                parts.append(csr_matrix(((values - values.mean()) / deviation)[:, None]))
        elif (
            not pa.types.is_temporal(column.type)
            and not pa.types.is_nested(column.type)
            and not pa.types.is_binary(column.type)
        ):
            column = column.cast(pa.string())
            codes = pc.fill_null(pc.dictionary_encode(column).combine_chunks().indices, -1)
            place = codes.to_numpy().astype(np.int64) + 1
            width = int(place.max()) + 1
            if 1 < width <= _MOST_VALUES:
                rows = np.arange(len(place))
                ones = np.ones(len(place))
                parts.append(csr_matrix((ones, (rows, place)), shape=(len(place), width)))
    return csr_matrix(hstack(parts))
