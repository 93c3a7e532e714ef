"""An index of more vectors than memory holds: short codes are scanned, few vectors are read.

The codes of `sketches.py` say what the score of a row hardly exceeds. The first code of all rows
is read; the rows that it puts first are scored exactly, and so is what could still be among the k
best by a finer code, until few are left: those are all scored. "Hardly" is so many deviations,
`margin`, as `disk_index_build` found necessary for its recall. Scores are those of `ExactIndex`.
Rows in groups far from the query are left out before (`coarse_groups`), where that spares most.

Files are memory-mapped, and all but the first code are let go as soon as they were read.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.retrieval.coarse_groups import CoarseGroups
from musicu.retrieval.hits import Hits, joined
from musicu.retrieval.index_state import (
    ROW_FILES,
    read_centroids,
    read_sketcher,
    read_state,
)
from musicu.retrieval.queries import (
    allowed_rows,
    excluded_rows,
    hit_counts,
    true_scores,
    unit_queries,
)
from musicu.retrieval.sketches import CodedQuery, Counts, counted_bits

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

MOST_THREADS = 8
_KEPT = ("first", "factors", "groups")  # what all rows are asked for
_FEW = 4096  # rows that are scored at once without a look at their codes
_LEADS = (4, 2, 0)  # rows scored after each code, for each hit that is wanted
_STAGE = 4  # times as many spans have been read before the floor is raised again
_LAST = 256  # rows scored at once after the last code
_SPAN = 1 << 16  # rows of one task
_DENSE = 0.25  # from this share of a span on, the codes of all its rows are read
_EXACT_ROWS = 4096  # vectors read at once


class DiskIndex:
    """Unit vectors in a folder that can be asked for the nearest, in little memory."""

    def __init__(self, folder: str | Path) -> None:
        """Open the index in `folder`, as `build_index` wrote it.

        Raises QueryError where there is none, or one that is damaged or newer.
        """
        self.folder = Path(folder)
        self.state = read_state(self.folder)
        self.margin, self.reach = self.state.margin, self.state.reach
        self._sketcher = read_sketcher(self.folder)
        words = dict(zip(("first", "rest", "second"), self._sketcher.words, strict=True))
        widths = {**words, "vectors": self.dim, "factors": 3, "groups": 1}
        self._maps: dict[str, mmap.mmap] = {}
        self._vectors = (self.folder / "vectors").open("rb", buffering=0)
        self._files = {name: self._mapped(name, widths[name]) for name in ROW_FILES}
        self.groups = CoarseGroups(read_centroids(self.folder), self._files["groups"][:, 0])
        self.room: Any = None  # what holds a folder that goes with the index
        self._most: dict[int, float] = {}  # of the first factors, by the start of a span
        self._pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1))

    def __len__(self) -> int:
        return self.state.rows

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return self.state.dim

    def search(
        self,
        queries: Floats,
        k: int | Ints,
        *,
        rows: Ints | None = None,
        exclude: Sequence[int | None] | None = None,
    ) -> Hits:
        """The k rows nearest to each query, of which a few may be missed: see `state.recall`.

        Takes what `ExactIndex.search` takes, and raises what it raises.
        """
        units = unit_queries(queries, self.dim)
        counts = hit_counts(k, len(units))
        allowed = allowed_rows(rows, len(self))
        excluded = excluded_rows(exclude, len(units), len(self))

        def one(number: int) -> Hits:
            asked = _Search(self, units[number], int(counts[number]), int(excluded[number]))
            found = asked.run(allowed, self._pool.map if len(units) == 1 else map)
            return Hits(np.full(len(found), number), found.row, found.score)

        try:
            mapped = map if len(units) == 1 else self._pool.map
            return joined(list(mapped(one, range(len(units)))))
        finally:
            self.let_go(*_KEPT)

    def vectors(self, rows: Ints) -> Floats:
        """The vectors of some rows, float32 [rows, dim].

        They are read: a map would keep whole pages around each, and sixteen where it was lucky.
        """
        found = np.empty((len(rows), self.dim), np.float32)
        if not len(rows):
            return found
        if not hasattr(os, "preadv"):
            np.take(self._files["vectors"], rows, axis=0, out=found)
            return found
        size, descriptor = self.dim * found.itemsize, self._vectors.fileno()
        starts = np.flatnonzero(np.append(True, np.diff(rows) != 1)[: len(rows)]).tolist()
        for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
            read = os.preadv(descriptor, [found[start:stop].data], int(rows[start]) * size)
            if read < (stop - start) * size:
                raise QueryError(f"{self.folder / 'vectors'} is too short: build the index anew")
        return found

    def let_go(self, *kept: str) -> None:
        """Give back the memory of what was read from files, but for those named."""
        for name, mapped in self._maps.items():
            if name not in kept and hasattr(mmap, "MADV_DONTNEED"):
                mapped.madvise(mmap.MADV_DONTNEED)

    def _mapped(self, name: str, width: int) -> NDArray[Any]:
        """A file's committed rows."""
        kind = ROW_FILES[name]
        if not len(self):
            return np.empty((0, width), kind)
        path, size = self.folder / name, len(self) * width * kind.itemsize
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise QueryError(
                f"{path} is damaged ({error}): delete {self.folder}, build it anew"
            ) from None
        self._maps[name] = mapped
        return np.frombuffer(mapped, kind).reshape(len(self), width)

    def scores(self, unit: NDArray[np.float64], rows: Ints) -> Hits:
        """Some rows with their true scores, in order of the rows."""
        parts = []
        for start in range(0, len(rows), _EXACT_ROWS):
            some = rows[start : start + _EXACT_ROWS]
            places = Hits(np.zeros(len(some), np.int64), np.arange(len(some)), np.empty(0, "f4"))
            scored = true_scores(self.vectors(some), unit[None], places)
            parts.append(Hits(scored.query, some, scored.score))
        return joined(parts)

    def query(self, unit: NDArray[np.float64]) -> CodedQuery:
        """A query's codes."""
        return self._sketcher.query(unit)

    def promising(self, query: CodedQuery, span: slice, floor: np.float32) -> tuple[Ints, Counts]:
        """The rows of a span that may reach a score by the first code, and their counts.

        One threshold for all spares most of them the factor: it goes by the greatest of the span.
        """
        counts = counted_bits(
            self._files["first"][span], query.planes[:, : self._sketcher.words[0]]
        )
        gain = float(floor) - query.base
        if not gain > 0:
            return np.arange(span.start, span.stop), counts
        if span.start not in self._most:
            self._most[span.start] = float(self._files["factors"][span, 0].max())
        least = gain / max(self._most[span.start], 1e-9) - self._offset(query, 0)
        least = min(max(least / (2 * query.step), -32768.0), 32767.0)
        kept = np.flatnonzero(counts >= np.int16(np.floor(least)))
        return kept + span.start, counts[kept]

    def _offset(self, query: CodedQuery, code: int) -> float:
        """What is added to the scaled counts of a code: its margin, and the query's sum."""
        margin = self.margin * self._sketcher.deviation(query, code)
        return margin - (1.0, 1.0, 1.5)[code] * query.sums[0 if code == 0 else 1]

    def bounds(
        self,
        query: CodedQuery,
        code: int,
        span: slice,
        rows: Ints,
        coarse: Counts | None,
        counts: Counts | None = None,
    ) -> tuple[Floats, Counts]:
        """What the scores of some rows hardly exceed, float32 [rows], and counts of their signs.

        rows: of the span. coarse: the counts of the code before. counts: of this one, where known.
        """
        if counts is None:
            counts = self._counts(("first", "rest", "second")[code], query, span, rows)
        signs = counts if coarse is None else coarse
        if code == 1:
            signs = signs + counts
        sums = signs.astype(np.float32)
        sums *= np.float32(2 * query.step)
        if code == 2:
            sums += np.float32(query.step) * counts
        sums += np.float32(self._offset(query, code))
        sums *= self._files["factors"][rows, code]
        sums += np.float32(query.base)
        return sums, signs

    def _counts(self, name: str, query: CodedQuery, span: slice, rows: Ints) -> Counts:
        planes = query.planes
        first = self._sketcher.words[0]
        if name != "second":
            planes = planes[:, :first] if name == "first" else planes[:, first:]
        words = self._files[name]
        if len(rows) > _DENSE * (span.stop - span.start):
            counts: Counts = counted_bits(words[span], planes)[rows - span.start]
            return counts
        return counted_bits(np.take(words, rows, axis=0), planes)


