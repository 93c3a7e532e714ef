"""A catalog folder, opened to be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.manifest import ModelEntry
from musicu.catalog.rows import latest, latest_rows, rising, track_file
from musicu.catalog.schema import (
    DESCRIPTOR_SET,
    FAILURES,
    RECORDING_SET,
    TRACKS,
    long_columns,
)
from musicu.catalog.store import Store
from musicu.errors import QueryError
from musicu.records import Vectors

_SETS = "descriptors/"


class Catalog:
    """Tracks, what is known of them, and their vectors, as they were when it was opened."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tracks: pa.Table | None = None
        self._live: pa.Table | None = None  # those whose files are there
        self._vectors: dict[str, Vectors] = {}

    @classmethod
    def open(cls, path: str | Path) -> Catalog:
        """The catalog folder at `path`; raises CatalogError where there is none."""
        return cls(Store.open(Path(path)))

    def __repr__(self) -> str:
        return f"Catalog({str(self.path)!r})"

    def __len__(self) -> int:
        return int(self.tracks().num_rows)

    @property
    def path(self) -> Path:
        """The folder."""
        return self._store.folder

    def tracks(self, *, gone: bool = False) -> pa.Table:
        """The tracks by id, a row each; with `gone`, also those whose files are gone.

        The columns are those of `musicu.catalog.schema.TRACKS`, then the source table's own, then
        `recording_id` and `work_id` where the catalog was audited, then the descriptors of every
        set that there are (no long columns, as the beats): null for tracks that have none. Where
        two have one name, the first of them stands, and `descriptors` has the other.
        """
        if self._tracks is None:
            table = self._store.read("tracks")
            tracks = TRACKS.empty_table() if table is None else latest(table, "track_id")
            tracks = _beside(tracks, self._store.read(f"recordings/{RECORDING_SET}"))
            for name in self.descriptor_sets():
                tracks = _beside(tracks, self._described(name, long=False))
            self._tracks = tracks
            here = pc.invert(self._tracks["gone"])
            # a filter copies, even where nothing is gone: 280 MB of a million tracks
            whole = pc.all(here, skip_nulls=False).as_py()
            self._live = self._tracks if whole else self._tracks.filter(here)
        return self._tracks if gone else self._live

    def descriptor_sets(self) -> list[str]:
        """The descriptor sets of which there are rows: the default set first, others by name."""
        tables = self._store.manifest.tables.items()
        held = [
            name.removeprefix(_SETS) for name, files in tables if files and name.startswith(_SETS)
        ]
        return sorted(held, key=lambda name: (name != DESCRIPTOR_SET, name))

    def descriptors(self, descriptor_set: str = DESCRIPTOR_SET) -> pa.Table:
        """A row for each track that is described: track_id, then the columns of the set.

        Those of the default set are in `musicu.features.descriptors`. Raises QueryError where the
        catalog has none of the set.
        """
        described = self._described(descriptor_set)
        if described is None:
            held = ", ".join(self.descriptor_sets())
            raise QueryError(
                f"{self.path} has no descriptors of {descriptor_set!r}"
                + (f", only of {held}" if held else "")
                + f": run `musicu describe {self.path} --set {descriptor_set}`"
            )
        tracks = _beside(self.tracks().select(["track_id", "content_hash"]), described)
        known = pc.is_in(tracks["content_hash"], value_set=described["content_hash"])
        return tracks.filter(known).drop_columns("content_hash")

    def _described(self, name: str, *, long: bool = True) -> pa.Table | None:
        """A set's descriptors of recordings, a row for each content hash."""
        files = self._store.manifest.tables.get(_SETS + name)
        without = () if long or not files else long_columns(self._store.schema(files[0]))
        table = self._store.read(_SETS + name, without=without)
        return None if table is None else latest(table, "content_hash")

    def failures(self) -> pa.Table:
        """What could not be read or embedded, and why: the columns of `schema.FAILURES`."""
        table = self._store.read("failures")
        return FAILURES.empty_table() if table is None else table

    def models(self) -> list[str]:
        """The models whose vectors the catalog holds; the one last added first."""
        return list(reversed(self._store.manifest.models))

    def model_entry(self, model: str | None = None) -> tuple[str, ModelEntry]:
        """A model's name and entry; the one last added where none is named.

        Raises QueryError where the catalog has no vectors of it.
        """
        models = self._store.manifest.models
        if not models:
            raise QueryError(f"{self.path} has no vectors yet: {self._way_to_vectors()}")
        name = model or self.models()[0]
        if name not in models:
            raise QueryError(
                f"{self.path} has no vectors of {name!r}, only of {', '.join(models)}: "
                f"embed with --model {name}"
            )
        return name, models[name]

    def _way_to_vectors(self) -> str:
        """How a catalog gets vectors: from its sound, or where it has none from its table."""
        paths = self.tracks(gone=True)["path"]
        if paths.null_count < len(paths) or not len(paths):
            return "run `musicu embed` on its source"
        return (
            f"its tracks have no sound, so run `musicu train tracks {self.path}`, or give vectors "
            "with `musicu scan TABLE --vectors COLUMN --model-name NAME`"
        )

    def vectors(self, model: str | None = None) -> Vectors:
        """Track ids object [tracks] and unit vectors float32 [tracks, dim] under one model.

        Tracks without a vector are not among them. The vectors are a read-only view of what was
        read where every one of them belongs to one track, and a copy in the order of the ids
        otherwise.
        """
        name, entry = self.model_entry(model)
        if name not in self._vectors:
            self._vectors[name] = self._read_vectors(name, entry)
        return self._vectors[name]

    def _read_vectors(self, name: str, entry: ModelEntry) -> Vectors:
        keys, values = self._store.read_vectors(name, entry.key, entry.dim)
        last = latest_rows(keys[entry.key])
        held = keys[entry.key].take(last).combine_chunks()
        tracks = self.tracks().select(sorted({"track_id", entry.key}))
        if not rising(tracks[entry.key]):  # the sort is stable: then by id, as tracks() is
            tracks = tracks.take(pc.sort_indices(tracks[entry.key]))
        rows = pc.index_in(tracks[entry.key], value_set=held)
        known = pc.is_valid(rows)
        ids = np.asarray(tracks["track_id"].filter(known).to_pylist(), dtype=object)
        wanted = last[rows.filter(known).to_numpy()]
        if np.array_equal(wanted, np.arange(len(values))):
            return Vectors(ids, values)
        return Vectors(ids, values[wanted])

    def vector_count(self, model: str | None = None) -> int:
        """How many tracks have a vector of a model; reads no vector."""
        name, entry = self.model_entry(model)
        keys = self._store.read(f"vectors/{name}", columns=[entry.key])
        if keys is None:
            return 0
        known = pc.is_in(self.tracks()[entry.key], value_set=keys[entry.key])
        return int(pc.sum(known).as_py() or 0)

    def file(self, track_id: str) -> Path:
        """Where a track's file lies; raises QueryError where there is no such track, or no file."""
        row = self.track(track_id)
        if row["path"] is None:
            raise QueryError(f"track {track_id!r} came from a table without files: it has no sound")
        return track_file(row)

    def track(self, track_id: str) -> dict[str, Any]:
        """One track's row; raises QueryError where there is no such track."""
        tracks = self.tracks(gone=True)
        row = pc.index(tracks["track_id"], track_id).as_py()
        if row < 0:
            raise QueryError(f"{self.path} has no track with the id {track_id!r}")
        found: dict[str, Any] = tracks.slice(row, 1).to_pylist()[0]
        return found

    def similar(
        self,
        track_id: str | Sequence[str],
        k: int = 20,
        where: Any = None,
        model: str | None = None,
    ) -> pa.Table:
        """The k tracks nearest to a track, with scores: see `musicu.retrieval.similar`."""
        from musicu.retrieval.similar import similar

        return similar(self, track_id, k=k, where=where, model=model)


def _beside(tracks: pa.Table, described: pa.Table | None) -> pa.Table:
    """The tracks with what is known by content hash, under names that are still free."""
    if described is None:
        return tracks
    hashes = described["content_hash"].combine_chunks()
    rows = pc.index_in(tracks["content_hash"], value_set=hashes)
    found = described.select([n for n in described.column_names if n not in tracks.column_names])
    found = found.take(rows)
    for at, name in enumerate(found.column_names):
        tracks = tracks.append_column(found.schema.field(at), found[name])
    return tracks
