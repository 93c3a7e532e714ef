"""Vectors from elsewhere: a column of lists in a table, read a few thousand rows at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from musicu.catalog.compaction import compact
from musicu.catalog.file_names import check_file_name
from musicu.catalog.manifest import TRACK_KEY, ModelEntry
from musicu.catalog.rows import latest_rows, vectors_by_track
from musicu.catalog.store import Change, Store
from musicu.errors import CatalogError, SourceError
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.ingest.columns import ID_NAMES, find_column
from musicu.ingest.ids import id_texts
from musicu.progress import tracked

Floats = NDArray[np.float32]

_ROWS_AT_ONCE = 4_096
#: Bytes of vectors that are committed together; 65,536 vectors of 256 numbers.
_PIECE_BYTES = 1 << 26
_READ_BYTES = 1 << 20
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


def import_vectors(
    catalog: str | Path,
    table: TableLike,
    column: str,
    model: str,
    *,
    version: str = "",
    replace: bool = False,
) -> int:
    """Take a list column of vectors into a catalog, under a model's name; returns how many.

    table: in memory or a Parquet file, with a column of ids, each of a track that the catalog has
    and each once. Vectors are brought to unit length; a row whose vector is null, of zeros or not
    finite has none. version: of the training that they come from: vectors of one name and version
    may be added to each other. replace: take out first what the catalog has under the name. What
    was read is kept when the import is stopped, and the next one leaves it alone.

    Raises SourceError where ids or vectors make no sense, and CatalogError where the catalog has
    vectors of that name from elsewhere, of another length or version, or another vector of a track.
    """
    check_file_name(model, "the model")
    source = _VectorColumn(_rows_of(table), column)
    with Store.writing(Path(catalog)) as store:
        ids = source.ids()
        _check_ids(store, ids)
        if replace and model in store.manifest.models:
            _check_imported(store, model)
            store.drop_model(model)
        pieces = _Pieces(store, model, version)
        if model in store.manifest.models:
            pieces.check_unchanged(source.vectors())
        parts = source.vectors()
        for part, values in tracked(parts, "taking in vectors", len(ids), "vectors", _length):
            pieces.add(part, values)
        pieces.write()
        if pieces.count:
            compact(store, f"vectors/{model}", TRACK_KEY)
    return pieces.count


def imported_fingerprint(model: str, dim: int, version: str = "") -> str:
    """The fingerprint of vectors whose model is elsewhere: of their name, length and version."""
    told = f"imported {model} {dim}{version and f' {version}'}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _rows_of(table: TableLike) -> pa.Table | Path:
    """A Parquet file, which is read in pieces, or a table in memory."""
    if isinstance(table, str | Path) and Path(table).suffix.lower() in (".parquet", ".pq"):
        return Path(table)
    return as_table(table, "the table of vectors")


def _check_imported(store: Store, model: str) -> None:
    """Raise CatalogError where vectors are those of a model that musicu runs itself."""
    own = (store.folder / "models" / model).is_dir()
    if own or store.manifest.models[model].key != TRACK_KEY:
        raise CatalogError(
            f"{store.folder} has vectors of its own model under the name {model!r}, which are made "
            "from its tracks: choose another name"
        )


def _length(part: tuple[pa.Array, Floats]) -> int:
    return len(part[1])


def _ids(column: pa.ChunkedArray) -> pa.Array:
    """Ids as text, in one piece."""
    return id_texts(column).combine_chunks()


def _check_ids(store: Store, ids: pa.Array) -> None:
    """Raise SourceError where an id stands in several rows or belongs to no track."""
    if pc.count_distinct(ids).as_py() < len(ids):
        counts = pc.value_counts(ids)
        several = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
        raise SourceError(
            f"{len(several)} ids of the table stand in several rows, the first is "
            f"{several[0].as_py()!r}: give each track one vector"
        )
    tracks = store.read("tracks", ["track_id"])
    known = pa.array([], pa.string()) if tracks is None else tracks["track_id"].combine_chunks()
    strangers = ids.filter(pc.invert(pc.is_in(ids, value_set=known)))
    if len(strangers):
        raise SourceError(
            f"{len(strangers)} of the vectors belong to no track of {store.folder}, the first "
            f"to {strangers[0].as_py()!r}: scan the table first"
        )


class _VectorColumn:
    """A table's column of vectors beside its ids."""

    def __init__(self, table: pa.Table | Path, column: str) -> None:
        schema = table.schema if isinstance(table, pa.Table) else _schema(table)
        id_column = find_column(schema.names, ID_NAMES)
        if id_column is None:
            raise SourceError("the table has no column of ids: name one 'track_id', so that each "
                              "vector finds its track")  # fmt: skip
        if column not in schema.names:
            raise SourceError(f"the table has no column {column!r}, only {', '.join(schema.names)}")
        self._table, self._column, self._id_column = table, column, id_column
        self._dim = 0  # as long as no list was seen

    def ids(self) -> pa.Array:
        """All ids, as text."""
        parts = [_ids(batch[self._id_column]) for batch in self._batches([self._id_column])]
        return pa.concat_arrays(parts) if parts else pa.array([], pa.string())

    def vectors(self) -> Iterator[tuple[pa.Array, Floats]]:
        """Ids and unit vectors float32 [some, dim] of the rows that have one."""
        for batch in self._batches([self._id_column, self._column]):
            ids, cells = _ids(batch[self._id_column]), batch[self._column].combine_chunks()
            values = self._numbers(cells)
            size = np.linalg.norm(values, axis=1)
            good = np.isfinite(size) & (size > 0)
            units = (values[good] / size[good, None]).astype(np.float32)
            given = ids.filter(pc.is_valid(cells))
            yield given.filter(pa.array(good)), units

    def _numbers(self, cells: pa.Array) -> NDArray[np.float64]:
        """The lists that are there, float64 [lists, dim]; NaN where a number is null."""
        is_list = any(is_kind(cells.type) for is_kind in _LISTS)
        lengths = pc.list_value_length(cells).drop_null().unique().to_pylist() if is_list else [0]
        if not lengths:
            return np.zeros((0, 1))
        self._dim = self._dim or lengths[0]
        if lengths != [self._dim] or not self._dim:
            raise SourceError(
                f"the column {self._column!r} must hold lists of one length, not {cells.type} of "
                f"lengths {sorted({*lengths, self._dim})[:5]}"
            )
        try:
            numbers = pc.list_flatten(cells).cast(pa.float64())
        except pa.ArrowException:
            raise SourceError(f"the column {self._column!r} must hold lists of numbers") from None
        values: NDArray[np.float64] = numbers.to_numpy(zero_copy_only=False)
        return values.reshape(-1, self._dim)

    def _batches(self, columns: list[str]) -> Iterator[pa.Table]:
        if isinstance(self._table, pa.Table):
            chosen = self._table.select(columns)
            for start in range(0, chosen.num_rows, _ROWS_AT_ONCE):
                yield chosen.slice(start, _ROWS_AT_ONCE)
            return
        try:  # a buffer, as a row group of some programs is the whole table
            with pq.ParquetFile(self._table, buffer_size=_READ_BYTES, pre_buffer=False) as file:
                for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
                    batch.validate(full=True)
                    yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self._table, error) from error


