"""What is in a catalog, in numbers, read a few thousand rows at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.catalog import Catalog
from musicu.catalog.compaction import rows_by_key
from musicu.catalog.store import Store
from musicu.errors import CatalogError

_TOLD = ("title", "artists", "album", "date", "genres", "label", "isrc")
_COUNTED = ("track_id", "content_hash", "duration_seconds", "size_bytes", "complete", "codec")
_MANY = 1_000_000


def summary(catalog: Catalog) -> dict[str, Any]:
    """Counts and totals of a catalog as it is now, as plain values that go into JSON.

    In memory are a hash of 8 bytes for each artist, album, recording and vector.
    """
    store = Store.open(catalog.path)
    try:
        return _count(store)
    except CatalogError:
        if Store.open(catalog.path).manifest.sequence == store.manifest.sequence:
            raise
        return summary(catalog)  # a writer has replaced files since we read the manifest


def _count(store: Store) -> dict[str, Any]:
    totals = _Totals({entry.key for entry in store.manifest.models.values()})
    columns = list(dict.fromkeys((*_COUNTED, *_TOLD, "gone")))
    for batch in rows_by_key(store, "tracks", "track_id", columns):
        totals.add(batch)
    failures = store.batches("failures", ["track_id"])
    return {
        "path": str(store.folder),
        **totals.document(),
        "failures": sum(batch.num_rows for batch in failures),
        "default_model": store.manifest.default_model,
        "models": [_model(store, name, totals) for name in store.manifest.model_names()],
        "bytes_on_disk": sum(f.stat().st_size for f in store.folder.rglob("*") if f.is_file()),
    }


class _Totals:
    """What is counted while the tracks go by."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.tracks = self.gone = self.incomplete = self.bytes = 0
        self.seconds = 0.0
        self.known: Counter[str] = Counter(dict.fromkeys(_TOLD, 0))
        self.codecs: Counter[str] = Counter()
        self.artists, self.albums = _Distinct(), _Distinct()
        self.keys: dict[str, list[NDArray[np.int64]]] = {key: [] for key in keys}

    def add(self, batch: pa.Table) -> None:
        """Count some tracks."""
        here = batch.filter(pc.invert(batch["gone"]))
        self.gone += batch.num_rows - here.num_rows
        self.tracks += here.num_rows
        self.seconds += pc.sum(here["duration_seconds"]).as_py() or 0.0
        self.bytes += pc.sum(here["size_bytes"]).as_py() or 0
        self.incomplete += pc.sum(pc.equal(here["complete"], False)).as_py() or 0
        self.known.update({name: here.num_rows - here[name].null_count for name in _TOLD})
        for row in pc.value_counts(pc.drop_null(here["codec"]).combine_chunks()).to_pylist():
            self.codecs[row["values"]] += row["counts"]
        self.artists.add(pc.list_flatten(here["artists"]))
        self.albums.add(here["album"])
        for name, parts in self.keys.items():
            parts.append(_hashed(pc.drop_null(here[name])))

    def document(self) -> dict[str, Any]:
        """The counts under their names."""
        codecs = sorted(self.codecs.items(), key=lambda item: (-item[1], item[0]))
        return {
            "tracks": self.tracks,
            "gone": self.gone,
            "hours": round(self.seconds / 3600, 2),
            "bytes_of_music": self.bytes,
            "artists": self.artists.count(),
            "albums": self.albums.count(),
            "incomplete": self.incomplete,
            "known": dict(self.known),
            "codecs": dict(codecs),
        }


class _Distinct:
    """How many different values there are, by their hashes of 64 bits."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.int64]] = []
        self._waiting = 0

    def add(self, column: pa.ChunkedArray) -> None:
        """Take some values; null is none."""
        hashes = _hashed(pc.drop_null(pc.unique(column)))
        self._parts.append(hashes)
        self._waiting += len(hashes)
        if self._waiting > _MANY:
            self.count()

    def count(self) -> int:
        """How many there were so far."""
        unique = np.unique(np.concatenate(self._parts)) if self._parts else np.empty(0, np.int64)
        self._parts, self._waiting = [unique], 0
        return len(unique)


def _hashed(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Texts as hashes, int64 [texts]."""
    return np.fromiter(map(hash, column.to_pylist()), np.int64, len(column))


def _model(store: Store, name: str, totals: _Totals) -> dict[str, Any]:
    """A model's entry, and how many tracks have a vector of it."""
    entry = store.manifest.models[name]
    parts = totals.keys[entry.key]
    owners = np.concatenate(parts) if parts else np.empty(0, np.int64)
    heard = [_hashed(batch[entry.key]) for batch in store.batches(f"vectors/{name}", [entry.key])]
    with_vector = np.isin(owners, np.concatenate(heard)) if heard else np.zeros(0, np.bool_)
    return {
        "name": name,
        "dim": entry.dim,
        "fingerprint": entry.fingerprint,
        "vectors": int(with_vector.sum()),
    }
