"""The exports of services as tables: by which columns each is known, and what they mean.

The columns are named as the services write them, compared without case, spaces and punctuation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.ingest.columns import plain
from musicu.listening.importers.raw import COUNTED_MS

Text = dict[str, pa.Array]


@dataclass(frozen=True, slots=True)
class TableFormat:
    """A table that a service or program writes.

    known_by: columns that together are found in no other table. columns: RAW column, or `time`,
    `zone`, `played_ms`, `played_s` or `credit` (artist and title in one) → the table's columns for
    it, best first. playlist: whether it is one, named as its file. day_first: what "05/06/2024"
    means in it, where that is known. needs: RAW columns without which a row is no listen.
    looks_at: plain names of columns that the functions get as text. left_out: why each row is no
    listen, or null. skipped: which rows the listener cut off to go on.
    """

    name: str
    known_by: tuple[str, ...]
    columns: dict[str, tuple[str, ...]]
    playlist: bool = False
    day_first: bool | None = None
    needs: tuple[str, ...] = ()
    looks_at: tuple[str, ...] = ()
    left_out: Callable[[Text], pa.Array | None] = field(default=lambda text: None)
    skipped: Callable[[Text], pa.Array | None] = field(default=lambda text: None)

    def fits(self, names: Sequence[str]) -> bool:
        """Whether a table with columns of these names is one."""
        return {plain(name) for name in self.known_by} <= {plain(name) for name in names}

    def mapping(self, names: Sequence[str]) -> dict[str, list[str]]:
        """RAW column → the table's columns for it that are there, best first."""
        there = {plain(name): name for name in reversed(names)}
        found = {
            target: [there[plain(name)] for name in wanted if plain(name) in there]
            for target, wanted in self.columns.items()
        }
        return {target: sources for target, sources in found.items() if sources}


def stream_weights(played_ms: pa.Array, skipped: pa.Array | None) -> pa.Array:
    """What streams weigh, as `raw.stream_weight` says; null where nobody knows how long."""
    part = pc.min_element_wise(1.0, pc.max_element_wise(0.0, pc.divide(played_ms, COUNTED_MS)))
    part = pc.if_else(pc.is_valid(played_ms), part, pa.scalar(None, pa.float64()))
    if skipped is None:
        return part
    cut = pc.and_(pc.fill_null(skipped, False), pc.less(pc.fill_null(part, 0.0), 1.0))
    return pc.if_else(cut, -1.0, part)


def reasons(rows: NDArray[np.bool_], why: str) -> pa.Array:
    """A reason where rows are no listens, null elsewhere."""
    return pa.array([why if row else None for row in rows], pa.string())
