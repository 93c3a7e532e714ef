"""The index on the disk that belongs to a catalog and one of its models.

It lies in `indexes/<model>` of the catalog, or elsewhere, and holds a row for each vector that it
was ever given, in the order they came; `tracks-*.parquet` say whose they are. `places-<state>.npy`
says for each of the catalog's vectors, in the order of `Catalog.vectors`, which row is its. It is
named by the state of the catalog: after a change there is none, and the index is to be updated.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from musicu.catalog.file_names import check_file_name
from musicu.catalog.files import plain_errors, write_atomically
from musicu.catalog.lock import write_lock
from musicu.catalog.manifest import ModelEntry
from musicu.catalog.rows import latest_rows
from musicu.errors import QueryError
from musicu.retrieval.disk_index import DiskIndex
from musicu.retrieval.disk_index_build import append_to_index, build_index
from musicu.retrieval.hits import Hits
from musicu.retrieval.index_state import STATE, read_state
from musicu.retrieval.queries import allowed_rows, hit_counts, unit_queries

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

#: The name under which searches ask for it.
ON_DISK = "disk"
_ROOM = "indexes"
_MOST_DEAD = 0.5  # replaced vectors for each that is held; more, and it is built anew


class StoredCatalog(Protocol):
    """What an index needs of a `Catalog`, whose methods these are."""

    @property
    def path(self) -> Path:
        """The folder."""

    def identities(self) -> pa.Table:
        """The columns track_id and content_hash."""

    def model_entry(self, model: str | None = None) -> tuple[str, ModelEntry]:
        """A model's name and entry."""

    def vector_batches(self, model: str | None = None) -> Iterator[tuple[Ints, Floats]]:
        """Some vectors at a time: rows of their tracks, and values."""

    def vector_rows(self, model: str | None = None) -> Ints:
        """The rows of `vector_batches` together."""

    def vector_count(self, model: str | None = None) -> int:
        """How many tracks have a vector."""

    def vector_state(self, model: str | None = None) -> str:
        """What changes whenever tracks or vectors are written."""


class CatalogIndex:
    """An index whose rows are those of `Catalog.vectors` of one model."""

    def __init__(self, index: DiskIndex, places: Ints, catalog: StoredCatalog, model: str) -> None:
        self.index, self._places = index, places
        self._catalog, self._model = catalog, model

    def __len__(self) -> int:
        return len(self._places)

    @cached_property
    def ids(self) -> NDArray[np.object_]:
        """The track of each row, in the order of `Catalog.vectors`: object [rows]."""
        rows = np.sort(self._catalog.vector_rows(self._model))
        names = self._catalog.identities()["track_id"]
        held: NDArray[np.object_] = names.take(pa.array(rows)).to_numpy()
        return held

    def vectors(self, rows: Ints) -> Floats:
        """The vectors of some rows, float32 [rows, dim]."""
        return self.index.vectors(self._places[rows])

    def search(
        self,
        queries: Floats,
        k: int | Ints,
        *,
        rows: Ints | None = None,
        exclude: Sequence[int | None] | None = None,
    ) -> Hits:
        """The k rows nearest to each query: see `DiskIndex.search`."""
        allowed = allowed_rows(rows, len(self))
        if allowed is not None or len(self) < len(self.index):
            allowed = self._places if allowed is None else self._places[allowed]
        if exclude is not None:
            exclude = [None if row is None else int(self._places[row]) for row in exclude]
        hits = self.index.search(queries, k, rows=allowed, exclude=exclude)
        found = Hits(hits.query, self._rows[hits.row], hits.score)
        counts = hit_counts(k, len(unit_queries(queries, self.index.dim)))
        return found.best(counts)  # ties by row are by the catalog's now

    @cached_property
    def _rows(self) -> Ints:
        """The catalog's row of each row of the index; -1 where it has been replaced."""
        rows = np.full(len(self.index), -1)
        rows[self._places] = np.arange(len(self))
        return rows


def open_index(
    catalog: StoredCatalog, model: str | None = None, folder: str | Path | None = None
) -> CatalogIndex:
    """The index of a catalog's vectors as `update_index` left it.

    Raises QueryError where there is none, where it is of another training of the model, and where
    the catalog has changed since.
    """
    name, entry = catalog.model_entry(model)
    folder = _folder(catalog, name, folder)
    if not (folder / STATE).exists():
        raise QueryError(
            f"{catalog.path} has no index on the disk for {name!r}: run "
            f"`musicu index {catalog.path} --model {name}`"
        )
    state, path = read_state(folder), _places_file(folder, catalog, name)
    if state.fingerprint != entry.fingerprint or not path.exists():
        raise QueryError(
            f"{catalog.path} has changed since its index of {name!r} was built: run "
            f"`musicu index {catalog.path} --model {name}` again"
        )
    return CatalogIndex(DiskIndex(folder), np.load(path).astype(np.int64), catalog, name)