@dataclass(frozen=True, slots=True, eq=False)
class _Left:
    """Rows that may still be among the best, rising, their bounds and counts."""

    rows: Ints
    bounds: Floats
    counts: Counts

    def reaching(self, floor: np.float32) -> _Left:
        """The rows whose bounds reach a score."""
        return self._taken(np.flatnonzero(self.bounds >= floor))

    def first(self, count: int) -> _Left:
        """The rows of the highest bounds, in no order."""
        if len(self.rows) <= count:
            return self
        return self._taken(np.argpartition(self.bounds, -count)[-count:])

    def _taken(self, places: Ints) -> _Left:
        return _Left(self.rows[places], self.bounds[places], self.counts[places])

    @staticmethod
    def joined(parts: list[_Left]) -> _Left:
        if not parts:
            return _Left(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int16))
        return _Left(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.bounds for part in parts]),
            np.concatenate([part.counts for part in parts]),
        )


class _Search:
    """One query on its way from code to code."""

    def __init__(self, index: DiskIndex, unit: NDArray[np.float64], k: int, excluded: int) -> None:
        self.index, self.unit, self.k, self.excluded = index, unit, k, excluded
        self.query = index.query(unit)
        self.best = joined([])
        self.floor = np.float32(-np.inf)

    def run(self, rows: Ints | None, mapped: Callable[..., Any]) -> Hits:
        """The k best of the allowed rows. mapped: `map`, or that of several threads."""
        count = len(self.index) if rows is None else len(rows)
        if count <= max(_FEW, 2 * _LEADS[0] * self.k):
            self._score(np.arange(count) if rows is None else rows)
            return self.best
        rows = self._near(rows, mapped)
        left = self._passed(0, rows, None, mapped)
        for code in (1, 2):
            if len(left.rows) > max(_FEW // 8, 2 * self.k):
                left = self._passed(code, left.rows, left.counts, mapped)
        self._finish(left)
        return self.best

    def _near(self, rows: Ints | None, mapped: Callable[..., Any]) -> Ints | None:
        """The rows of groups that are near enough, where the index has a use for its groups."""
        groups, reach = self.index.groups, self.index.reach
        if reach is None or rows is not None:  # the nearest of few rows lie further than the reach
            return rows
        scores = groups.scores(self.unit)
        first = groups.rows(groups.best(scores, _SPAN), rows, mapped)
        if len(first):
            self._passed(0, first, None, mapped)  # what it scores says how near is near enough
        return groups.rows(scores >= self.floor - np.float32(reach), rows, mapped)

    def _passed(
        self, code: int, rows: Ints | None, counts: Counts | None, mapped: Callable[..., Any]
    ) -> _Left:
        """What of some rows may be among the best by a code; all rows where None."""
        starts = np.arange(0, len(self.index) + _SPAN, _SPAN)
        edges = np.minimum(starts, len(self.index))
        if rows is not None:
            edges = np.searchsorted(rows, edges)

        def span(at: int) -> _Left:
            start = at * _SPAN
            whole = slice(start, min(start + _SPAN, len(self.index)))
            part = slice(edges[at], edges[at + 1])
            coarse = known = None
            if rows is None:
                some, known = self.index.promising(self.query, whole, self.floor)
            else:
                some, coarse = rows[part], None if counts is None else counts[part]
            bounds, signs = self.index.bounds(self.query, code, whole, some, coarse, known)
            if code:
                self.index.let_go("first", "factors")
            return _Left(some, bounds, signs).reaching(self.floor)

        busy = np.flatnonzero(np.diff(edges)).tolist()
        parts: list[_Left] = []
        while len(parts) < len(busy):  # what the first spans find spares the others most rows
            start = len(parts)
            stop = len(busy)
            if code == 0 and (rows is None or not start):
                stop = max(1, _STAGE * start)
            parts += mapped(span, busy[start:stop])
            self._lead(parts[start:], _LEADS[code])
            for place, part in enumerate(parts):  # each lets go of its rows before the next
                parts[place] = part.reaching(self.floor)
        return _Left.joined(parts)

    def _finish(self, left: _Left) -> None:
        """Score what is left, the highest bounds first, as long as they reach the best so far."""
        order = np.argsort(-left.bounds, kind="stable")
        for start in range(0, len(order), _LAST):
            some = order[start : start + _LAST]
            if left.bounds[some[0]] < self.floor:
                return
            self._score(np.setdiff1d(left.rows[some], self.best.row))

    def _lead(self, parts: list[_Left], times: int) -> None:
        """Score the rows of the highest bounds: what else is found must score as much."""
        if times:
            first = _Left.joined([part.first(times * self.k) for part in parts])
            self._score(np.setdiff1d(first.first(times * self.k).rows, self.best.row))

    def _score(self, rows: Ints) -> None:
        """Take the best of some rows, each once, among the best so far."""
        rows = np.sort(rows[rows != self.excluded])
        found = joined([self.best, self.index.scores(self.unit, rows)])
        self.best = found.best(np.array([self.k]))
        if len(self.best) == self.k:
            self.floor = self.best.score[-1]
