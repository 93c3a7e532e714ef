"""Which stored vectors of a model are of which tracks, and reading them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.manifest import CONTENT_KEY, ModelEntry
from musicu.catalog.rows import latest_rows
from musicu.catalog.store import Store
from musicu.records import Vectors

Rows = NDArray[np.int64]
#: Reads the columns track_id and content_hash of the tracks, when they are asked for.
Identities = Callable[[], pa.Table]

_BATCH_ROWS = 8_192


class VectorBatch(NamedTuple):
    """Some vectors: the rows of their tracks in `tracks()`, int64 [n], and float32 [n, dim]."""

    rows: Rows
    values: NDArray[np.float32]


def read_vectors(store: Store, name: str, entry: ModelEntry, identities: Identities) -> Vectors:
    """The vectors of a model in the order of the tracks; tracks without one are left out."""
    owners: Rows = np.zeros(0, np.int64)

    def chosen(keys: pa.ChunkedArray) -> Rows:
        nonlocal owners
        wanted, owners = _owners(keys, identities()[entry.key])
        return wanted

    values = store.read_vectors(name, entry.key, entry.dim, chosen)
    owning = identities()["track_id"]
    if len(owners) < len(owning):
        owning = owning.take(pa.array(owners))
    return Vectors(owning, values, name, entry.fingerprint, entry.key == CONTENT_KEY)


def batches_of_vectors(
    store: Store, name: str, entry: ModelEntry, identities: Identities
) -> Iterator[VectorBatch]:
    """The same vectors some thousand at a time, in the order in which they are stored."""
    wanted, owners = stored_rows(store, name, entry, identities)
    start = 0
    for values in store.vector_files(name, entry.dim):
        first, end = np.searchsorted(wanted, (start, start + len(values)))
        for at in range(first, end, _BATCH_ROWS):
            rows = slice(at, min(at + _BATCH_ROWS, end))
            yield VectorBatch(owners[rows], values[wanted[rows] - start])
        start += len(values)


def stored_rows(
    store: Store, name: str, entry: ModelEntry, identities: Identities
) -> tuple[Rows, Rows]:
    """Which stored vectors are wanted, rising, and the rows of their tracks; reads no vector."""
    keys = store.read(f"vectors/{name}", columns=[entry.key])
    if keys is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    wanted, owners = _owners(keys[entry.key], identities()[entry.key])
    pa.default_memory_pool().release_unused()
    order = np.argsort(wanted, kind="stable")
    return wanted[order], owners[order]


def _owners(keys: pa.ChunkedArray, owned: pa.ChunkedArray) -> tuple[Rows, Rows]:
    """Which stored vectors are wanted, and the rows of their tracks, rising."""
    last = latest_rows(keys)
    if len(last) == len(keys) and not keys.null_count and keys.equals(owned):
        return np.arange(len(owned)), np.arange(len(owned))  # in the order of the tracks
    held = keys.take(pa.array(last)).combine_chunks()
    places = pc.index_in(owned, value_set=held)
    owners = np.flatnonzero(pc.is_valid(places).to_numpy())
    return last[places.drop_null().to_numpy()], owners
