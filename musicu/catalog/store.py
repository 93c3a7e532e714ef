"""Tables of a catalog folder: read whole, added to and replaced in one commit."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from musicu.catalog.file_names import check_file_name
from musicu.catalog.files import TEMPORARY_SUFFIX, plain_errors, write_atomically
from musicu.catalog.lock import write_lock
from musicu.catalog.manifest import NAME, Manifest, ModelEntry, read_manifest
from musicu.catalog.parquet_pages import copy_vectors
from musicu.catalog.schema import check_columns
from musicu.errors import CatalogError

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
T = TypeVar("T")

#: What says that a reader has a file open, which Windows then does not remove: the next run does.
_HELD: tuple[type[OSError], ...] = (PermissionError,) if os.name == "nt" else ()
PATIENCE = 2.0  # seconds
ROWS_PER_FILE = 65_536
ROWS_PER_GROUP = 16_384  # a writer needs as much again for the levels of lists
ROWS_AT_ONCE = 2_048  # when a table is streamed
ROOMS = ("tracks", "failures", "vectors", "descriptors", "fingerprints", "recordings", "joined")


@dataclass(frozen=True, slots=True)
class Change:
    """Rows for a table: added after those that stand, or put in the place of all of them."""

    table: str
    rows: pa.Table
    replace: bool = False


class Store:
    """A catalog folder as named tables of Parquet files under one manifest."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, folder: Path) -> Store:
        """The store at `folder`; raises CatalogError where there is none."""
        return cls(folder, read_manifest(folder))

    @classmethod
    @contextmanager
    def writing(cls, folder: Path, patience_seconds: float = PATIENCE) -> Iterator[Store]:
        """The store at `folder` for its one writer: as it is now that no one else writes.

        It is cleaned before and after. patience_seconds: how long to wait for another writer; a
        service writes for some milliseconds now and then. Raises CatalogError where there is no
        store, BusyCatalogError where another process goes on writing.
        """
        cls.open(folder)
        with write_lock(folder, patience_seconds):
            store = cls.open(folder)
            store.clean()
            yield store
            store.clean()

    @classmethod
    def create(cls, folder: Path) -> Store:
        """The store at `folder`, made where there is none yet.

        Raises CatalogError where the folder holds other things, so that nothing is mixed.
        """
        with plain_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            others = [p.name for p in folder.iterdir() if p.name != ".lock"]
        if (folder / NAME).exists():
            return cls.open(folder)
        if any(not name.endswith(TEMPORARY_SUFFIX) for name in others):
            raise CatalogError(
                f"{folder} is not a catalog and not empty (it holds {sorted(others)[0]!r}): "
                "choose a new folder"
            )
        store = cls(folder, Manifest())
        store.manifest.write(folder)
        return store

    def read(
        self, table: str, columns: list[str] | None = None, without: tuple[str, ...] = ()
    ) -> pa.Table | None:
        """All rows of a table, in the order they were written; None where it has none.

        columns: to be read, all of them where None, but for those in `without`.
        """
        return self._as_of_one_commit(lambda: self._read(table, columns, without))

    def read_vectors(
        self, model: str, key: str, dim: int, chosen: Callable[[pa.ChunkedArray], Rows]
    ) -> Floats:
        """Some of a model's vectors, float32 [rows, dim].

        chosen: is told the keys as they are stored, and says which rows are wanted, in which order.
        """
        table = f"vectors/{model}"
        return self._as_of_one_commit(lambda: self._read_vectors(table, key, dim, chosen))

    def vector_files(self, model: str, dim: int) -> Iterator[Floats]:
        """A model's vectors as written, one array float32 [rows, dim] for each file.

        Raises CatalogError where a writer replaces the files meanwhile.
        """
        for name in list(self.manifest.tables.get(f"vectors/{model}", [])):
            try:
                values = np.empty((self._row_count(name), dim), np.float32)
                self._fill_vectors(name, values)
            except FileNotFoundError:
                if read_manifest(self.folder).sequence != self.manifest.sequence:
                    raise CatalogError(
                        f"{self.folder} was written to while it was read: run again"
                    ) from None
                raise self._missing(self.folder / name) from None
            yield values

    def _row_count(self, name: str) -> int:
        path = self.folder / name
        with self._reading(path):
            rows: int = pq.read_metadata(path).num_rows
            return rows

    @staticmethod
    def _missing(path: object) -> CatalogError:
        return CatalogError(
            f"{path} is missing from the catalog: restore it, or embed anew into another folder"
        )

    def _as_of_one_commit(self, read: Callable[[], T]) -> T:
        """What `read` gives, from the files that one manifest lists."""
        try:
            return read()
        except FileNotFoundError as error:
            newer = read_manifest(self.folder)
            if newer.sequence == self.manifest.sequence:
                raise self._missing(error.filename) from None
            self.manifest = newer  # a writer has replaced the file since we read the manifest
            return self._as_of_one_commit(read)

    def _read(
        self, table: str, columns: list[str] | None, without: tuple[str, ...]
    ) -> pa.Table | None:
        names = self.manifest.tables.get(table, [])
        parts = [self._read_file(name, columns, without) for name in names]
        try:
            return pa.concat_tables(parts, promote_options="permissive") if parts else None
        except pa.ArrowException as error:
            raise CatalogError(
                f"the files of {self.folder / table} do not fit together ({error}): restore them "
                "or embed anew"
            ) from error

    def _read_vectors(
        self, table: str, key: str, dim: int, chosen: Callable[[pa.ChunkedArray], Rows]
    ) -> Floats:
        keys = self._read(table, [key], ())
        wanted = chosen(pa.chunked_array([], pa.string()) if keys is None else keys[key])
        del keys
        pa.default_memory_pool().release_unused()  # looking up a million keys takes 200 MB
        order = np.argsort(wanted, kind="stable")
        values, start = np.empty((len(wanted), dim), np.float32), 0
        for name in self.manifest.tables.get(table, []):
            end = start + self._row_count(name)
            places = order[slice(*np.searchsorted(wanted, (start, end), sorter=order))]
            rows = wanted[places] - start
            if len(places) and _in_turn(places, rows, end - start):
                self._fill_vectors(name, values[places[0] : places[-1] + 1])
            elif len(places):
                read = np.empty((end - start, dim), np.float32)
                self._fill_vectors(name, read)
                values[places] = read[rows]
            start = end
        return values

    def _fill_vectors(self, name: str, out: Floats) -> int:
        """Copy one file's vectors to the head of `out`; returns how many."""
        path = self.folder / name
        with self._reading(path), pq.ParquetFile(path) as file:
            check_columns(name, file.schema_arrow.names)
            rows: int = file.metadata.num_rows
            if rows and not copy_vectors(path, file.metadata, "vector", out[:rows]):
                values = file.read(["vector"])["vector"].combine_chunks().flatten()
                out[:rows] = values.to_numpy().reshape(rows, -1)
        return rows

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        """Turn what reading a file raises into errors that say what to do."""
        try:
            yield
        except FileNotFoundError:
            raise FileNotFoundError(2, "missing", str(path)) from None
        except (OSError, ValueError, pa.ArrowException) as error:
            raise CatalogError(f"{path} is damaged ({error}): restore it or embed anew") from error

    def _read_file(
        self, name: str, columns: list[str] | None, without: tuple[str, ...]
    ) -> pa.Table:
        path = self.folder / name
        with self._reading(path), pq.ParquetFile(path) as file:  # read_table imports pandas
            check_columns(name, file.schema_arrow.names)
            if without and columns is None:
                columns = [n for n in file.schema_arrow.names if n not in without]
            read = file.read(columns)
            read.validate(full=True)  # a flipped bit can make bytes that are no text
            return _lean(read)

    def files(self, table: str) -> tuple[list[str], list[str]]:
        """The files of a table in final form, and the pieces that runs have added since."""
        names = self.manifest.tables.get(table, [])
        compacted = self.manifest.compacted.get(table, 0)
        return names[:compacted], names[compacted:]

    def batches(self, table: str, columns: list[str]) -> Iterator[pa.Table]:
        """A table a few thousand rows at a time, in the order they were written.

        For the one who holds the lock; a column that a file lacks is missing from its batches.
        """
        for name in list(self.manifest.tables.get(table, [])):
            yield from self.file_batches(name, columns)

    def file_batches(self, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """One file a few thousand rows at a time, and little more of it in memory."""
        path, streamed = self.folder / name, {"buffer_size": 1 << 18, "pre_buffer": False}
        try:
            with self._reading(path), pq.ParquetFile(path, **streamed) as file:
                check_columns(name, file.schema_arrow.names)
                if columns is not None:
                    columns = [n for n in columns if n in file.schema_arrow.names]
                for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
                    batch.validate(full=True)
                    yield pa.Table.from_batches([batch])
        except FileNotFoundError:
            raise self._missing(path) from None

    def schema(self, name: str) -> pa.Schema:
        """The columns of one file."""
        path = self.folder / name
        with self._reading(path):
            return pq.read_schema(path)

    def table_schema(self, table: str) -> pa.Schema | None:
        """The columns of all files of a table together; None where it has no files."""
        schemas = [self.schema(name) for name in self.manifest.tables.get(table, [])]
        return pa.unify_schemas(schemas, promote_options="permissive") if schemas else None

    def write_file(self, table: str, batches: Iterable[pa.Table], schema: pa.Schema) -> str:
        """Write one file of a table, a row group a batch; returns its name, not listed yet."""
        name = _next_file(table, self.manifest)

        def write(path: Path) -> None:
            with pq.ParquetWriter(path, schema, **_parquet_options(table)) as file:
                for batch in batches:
                    file.write_table(batch)

        write_atomically(self.folder / name, write)
        return name

    def list_files(self, table: str, compacted: list[str], loose: list[str]) -> None:
        """Commit what files a table has."""
        manifest = copy.deepcopy(self.manifest)
        manifest.tables[table] = compacted + loose
        manifest.compacted[table] = len(compacted)
        manifest.write(self.folder)
        self.manifest = manifest

    def commit(
        self,
        changes: list[Change],
        models: dict[str, ModelEntry] | None = None,
        default_model: str | None = None,
    ) -> None:
        """Write the rows, then the manifest that lists them; all of it holds, or nothing.

        The first model of a catalog becomes its default; later `default_model` alone changes it.
        """
        manifest = copy.deepcopy(self.manifest)
        manifest.models.update(models or {})
        first = next(iter(manifest.models), None)
        manifest.default_model = default_model or manifest.default_model or first
        for change in changes:
            if change.replace:
                manifest.compacted.pop(change.table, None)
            standing = [] if change.replace else manifest.tables.get(change.table, [])
            manifest.tables[change.table] = standing + self._write(change, manifest)
        manifest.write(self.folder)
        self.manifest = manifest

    def drop_model(self, name: str, *, for_good: bool = False) -> None:
        """Take a model's vectors out of the catalog.

        It stays the default model if it was; for good: the first of the others is then.
        """
        manifest = copy.deepcopy(self.manifest)
        manifest.models.pop(name, None)
        if for_good and manifest.default_model == name:
            manifest.default_model = next(iter(manifest.models), None)
        manifest.tables.pop(f"vectors/{name}", None)
        manifest.compacted.pop(f"vectors/{name}", None)
        manifest.write(self.folder)
        self.manifest = manifest

    def _write(self, change: Change, manifest: Manifest) -> list[str]:
        """Write a change's rows as Parquet files; returns their names."""
        names = []
        options = _parquet_options(change.table)
        for start in range(0, change.rows.num_rows, ROWS_PER_FILE):
            name = _next_file(change.table, manifest)
            rows = change.rows.slice(start, ROWS_PER_FILE)

            def write(path: Path, rows: pa.Table = rows) -> None:
                pq.write_table(rows, path, row_group_size=ROWS_PER_GROUP, **options)

            write_atomically(self.folder / name, write)
            names.append(name)
        return names

    def clean(self) -> None:
        """Remove what no manifest lists: halves of killed runs, and files replaced by others."""
        listed = {name for names in self.manifest.tables.values() for name in names}
        for room in ROOMS:
            for path in (self.folder / room).rglob("*"):
                known = path.relative_to(self.folder).as_posix() in listed
                if path.is_file() and not known and _ours(path):
                    with plain_errors(path), suppress(*_HELD):
                        path.unlink(missing_ok=True)
        (self.folder / (NAME + TEMPORARY_SUFFIX)).unlink(missing_ok=True)


def _lean(read: pa.Table) -> pa.Table:
    """The same rows; columns that hold nothing share one array of nulls.

    Arrow keeps offsets or values of nulls too: half of the memory of tracks with few columns.
    """
    count = read.num_rows
    for at, column in enumerate(read.columns):
        if column.null_count == count <= ROWS_PER_FILE:
            nulls = _nulls(column.type, ROWS_PER_FILE).slice(0, count)
            read = read.set_column(at, read.field(at), nulls)
    return read


@cache
def _nulls(kind: pa.DataType, count: int) -> pa.Array:
    return pa.nulls(count, kind)


def _in_turn(places: Rows, rows: Rows, count: int) -> bool:
    """Whether all `count` rows of a file are wanted just as they are stored."""
    return bool(np.all(np.diff(places) == 1)) and np.array_equal(rows, np.arange(count))


def _next_file(table: str, manifest: Manifest) -> str:
    """The name of a table's next file; raises QueryError where the table's leads elsewhere."""
    for part in table.split("/", 1):
        check_file_name(part, "a table of the catalog")
    manifest.sequence += 1
    return f"{table}/{manifest.sequence:08d}.parquet"


def _parquet_options(table: str) -> dict[str, Any]:
    plain = table.startswith("vectors/")  # random bits do not compress
    return {"compression": "none" if plain else "zstd", "use_dictionary": not plain}


def _ours(path: Path) -> bool:
    """Whether a file has a name that this store writes."""
    stem = path.name.removesuffix(TEMPORARY_SUFFIX)
    return stem.endswith(".parquet") and stem.removesuffix(".parquet").isdigit()
