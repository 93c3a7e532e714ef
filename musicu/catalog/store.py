"""Tables of a catalog folder: read whole, added to and replaced in one commit."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from musicu.catalog.files import TEMPORARY_SUFFIX, plain_errors, write_atomically
from musicu.catalog.manifest import NAME, Manifest, ModelEntry, read_manifest
from musicu.errors import CatalogError

ROWS_PER_FILE = 65_536


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
        names = self.manifest.tables.get(table, [])
        try:
            parts = [self._read_file(name, columns, without) for name in names]
        except FileNotFoundError as error:
            newer = read_manifest(self.folder)
            if newer.sequence == self.manifest.sequence:
                raise CatalogError(
                    f"{error.filename} is missing from the catalog: restore it, or embed anew into "
                    "another folder"
                ) from None
            self.manifest = newer  # a writer has replaced the file since we read the manifest
            return self.read(table, columns, without)
        try:
            return pa.concat_tables(parts, promote_options="default") if parts else None
        except pa.ArrowException as error:
            raise CatalogError(
                f"the files of {self.folder / table} do not fit together ({error}): restore them "
                "or embed anew"
            ) from error

    def _read_file(
        self, name: str, columns: list[str] | None, without: tuple[str, ...]
    ) -> pa.Table:
        path = self.folder / name
        try:
            with pq.ParquetFile(path) as file:  # read_table would import pandas where it can
                if without and columns is None:
                    columns = [n for n in file.schema_arrow.names if n not in without]
                return file.read(columns)
        except FileNotFoundError:
            raise FileNotFoundError(2, "missing", str(path)) from None
        except (OSError, pa.ArrowException) as error:
            raise CatalogError(f"{path} is damaged ({error}): restore it or embed anew") from error

    def commit(self, changes: list[Change], models: dict[str, ModelEntry] | None = None) -> None:
        """Write the rows, then the manifest that lists them; all of it holds, or nothing."""
        manifest = copy.deepcopy(self.manifest)
        manifest.models.update(models or {})
        for change in changes:
            standing = [] if change.replace else manifest.tables.get(change.table, [])
            manifest.tables[change.table] = standing + self._write(change, manifest)
        manifest.write(self.folder)
        self.manifest = manifest

    def drop_model(self, name: str) -> None:
        """Take a model's vectors out of the catalog."""
        manifest = copy.deepcopy(self.manifest)
        manifest.models.pop(name, None)
        manifest.tables.pop(f"vectors/{name}", None)
        manifest.write(self.folder)
        self.manifest = manifest

    def _write(self, change: Change, manifest: Manifest) -> list[str]:
        """Write a change's rows as Parquet files; returns their names."""
        names = []
        plain = change.table.startswith("vectors/")  # random bits do not compress
        for start in range(0, change.rows.num_rows, ROWS_PER_FILE):
            manifest.sequence += 1
            name = f"{change.table}/{manifest.sequence:08d}.parquet"
            rows = change.rows.slice(start, ROWS_PER_FILE)

            def write(path: Path, rows: pa.Table = rows) -> None:
                pq.write_table(
                    rows,
                    path,
                    compression="none" if plain else "zstd",
                    use_dictionary=not plain,
                )

            write_atomically(self.folder / name, write)
            names.append(name)
        return names

    def clean(self) -> None:
        """Remove what no manifest lists: halves of killed runs, and files replaced by others."""
        listed = {name for names in self.manifest.tables.values() for name in names}
        for room in ("tracks", "failures", "vectors", "descriptors"):
            for path in (self.folder / room).rglob("*"):
                known = path.relative_to(self.folder).as_posix() in listed
                if path.is_file() and not known and _ours(path):
                    with plain_errors(path):
                        path.unlink(missing_ok=True)
        (self.folder / (NAME + TEMPORARY_SUFFIX)).unlink(missing_ok=True)


def _ours(path: Path) -> bool:
    """Whether a file has a name that this store writes."""
    stem = path.name.removesuffix(TEMPORARY_SUFFIX)
    return stem.endswith(".parquet") and stem.removesuffix(".parquet").isdigit()
