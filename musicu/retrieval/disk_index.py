"""An index of more vectors than memory holds: short codes are scanned, few vectors are read.

The codes of `sketches.py` say what the score of a row hardly exceeds. The first code of all rows
is read; the rows that it puts first are scored exactly, and so is what could still be among the k
best by a finer code, until few are left: those are all scored. "Hardly" is so many deviations,
`margin`, as `disk_index_build` found necessary for its recall. Scores are those of `ExactIndex`.

Files are memory-mapped, and all but the first code are let go as soon as they were read.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.retrieval.hits import Hits, joined
from musicu.retrieval.queries import (
    allowed_rows,
    excluded_rows,
    hit_counts,
    true_scores,
    unit_queries,
)
from musicu.retrieval.sketches import CodedQuery, Counts, Sketcher, counted_bits

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FORMAT = 1
STATE = "index.json"
SKETCHER = "sketcher.safetensors"
#: Its files of rows: the name of each, and the type of a value.
ROW_FILES: dict[str, np.dtype[Any]] = {
    "vectors": np.dtype("<f4"),
    "first": np.dtype("<u8"),
    "rest": np.dtype("<u8"),
    "second": np.dtype("<u8"),
    "factors": np.dtype("<f2"),
}
MOST_THREADS = 8
_FEW = 4096  # rows that are scored at once without a look at their codes
_LEAD = 2  # rows scored after each code, for each hit that is wanted
_SPAN = 1 << 16  # rows of one task
_DENSE = 0.25  # from this share of a span on, the codes of all its rows are read
_EXACT_ROWS = 4096  # vectors read at once


@dataclass(frozen=True, slots=True)
class IndexState:
    """What an index on the disk says of itself.

    rows: that are committed; files may hold more. fingerprint: of the model whose vectors it holds,
    "" where that is not known. margin: deviations by which an estimate may be too low. recall: the
    share of the true 100 nearest that it found, of `queries` of its own rows when it had
    `verified_rows`.
    """

    rows: int
    dim: int
    fingerprint: str = ""
    margin: float = 4.0
    recall: float = 1.0
    queries: int = 0
    verified_rows: int = 0
    format: int = FORMAT

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"


def read_state(folder: Path) -> IndexState:
    """What the index in a folder says of itself; raises QueryError where there is none."""
    path = folder / STATE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said.get("format", 0) > FORMAT:
            raise QueryError(
                f"{path} has format {said['format']}, this version of musicu reads up to {FORMAT}: "
                "pip install --upgrade musicu"
            )
        return IndexState(**{field.name: said[field.name] for field in fields(IndexState)})
    except FileNotFoundError:
        raise QueryError(
            f"{folder} has no index: build one with `musicu index CATALOG`, or `build_index`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise QueryError(f"{path} is damaged ({error}): delete {folder}, build it anew") from None


class DiskIndex:
    """Unit vectors in a folder that can be asked for the nearest, in little memory."""

    def __init__(self, folder: str | Path) -> None:
        """Open the index in `folder`, as `build_index` wrote it.

        Raises QueryError where there is none, or one that is damaged or newer.
        """
        self.folder = Path(folder)
        self.state = read_state(self.folder)
        self.margin = self.state.margin
        self._sketcher = read_sketcher(self.folder)
        words = dict(zip(("first", "rest", "second"), self._sketcher.words, strict=True))
        widths = {**words, "vectors": self.dim, "factors": 3}
        self._maps: dict[str, mmap.mmap] = {}
        self._vectors = (self.folder / "vectors").open("rb", buffering=0)
        self._files = {name: self._mapped(name, widths[name]) for name in ROW_FILES}
        self.room: Any = None  # what holds a folder that goes with the index
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
            self.let_go("first", "factors")

    def vectors(self, rows: Ints) -> Floats:
        """The vectors of some rows, float32 [rows, dim].

        They are read: a map would keep whole pages around each, and sixteen where it was lucky.
        """
        found = np.empty((len(rows), self.dim), np.float32)
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

    def bounds(
        self, query: CodedQuery, code: int, span: slice, rows: Ints | None, coarse: Counts | None
    ) -> tuple[Floats, Counts]:
        """What the scores of some rows hardly exceed, float32 [rows], and counts of their signs.

        rows: of the span; all where None. coarse: the counts of the code before.
        """
        counts = self._counts(("first", "rest", "second")[code], query, span, rows)
        signs = counts if coarse is None else coarse
        if code == 1:
            signs = signs + counts
        sums = signs.astype(np.float32)
        sums *= np.float32(2 * query.step)
        if code == 2:
            sums += np.float32(query.step) * counts
        offset = self.margin * self._sketcher.deviation(query, code)
        offset -= (1.0, 1.0, 1.5)[code] * query.sums[0 if code == 0 else 1]
        sums += np.float32(offset)
        factors = self._files["factors"]
        factor = factors[span, code] if rows is None else factors[rows, code]
        sums *= factor
        sums += np.float32(query.base)
        return sums, signs

    def _counts(self, name: str, query: CodedQuery, span: slice, rows: Ints | None) -> Counts:
        planes = query.planes
        first = self._sketcher.words[0]
        if name != "second":
            planes = planes[:, :first] if name == "first" else planes[:, first:]
        words = self._files[name]
        if rows is None:
            return counted_bits(words[span], planes)
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
        kept = np.flatnonzero(self.bounds >= floor)
        return _Left(self.rows[kept], self.bounds[kept], self.counts[kept])

    @staticmethod
    def joined(parts: list[_Left]) -> _Left:
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
        if count <= max(_FEW, 2 * _LEAD * self.k):
            self._score(np.arange(count) if rows is None else rows)
            return self.best
        left = self._passed(0, rows, None, mapped)
        for code in (1, 2):
            if len(left.rows) > max(_FEW // 8, _LEAD * self.k):
                left = self._passed(code, left.rows, left.counts, mapped)
        self._score(np.setdiff1d(left.rows, self.best.row, assume_unique=True))
        return self.best

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
            some = None if rows is None else rows[part]
            coarse = None if counts is None else counts[part]
            bounds, signs = self.index.bounds(self.query, code, whole, some, coarse)
            if code:
                self.index.let_go("first", "factors")
            some = np.arange(whole.start, whole.stop) if some is None else some
            return _Left(some, bounds, signs).reaching(self.floor)

        busy = np.flatnonzero(np.diff(edges)).tolist()
        if code:
            left = _Left.joined(list(mapped(span, busy)))
        else:  # what the first span finds spares the others most of their rows
            first = span(busy[0])
            self._lead(first)
            left = _Left.joined([first, *mapped(span, busy[1:])])
        self._lead(left)
        return left.reaching(self.floor)

    def _lead(self, left: _Left) -> None:
        """Score the rows of the highest bounds: what else is found must score as much."""
        most = min(len(left.rows), _LEAD * self.k)
        if most:
            first = np.argpartition(left.bounds, len(left.rows) - most)[len(left.rows) - most :]
            self._score(np.setdiff1d(left.rows[first], self.best.row))

    def _score(self, rows: Ints) -> None:
        """Take the best of some rows, each once, among the best so far."""
        rows = np.sort(rows[rows != self.excluded])
        found = joined([self.best, self.index.scores(self.unit, rows)])
        self.best = found.best(np.array([self.k]))
        if len(self.best) == self.k:
            self.floor = self.best.score[-1]


def read_sketcher(folder: Path) -> Sketcher:
    """The sketcher of an index; raises QueryError where it is damaged."""
    from safetensors.numpy import load_file

    try:
        held = load_file(folder / SKETCHER)
        first, signs, steps = held["spread"].tolist()
        return Sketcher(held["centre"], held["rotation"], (first, signs, steps))
    except Exception as error:  # noqa: BLE001 - safetensors has errors of its own
        path = folder / SKETCHER
        raise QueryError(f"{path} is damaged ({error}): delete {folder}, build it anew") from None