def has_column(path: Path, column: str) -> bool:
    """Whether a Parquet file has a column; raises SourceError where it cannot be read."""
    return column in _schema(path).names


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SourceError:
    reason = getattr(error, "strerror", None) or error
    return SourceError(f"the table {path} cannot be read: {reason}")


class _Pieces:
    """Commits vectors in sorted pieces, without those that the catalog has already."""

    def __init__(self, store: Store, model: str, version: str) -> None:
        self._store, self._model, self._version = store, model, version
        self._entry: ModelEntry | None = None
        self._waiting: list[tuple[pa.Array, Floats]] = []
        self._bytes = self.count = 0
        self._held_ids = pa.array([], pa.string())
        self._held_hashes = np.zeros(0, np.int64)

    def add(self, ids: pa.Array, values: Floats) -> None:
        """Take unit vectors of different tracks."""
        if not len(ids):
            return
        if self._entry is None:
            self._begin(values.shape[1])
        self._waiting.append((ids, values))
        self._bytes += values.nbytes
        self.count += len(ids)
        if self._bytes >= _PIECE_BYTES:
            self.write()

    def _begin(self, dim: int) -> None:
        """Check the length of the vectors, and read what the catalog has of them."""
        self._entry = ModelEntry(
            imported_fingerprint(self._model, dim, self._version), dim, TRACK_KEY
        )
        standing = self._store.manifest.models.get(self._model)
        if standing is None:
            return
        if standing != self._entry:
            raise CatalogError(
                f"{self._store.folder} has other vectors under the name {self._model!r} "
                f"({standing.dim} numbers, by {standing.key}; these have {dim}) or of another "
                "version: choose another name, give the version that those have, or replace them"
            )
        keys = self._store.read(f"vectors/{self._model}", [TRACK_KEY])
        if keys is None:
            return
        hashes = [_hashes(values) for values in self._store.vector_files(self._model, dim)]
        last = latest_rows(keys[TRACK_KEY])
        self._held_ids = keys[TRACK_KEY].take(pa.array(last)).combine_chunks()
        self._held_hashes = np.concatenate(hashes)[last]

    def check_unchanged(self, vectors: Iterable[tuple[pa.Array, Floats]]) -> None:
        """Raise CatalogError where the catalog has another vector of a track under the name."""
        for ids, values in vectors:
            if self._entry is None and len(ids):
                self._begin(values.shape[1])
            if self._entry is None:
                continue
            known = pc.is_in(ids, value_set=self._held_ids).to_numpy(zero_copy_only=False)
            changed = np.flatnonzero(known & ~self._holds(ids, values))
            if len(changed):
                raise CatalogError(
                    f"{self._store.folder} has another vector of {ids[changed[0]].as_py()!r} under "
                    f"the name {self._model!r}, and vectors of two trainings are never mixed: "
                    "replace them all, or choose another name"
                )

    def write(self) -> None:
        """Commit what is waiting."""
        if self._entry is None or not self._waiting:
            return
        ids = pa.concat_arrays([ids for ids, _ in self._waiting])
        values = np.concatenate([values for _, values in self._waiting])
        self._waiting, self._bytes = [], 0  # before more copies are made
        new = np.flatnonzero(~self._holds(ids, values))
        if not len(new):
            return
        order = new[pc.sort_indices(ids.take(pa.array(new))).to_numpy()]
        rows = vectors_by_track(ids.take(pa.array(order)), values[order])
        change = Change(f"vectors/{self._model}", rows)
        self._store.commit([change], {self._model: self._entry})

    def _holds(self, ids: pa.Array, values: Floats) -> NDArray[np.bool_]:
        """Which vectors the catalog has as they are: bool [vectors]."""
        places = pc.fill_null(pc.index_in(ids, value_set=self._held_ids), -1).to_numpy()
        known = places >= 0
        same = np.zeros(len(ids), np.bool_)
        same[known] = self._held_hashes[places[known]] == _hashes(values[known])
        return same


def _hashes(values: Floats) -> NDArray[np.int64]:
    """A hash of 64 bits for each vector, int64 [vectors]; of this process only."""
    return np.fromiter((hash(row.tobytes()) for row in values), np.int64, len(values))