def update_index(
    catalog: StoredCatalog, model: str | None = None, folder: str | Path | None = None
) -> CatalogIndex:
    """Build the index of a catalog's vectors, or add to it what has come since, and open it.

    model: Default: the catalog's default model. folder: Default: `indexes/<model>` of the catalog.
    It is built anew where the model's fingerprint is another, or half of its rows are replaced.

    Raises QueryError where the catalog has no vectors, or recall@100 is below .99; CatalogError
    where another process builds it.
    """
    name, entry = catalog.model_entry(model)
    folder = _folder(catalog, name, folder)
    with plain_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with write_lock(folder.parent):
        if not _fits(folder, entry.fingerprint, catalog.vector_count(name)):
            _build(catalog, name, folder, entry.fingerprint)
        elif not _places_file(folder, catalog, name).exists():
            news = _News(catalog, name, DiskIndex(folder))
            append_to_index(folder, news)
            news.finish(folder)
    return open_index(catalog, name, folder)


def _build(catalog: StoredCatalog, model: str, folder: Path, fingerprint: str) -> None:
    """Build beside what stands, then take its place."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    news = _News(catalog, model, None)
    build_index(fresh, news, fingerprint=fingerprint)
    news.finish(fresh)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _fits(folder: Path, fingerprint: str, vectors: int) -> bool:
    """Whether an index can be added to."""
    if not (folder / STATE).exists():
        return False
    state = read_state(folder)
    return state.fingerprint == fingerprint and state.rows <= (1 + _MOST_DEAD) * vectors


def _folder(catalog: StoredCatalog, model: str, folder: str | Path | None) -> Path:
    if folder is not None:
        return Path(folder)
    check_file_name(model, "a model of the catalog")
    return catalog.path / _ROOM / model


def _places_file(folder: Path, catalog: StoredCatalog, model: str) -> Path:
    return folder / f"places-{catalog.vector_state(model)}.npy"


class _News:
    """The vectors of a catalog that an index does not have, as batches float32 [rows, dim].

    After they were read: which row of the index each of the catalog's vectors has.
    """

    def __init__(self, catalog: StoredCatalog, model: str, index: DiskIndex | None) -> None:
        self._catalog, self._model, self._index = catalog, model, index
        self._first = 0 if index is None else len(index)
        self._tracks = catalog.identities()["track_id"]
        self._row_of_track = np.full(len(self._tracks), -1)
        self._added: list[Ints] = []
        self._known = pa.array([], pa.string())
        self._known_rows: Ints = np.zeros(0, np.int64)
        if index is not None:
            ids = _stored_ids(index)
            self._known_rows = latest_rows(ids)
            self._known = ids.take(pa.array(self._known_rows)).combine_chunks()

    def __iter__(self) -> Iterator[Floats]:
        row = self._first
        for tracks, values in self._catalog.vector_batches(self._model):
            places = self._places(tracks, values)
            new = np.flatnonzero(places < 0)
            places[new] = np.arange(row, row + len(new))
            self._row_of_track[tracks] = places
            row += len(new)
            self._added.append(tracks[new])
            if len(new):
                yield values[new]

    def _places(self, tracks: Ints, values: Floats) -> Ints:
        """The rows of the index that hold these vectors; -1 where none does."""
        places = np.full(len(tracks), -1)
        if self._index is None:
            return places
        names = self._tracks.take(pa.array(tracks))
        found = pc.fill_null(pc.index_in(names, value_set=self._known), -1).to_numpy()
        held = np.flatnonzero(found >= 0)
        rows = self._known_rows[found[held]]
        same = (self._index.vectors(rows) == values[held]).all(axis=1)
        places[held[same]] = rows[same]
        return places

    def finish(self, folder: Path) -> None:
        """Say whose the new rows are, and which row each of the catalog's vectors has."""
        added = np.concatenate(self._added) if self._added else np.zeros(0, np.int64)
        if len(added):
            ids = pa.table({"track_id": self._tracks.take(pa.array(added))})
            path = folder / f"tracks-{self._first:012d}.parquet"
            write_atomically(path, lambda temporary: pq.write_table(ids, temporary))
        places = self._row_of_track[self._row_of_track >= 0]
        path = _places_file(folder, self._catalog, self._model)
        old = [other for other in folder.glob("places-*.npy") if other != path]

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.save(file, places)

        write_atomically(path, write)
        for other in old:
            other.unlink(missing_ok=True)


def _stored_ids(index: DiskIndex) -> pa.ChunkedArray:
    """The track of each row of an index; null where a killed run did not say."""
    pieces, count = [pa.array([], pa.string())], 0
    for path in sorted(index.folder.glob("tracks-*.parquet")):
        first = int(path.stem.removeprefix("tracks-"))
        pieces.append(pa.nulls(first - count, pa.string()))
        pieces += pq.read_table(path)["track_id"].chunks
        count = sum(map(len, pieces))
    return pa.chunked_array(pieces)
