"""The final form of a table: one row a key, sorted, written by a merge that holds little of it.

Runs add pieces, each sorted by key. Compaction merges them with what is in final form already, a
few thousand rows at a time, and leaves alone every file that nothing touches. Where one file ends
and the next begins depends on the keys alone, so that the files do too, whatever the number of
runs (content-defined chunking, after Muthitacharoen, Chen and Mazières, SOSP 2001).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.rows import latest, rising
from musicu.catalog.store import Store
from musicu.progress import tracked

#: A file ends after a key that ends in "000" (one in 4,096 hashes), within these sizes.
MIN_ROWS = 8_192
MAX_ROWS = 32_768
_LAST = "000"
#: Pieces that are merged at a time; of each a few thousand rows are in memory.
FAN_IN = 16


@dataclass(frozen=True, slots=True)
class Fix:
    """What is to become of rows in a compaction.

    columns: all that `apply` looks at and changes.
    apply: a table with those columns, and maybe others, to the table with new values in them, or
    with fewer rows. What it has changed once it leaves as it is.
    """

    columns: list[str]
    apply: Callable[[pa.Table], pa.Table]


def compact(store: Store, table: str, key: str, fix: Fix | None = None) -> None:
    """Bring a table into its final form; raises CatalogError where a file is damaged.

    Each commit on the way holds all rows, so a kill costs the work since the last one.
    """
    schema = store.table_schema(table)
    if schema is None:
        return
    _thin(store, table, key, schema)
    compacted, pieces = store.files(table)
    fresh = SortedStream(_merged([_sorted(store, name, key) for name in pieces], key), key)
    out = _Files(store, table, key, schema)
    ends: list[str | None] = [_first_key(store, name, key) for name in compacted[1:]]
    files = itertools.zip_longest(compacted, ends)
    for name, end in tracked(files, f"merging {table}", max(len(compacted), 1), "files"):
        if out.between and not fresh.reaches(end) and not _changes(store, name, fix):
            out.keep(name)
        else:
            old = store.file_batches(name)
            out.add_all(_fixed(_merged([old, fresh.below(end)], key), fix))
    out.add_all(_fixed(fresh.below(None), fix))
    names = out.finish()
    if pieces or names != compacted:
        store.list_files(table, names, [])


def rows_by_key(
    store: Store, table: str, key: str, columns: list[str] | None = None
) -> Iterator[pa.Table]:
    """Columns of a table in its final form, a few thousand rows at a time, compacted or not.

    columns: the key among them; all of them where None. A column that a file lacks is missing
    from its batches.
    """
    compacted, pieces = store.files(table)
    base = itertools.chain.from_iterable(store.file_batches(name, columns) for name in compacted)
    runs = [base, *(_sorted(store, name, key, columns) for name in pieces)]
    return _merged(runs, key)


def _thin(store: Store, table: str, key: str, schema: pa.Schema) -> None:
    """Merge pieces into larger ones until few are left."""
    compacted, pieces = store.files(table)
    while len(pieces) > FAN_IN:
        groups = [pieces[i : i + FAN_IN] for i in range(0, len(pieces), FAN_IN)]
        pieces = []
        for group in groups:
            rows = _merged([_sorted(store, name, key) for name in group], key)
            fitted = (_fitted(batch, schema) for batch in rows)
            pieces.append(store.write_file(table, fitted, schema))
        store.list_files(table, compacted, pieces)


def _sorted(
    store: Store, name: str, key: str, columns: list[str] | None = None
) -> Iterator[pa.Table]:
    """A piece by key; earlier versions wrote some in no order, which are sorted in memory."""
    keys = pa.concat_tables(list(store.file_batches(name, [key])))[key]
    if rising(keys):
        yield from store.file_batches(name, columns)
    else:
        yield latest(pa.concat_tables(list(store.file_batches(name, columns))), key)


def _first_key(store: Store, name: str, key: str) -> str:
    first: str = next(store.file_batches(name, [key]))[key][0].as_py()
    return first


def _changes(store: Store, name: str, fix: Fix | None) -> bool:
    """Whether a fix would change any row of a file."""
    if fix is None:
        return False
    parts = store.file_batches(name, fix.columns)
    return any(not fix.apply(part).equals(part) for part in parts)


def _fixed(batches: Iterable[pa.Table], fix: Fix | None) -> Iterator[pa.Table]:
    for batch in batches:
        yield fix.apply(batch) if fix else batch


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same rows with all the columns of the schema, null where they had none."""
    if table.schema.equals(schema):
        return table
    return pa.concat_tables([schema.empty_table(), table], promote_options="permissive").cast(
        schema
    )


