"""The best record of each track, while records stream past."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.joining.join_records import ONLY_TO_MATCH
from musicu.joining.record_matching import MATCHED_BY, FoundPairs

Ints = NDArray[np.int64]

_NAME = MATCHED_BY.index("name")
#: How much worse another record's names must fit for a match by slightly other names to count.
_MARGIN = 0.04
_ROWS = 65_536  # that wait until they are reduced, beside two a track


class BestMatches:
    """Keeps of each track the record that fits best, and the best one of other names.

    Of equal ones that of lowest priority is kept, then the earliest, then the lowest id. Memory
    grows with the tracks, not with the records.
    """

    def __init__(self, count: int) -> None:
        """Wait for records that mean some of `count` tracks."""
        self._count = count
        self._pool: list[pa.Table] = []
        self._waiting = 0
        self.listens = np.zeros(count)
        self.counted = False

    def add(self, records: pa.Table, found: FoundPairs) -> None:
        """Take in what a table of records means."""
        if not len(found.record):
            return
        self._count_listens(records, found)
        kept = [
            name for name in records.column_names if name not in ONLY_TO_MATCH or name == "priority"
        ]
        rows = records.select(kept).take(pa.array(found.record))
        for name, values in (
            ("_track", found.track),
            ("_way", found.way),
            ("_score", found.score),
            ("_names", found.names),
        ):
            rows = rows.append_column(name, pa.array(values))
        self._pool.append(rows)
        self._waiting += rows.num_rows
        if self._waiting > 2 * self._count + _ROWS:
            self._reduce()

    def result(self) -> pa.Table:
        """The best record of each track that has one: its columns, `_track` and `_way`.

        A track whose name is only near to its best record's, and nearly as near to another's, has
        none.
        """
        self._reduce()
        if not self._pool:
            return pa.table({"_track": pa.array([], pa.int64()), "_way": pa.array([], pa.int64())})
        pool = self._pool[0]
        track, way, score = (pool[name].to_numpy() for name in ("_track", "_way", "_score"))
        first = np.append(True, np.diff(track) != 0)[: len(track)]
        rival = np.append(~first[1:], False)[: len(track)]
        near = np.append(score[1:], -np.inf) > score - _MARGIN
        same_way = np.append(way[1:], -1) == way
        unsure = (way == _NAME) & rival & near & same_way
        return pool.filter(pa.array(first & ~unsure))

    def _count_listens(self, records: pa.Table, found: FoundPairs) -> None:
        listens = records["listens"]
        if listens.null_count == len(listens):
            return
        self.counted = True
        best = _best_of_record(found)
        heard = pc.fill_null(listens, 0.0).to_numpy()[found.record[best]]
        np.add.at(self.listens, found.track[best], heard)

    def _reduce(self) -> None:
        """Keep two rows a track: the best, and the best one of other names."""
        if not self._pool:
            return
        pool = pa.concat_tables(self._pool, promote_options="permissive").combine_chunks()
        track, way, score, names = (
            pool[n].to_numpy() for n in ("_track", "_way", "_score", "_names")
        )
        priority = pc.fill_null(pool["priority"], np.inf).to_numpy()
        dates, ids = (_places(pool[name]) for name in ("date", "record_id"))
        order = np.lexsort((ids, dates, priority, -np.round(score, 4), way, track))
        first = _firsts(track[order])
        leader = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
        other = np.flatnonzero(names[order] != names[leader])
        rivals = other[_firsts(track[order][other])]
        kept = np.sort(np.concatenate([np.flatnonzero(first), rivals]))
        self._pool = [pool.take(pa.array(order[kept]))]
        self._waiting = 0


def _firsts(rising: Ints) -> NDArray[np.bool_]:
    return np.append(True, np.diff(rising) != 0)[: len(rising)]


def _places(column: pa.ChunkedArray) -> Ints:
    """Numbers in the order of texts, equal where those are; null last."""
    coded = column.combine_chunks().dictionary_encode()
    order = pc.sort_indices(coded.dictionary).to_numpy()
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    places: Ints = pc.fill_null(pa.array(ranks).take(coded.indices), len(ranks)).to_numpy()
    return places


def _best_of_record(found: FoundPairs) -> Ints:
    """The pairs of each record that fit best, all of them where copies fit equally well."""
    order = np.lexsort((-found.score, found.way, found.record))
    record, way, score = found.record[order], found.way[order], found.score[order]
    first = np.maximum.accumulate(np.where(_firsts(record), np.arange(len(order)), 0))
    best: Ints = order[(way == way[first]) & (score >= score[first] - 1e-6)]
    return best
