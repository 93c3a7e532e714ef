"""What is in a catalog, in numbers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.catalog import Catalog
from musicu.catalog.rows import latest
from musicu.catalog.schema import TRACKS
from musicu.catalog.store import Store

_TOLD = ("title", "artists", "album", "date", "genres", "label", "isrc")
_COUNTED = ("track_id", "content_hash", "duration_seconds", "size_bytes", "complete", "codec")
_OWNER = "album_artist"


def summary(catalog: Catalog) -> dict[str, Any]:
    """Counts and totals of a catalog as it is now, as plain values that go into JSON."""
    store = Store.open(catalog.path)
    table = store.read("tracks", [*_COUNTED, *_TOLD, _OWNER, "gone"])
    every = TRACKS.empty_table() if table is None else latest(table, "track_id")
    gone = pc.sum(every["gone"]).as_py() or 0
    tracks = every.filter(pc.invert(every["gone"])) if gone else every
    codecs = pc.value_counts(pc.drop_null(tracks["codec"]).combine_chunks()).to_pylist()
    codecs.sort(key=lambda row: (-row["counts"], row["values"]))
    failures = store.read("failures", ["track_id"])  # a file may fail in several stages
    return {
        "path": str(store.folder),
        "tracks": tracks.num_rows,
        "gone": gone,
        "hours": round((pc.sum(tracks["duration_seconds"]).as_py() or 0.0) / 3600, 2),
        "bytes_of_music": pc.sum(tracks["size_bytes"]).as_py() or 0,
        "artists": pc.count_distinct(pc.list_flatten(tracks["artists"])).as_py(),
        "albums": _albums(tracks),
        "incomplete": pc.sum(pc.equal(tracks["complete"], False)).as_py() or 0,
        "known": {name: tracks.num_rows - tracks[name].null_count for name in _TOLD},
        "codecs": {row["values"]: row["counts"] for row in codecs},
        "failures": 0 if failures is None else pc.count_distinct(failures["track_id"]).as_py(),
        "default_model": store.manifest.default_model,
        "models": [_model(store, name, tracks) for name in store.manifest.model_names()],
        "bytes_on_disk": sum(f.stat().st_size for f in store.folder.rglob("*") if f.is_file()),
    }


def _albums(tracks: pa.Table) -> int:
    """Albums by title and album artist, or else artist: many have one title."""
    owners = pc.coalesce(tracks[_OWNER], pc.binary_join(tracks["artists"], ", "))
    named = pa.table([tracks["album"], owners], names=["album", "owner"])
    named = named.filter(pc.is_valid(named["album"]))
    return int(named.group_by(["album", "owner"]).aggregate([]).num_rows)


def _model(store: Store, name: str, tracks: pa.Table) -> dict[str, Any]:
    """A model's entry, and how many tracks have a vector of it."""
    entry = store.manifest.models[name]
    keys = store.read(f"vectors/{name}", [entry.key])
    held = pa.array([], pa.string()) if keys is None else keys[entry.key].combine_chunks()
    with_vector = pc.is_in(pc.drop_null(tracks[entry.key]), value_set=held)
    return {
        "name": name,
        "dim": entry.dim,
        "fingerprint": entry.fingerprint,
        "vectors": pc.sum(with_vector).as_py() or 0,
    }