def _merged(runs: Sequence[Iterator[pa.Table]], key: str) -> Iterator[pa.Table]:
    """The rows of sorted runs in one order; of rows with one key, that of the last run.

    Every round takes from each run what is no greater than the smallest of the runs' last keys
    at hand: so no run can bring a smaller key later.
    """
    heads = [(head, run) for run in runs if (head := _next(run)) is not None]
    while heads:
        bound = min(head[key][-1].as_py() for head, _ in heads)
        taken, left = [], []
        for head, run in heads:
            count = _count_below(head, key, bound, including=True)
            taken.append(head.slice(0, count))
            rest = head.slice(count) if count < head.num_rows else _next(run)
            if rest is not None:
                left.append((rest, run))
        heads = left
        yield latest(pa.concat_tables(taken, promote_options="permissive"), key)


def _next(run: Iterator[pa.Table]) -> pa.Table | None:
    """The next batch of a run that has rows."""
    return next((batch for batch in run if batch.num_rows), None)


def _count_below(table: pa.Table, key: str, bound: str, *, including: bool) -> int:
    """How many rows of a sorted table are less than the bound (or equal to it)."""
    compare = pc.less_equal if including else pc.less
    return pc.sum(compare(table[key], bound)).as_py() or 0


class SortedStream:
    """A sorted stream that one can look into before taking from it."""

    def __init__(self, batches: Iterator[pa.Table], key: str) -> None:
        self._batches, self._key = batches, key
        self._head = _next(batches)

    def reaches(self, end: str | None) -> bool:
        """Whether the next row's key is less than `end`; None: whether there is any."""
        if self._head is None:
            return False
        return end is None or self._head[self._key][0].as_py() < end

    def below(self, end: str | None) -> Iterator[pa.Table]:
        """The rows from here on whose keys are less than `end`."""
        while self._head is not None and self.reaches(end):
            head = self._head
            count = head.num_rows
            if end is not None:
                count = _count_below(head, self._key, end, including=False)
            self._head = head.slice(count) if count < head.num_rows else _next(self._batches)
            yield head.slice(0, count)


class _Files:
    """The files of the final form, cut from rows that come in order."""

    def __init__(self, store: Store, table: str, key: str, schema: pa.Schema) -> None:
        self._store, self._table, self._key, self._schema = store, table, key, schema
        self._names: list[str] = []
        self._waiting: list[pa.Table] = []
        self._rows = 0

    @property
    def between(self) -> bool:
        """Whether the last file is whole, so that the next row begins a new one."""
        return not self._rows

    def keep(self, name: str) -> None:
        """Let a file stand as it is."""
        self._names.append(name)

    def add_all(self, batches: Iterable[pa.Table]) -> None:
        """Take rows, and write every file that they make whole."""
        for batch in batches:
            while (cut := self._cut(batch)) is not None:
                self._write([*self._waiting, batch.slice(0, cut)])
                batch = batch.slice(cut)
                self._waiting, self._rows = [], 0
            if batch.num_rows:
                self._waiting.append(batch)
                self._rows += batch.num_rows

    def _cut(self, batch: pa.Table) -> int | None:
        """After how many rows of the batch the file ends, if it ends there."""
        first = max(0, MIN_ROWS - self._rows - 1)  # the first row that may be a file's last
        ends = pc.index(pc.ends_with(batch[self._key].slice(first), _LAST), True).as_py()
        whole = MAX_ROWS - self._rows
        cut = first + ends + 1 if ends >= 0 else whole
        return min(cut, whole) if min(cut, whole) <= batch.num_rows else None

    def finish(self) -> list[str]:
        """Write what is left; returns the names of all files in their order."""
        if self._rows:
            self._write(self._waiting)
            self._waiting, self._rows = [], 0
        return self._names

    def _write(self, parts: list[pa.Table]) -> None:
        rows = pa.concat_tables([_fitted(part, self._schema) for part in parts])
        whole = rows.combine_chunks()  # so that the file does not tell how the rows came
        self._names.append(self._store.write_file(self._table, [whole], self._schema))
