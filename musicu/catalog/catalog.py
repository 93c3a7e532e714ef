"""A catalog folder, opened to be read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.files import plain_errors
from musicu.catalog.joined_tables import FILLED, ROOM, beside_joined
from musicu.catalog.manifest import ModelEntry
from musicu.catalog.rows import beside, latest, track_file, with_earlier
from musicu.catalog.schema import (
    DESCRIPTOR_SET,
    EARLIER_TABLES,
    FAILURES,
    RECORDING_SET,
    TRACKS,
    long_columns,
)
from musicu.catalog.store import Store
from musicu.catalog.stored_vectors import (
    VectorBatch,
    batches_of_vectors,
    read_vectors,
    stored_rows,
)
from musicu.errors import CatalogError, QueryError
from musicu.object_store import is_object, object_url
from musicu.progress import tell
from musicu.records import Vectors, as_path, check_kind

if TYPE_CHECKING:
    from musicu.retrieval.filters import Filter

_SETS = "descriptors/"
Rows = NDArray[np.int64]

_NEVER_JOINED = ("track_id", "content_hash", "title", "artists", "album", "path", "root")


class Catalog:
    """Tracks, what is known of them, and their vectors, as they were when it was opened."""

    def __init__(self, store: Store) -> None:
        if not isinstance(store, Store):
            raise QueryError(f"a catalog is opened: write Catalog.open({as_path(store)!r})")
        self._store = store
        self._tracks: pa.Table | None = None
        self._live: pa.Table | None = None  # those whose files are there
        self._vectors: dict[str, Vectors] = {}

    @classmethod
    def open(cls, path: str | Path) -> Catalog:
        """The catalog folder at `path`; raises CatalogError where there is none."""
        tell("reading the catalog")
        check_kind("the catalog", path, (str, Path), "the path of its folder")
        if is_object(path):
            raise CatalogError(
                f"{object_url(path)} is on an object store: fetch it with `musicu pull ADDRESS "
                "FOLDER`, and open the folder"
            )
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
        two have one name, the first of them stands, and `descriptors` has the other. Last come the
        columns that `musicu join` found elsewhere, each with its source's name before its own.
        """
        if self._tracks is None:
            table = self._store.read("tracks")
            tracks = TRACKS.empty_table() if table is None else latest(table, "track_id")
            tracks = beside(tracks, self._known(f"recordings/{RECORDING_SET}"))
            for name in self.descriptor_sets():
                tracks = beside(tracks, self._described(name, long=False))
            self._tracks = beside_joined(tracks, {s: self.joined(s) for s in self.sources()})
            here = pc.invert(self._tracks["gone"])
            # a filter copies, even where nothing is gone: 280 MB of a million tracks
            whole = pc.all(here, skip_nulls=False).as_py()
            self._live = self._tracks if whole else self._tracks.filter(here)
            pa.default_memory_pool().release_unused()  # a third of what reading took
        return self._tracks if gone else self._live

    def sources(self) -> list[str]:
        """The sources whose data `musicu join` has put beside the tracks, by name."""
        tables = self._store.manifest.tables.items()
        return sorted(
            name.removeprefix(f"{ROOM}/")
            for name, files in tables
            if files and name.startswith(f"{ROOM}/")
        )

    def joined(self, source: str) -> pa.Table:
        """What a source says of the tracks that were matched to it, a row each.

        The columns are track_id, matched_by, record_id (the source's own) and what it knows; beside
        each value stand the file that it comes from and that file's date, `<column>_source` and
        `<column>_as_of`. Raises QueryError where nothing was joined under the name.
        """
        found = self._store.read(f"{ROOM}/{source}")
        if found is None:
            held = ", ".join(self.sources()) or "nothing"
            raise QueryError(f"{self.path} has nothing joined from {source!r}, only from {held}")
        return found

    def unjoined_tracks(self) -> pa.Table:
        """`tracks()` as the files and tables of the catalog itself say, without what was joined."""
        table = self._store.read("tracks")
        tracks = TRACKS.empty_table() if table is None else latest(table, "track_id")
        return tracks.filter(pc.invert(tracks["gone"]))

    def descriptor_sets(self) -> list[str]:
        """The descriptor sets of which there are rows: the default set first, others by name."""
        tables = self._store.manifest.tables.items()
        held = [
            name.removeprefix(_SETS) for name, files in tables if files and name.startswith(_SETS)
        ]
        return sorted(held, key=lambda name: (name != DESCRIPTOR_SET, name))

    def identities(self) -> pa.Table:
        """The columns track_id and content_hash of `tracks()`, without reading the others."""
        return self.columns(("track_id", "content_hash"))

    def columns(self, names: str | Sequence[str]) -> pa.Table:
        """Those of some columns of `tracks()` that there are, without reading the others."""
        names = [names] if isinstance(names, str) else names
        if self._live is not None:
            return self._live.select([n for n in names if n in self._live.column_names])
        joined = self.sources() if set(names) - set(_NEVER_JOINED) else []
        filled = FILLED if joined else ()
        needed = list(dict.fromkeys(["track_id", "content_hash", "gone", *names, *filled]))
        table = self._store.read("tracks", needed)
        tracks = TRACKS.empty_table() if table is None else latest(table, "track_id")
        if not pc.all(pc.invert(tracks["gone"]), skip_nulls=False).as_py():
            tracks = tracks.filter(pc.invert(tracks["gone"]))
        for name in (f"recordings/{RECORDING_SET}", *(_SETS + s for s in self.descriptor_sets())):
            if set(names) - set(tracks.column_names):
                tracks = beside(tracks, self._known(name, ["content_hash", *names]))
        tracks = beside_joined(tracks, {s: self.joined(s) for s in joined})
        tracks = tracks.select([n for n in names if n in tracks.column_names])
        pa.default_memory_pool().release_unused()
        return tracks

    def descriptors(self, descriptor_set: str = DESCRIPTOR_SET) -> pa.Table:
        """A row for each track that is described: track_id, then the columns of the set.

        Those of the default set are in `musicu.features.descriptors`. Raises QueryError where the
        catalog has none of the set.
        """
        check_kind("the descriptor set", descriptor_set, str, "its name")
        described = self._described(descriptor_set)
        if described is None:
            held = ", ".join(self.descriptor_sets())
            raise QueryError(
                f"{self.path} has no descriptors of {descriptor_set!r}"
                + (f", only of {held}" if held else "")
                + f": run `musicu describe {self.path} --set {descriptor_set}`"
            )
        tracks = beside(self.tracks().select(["track_id", "content_hash"]), described)
        known = pc.is_in(tracks["content_hash"], value_set=described["content_hash"])
        return tracks.filter(known).drop_columns("content_hash")

    def _described(self, name: str, *, long: bool = True) -> pa.Table | None:
        """A set's descriptors of recordings, a row for each content hash."""
        files = self._store.manifest.tables.get(_SETS + name)
        without = () if long or not files else long_columns(self._store.schema(files[0]))
        return self._known(_SETS + name, without=without)

    def _known(self, name: str, *given: Any, **options: Any) -> pa.Table | None:
        """A table by content hash, with rows of the set before it where it has none."""
        table, earlier = self._store.read(name, *given, **options), EARLIER_TABLES.get(name)
        found = None if table is None else latest(table, "content_hash")
        return with_earlier(found, self._known(earlier, *given, **options)) if earlier else found

    def failures(self) -> pa.Table:
        """What could not be read or embedded, and why: the columns of `schema.FAILURES`."""
        table = self._store.read("failures")
        return FAILURES.empty_table() if table is None else table

    def models(self) -> list[str]:
        """The models that the catalog has vectors of: its default first, then as they came."""
        return self._store.manifest.model_names()

    @property
    def default_model(self) -> str | None:
        """The model that is meant wherever none is named; None before there are any vectors.

        The first model of a catalog becomes its default. `train tracks` and `set_default_model`
        change it, and nothing else does.
        """
        return self._store.manifest.default_model

    def set_default_model(self, model: str) -> None:
        """Make a model whose vectors the catalog holds its default, now and for all who open it.

        Raises QueryError where there are no vectors of it, CatalogError where another process is
        writing.
        """
        self.model_entry(model)
        with Store.writing(self.path) as store:
            store.commit([], default_model=model)
        self._store.manifest.default_model = model

    def model_entry(self, model: str | None = None) -> tuple[str, ModelEntry]:
        """A model's name and entry. Default: the catalog's default model.

        Raises QueryError where the catalog has no vectors of it.
        """
        models = self._store.manifest.models
        if model is not None and not isinstance(model, str):
            raise QueryError(f"the model is {model!r}: give its name, one of {', '.join(models)}")
        name = self.default_model if model is None else model
        if not models or name is None:
            raise QueryError(f"{self.path} has no vectors yet: {self._way_to_vectors()}")
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

        They come in the order of `tracks()`, by id; tracks without a vector are not among them.
        Default: the catalog's default model. The arrays are read-only, as later calls give the
        same ones.
        """
        name, entry = self.model_entry(model)
        if name not in self._vectors:
            self._vectors[name] = read_vectors(self._store, name, entry, self.identities)
        return self._vectors[name]

    def add_vectors(
        self,
        name: str,
        ids: Any,
        matrix: NDArray[np.floating[Any]],
        *,
        version: str | None = None,
        replace: bool = False,
    ) -> int:
        """Take vectors of your own into the catalog, as a model of that name; returns how many.

        ids: of tracks that the catalog has, each once. matrix: [ids, dim], in the same order; its
        rows are brought to unit length, and a row of zeros is left out. version: of the training
        that they come from; more vectors of the same name and version may be added later. replace:
        take out first what the catalog has under the name. The first model is the default one.

            catalog.add_vectors("mine", ids, matrix, version="2026-05")
            catalog.similar(ids[0], model="mine")

        Raises QueryError, SourceError or CatalogError where ids and matrix do not fit each other
        or the catalog, and where two versions would be mixed.
        """
        from musicu.ingest.vector_import import import_vectors

        vectors = Vectors(ids, matrix, name)
        if not np.isfinite(vectors.values).all():
            raise QueryError("the matrix has values that are not finite: leave those rows out")
        if name in self._store.manifest.models and version is None and not replace:
            raise CatalogError(
                f"{self.path} has vectors under the name {name!r} already: say of which version "
                "these are (the same adds them, version='' where those have none), or replace=True"
            )
        flat = pa.array(np.ascontiguousarray(vectors.values).reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(flat, vectors.values.shape[1])
        table = pa.table({"track_id": pa.array(vectors.ids, pa.string()), "vector": column})
        count = import_vectors(
            self.path, table, "vector", name, version=version or "", replace=replace
        )
        self._reopen(name)
        return count

    def remove_model(self, name: str) -> None:
        """Take a model's vectors, and a track encoder itself, out of the catalog's folder.

        Where it was the default model, the first of the others becomes it. Raises QueryError where
        the catalog has no vectors of it, CatalogError where another process is writing.
        """
        with Store.writing(self.path) as store:
            Catalog(store).model_entry(name)
            store.drop_model(name, for_good=True)
            with plain_errors(self.path):
                if (self.path / "models" / name).is_dir():
                    shutil.rmtree(self.path / "models" / name)
        self._reopen(name)

    def _reopen(self, name: str) -> None:
        """Take in that a model's vectors have changed."""
        self._store = Store.open(self.path)
        self._vectors.pop(name, None)

    def vector_batches(self, model: str | None = None) -> Iterator[VectorBatch]:
        """The vectors of `vectors`, some thousand at a time, with little memory.

        They come in the order in which the catalog stores them, not in that of `vectors`. Raises
        CatalogError where a writer interferes.
        """
        name, entry = self.model_entry(model)
        return batches_of_vectors(self._store, name, entry, self.identities)

    def vector_rows(self, model: str | None = None) -> Rows:
        """The rows of `vector_batches` together, int64 [vectors]; reads no vector."""
        return stored_rows(self._store, *self.model_entry(model), self.identities)[1]

    def vector_state(self, model: str | None = None) -> str:
        """What changes whenever tracks or a model's vectors are written: 32 hex digits."""
        name, entry = self.model_entry(model)
        tables = self._store.manifest.tables
        files = [tables.get("tracks", []), tables.get(f"vectors/{name}", []), entry.fingerprint]
        return hashlib.blake2b(json.dumps(files).encode(), digest_size=16).hexdigest()

    def vector_count(self, model: str | None = None) -> int:
        """How many tracks have a vector of a model; reads no vector."""
        return len(self.vector_rows(model))

    def file(self, track_id: str) -> Path:
        """Where a track's file lies; raises QueryError where there is no such track, or no file."""
        row = self.track(track_id)
        if row["path"] is None:
            raise QueryError(f"track {track_id!r} came from a table without files: it has no sound")
        return track_file(row)

    def track(self, track_id: str) -> dict[str, Any]:
        """One track's row; raises QueryError where there is no such track."""
        check_kind("the track", track_id, str, "its id, as text")
        tracks = self.tracks(gone=True)
        row = pc.index(tracks["track_id"], track_id).as_py()
        if row < 0:
            raise QueryError(f"{self.path} has no track with the id {track_id!r}")
        found: dict[str, Any] = tracks.slice(row, 1).to_pylist()[0]
        return found

    def similar(
        self,
        track_id: Any,
        k: int = 20,
        where: Filter = None,
        model: str | None = None,
        *,
        versions: bool = True,
        index: str = "exact",
    ) -> pa.Table:
        """The k tracks nearest to a track or each of several: see `musicu.retrieval.similar`.

        A table of query_id, rank, track_id, score, title, artists, album, released,
        duration_seconds and path.

            catalog.similar(track_id, k=5, where="genres = jazz and released >= 2024")
        """
        from musicu.retrieval.similar import similar

        return similar(
            self, track_id, k=k, where=where, model=model, versions=versions, index=index
        )
