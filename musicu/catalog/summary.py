"""What is in a catalog, in numbers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.catalog import Catalog

_TOLD = ("title", "artists", "album", "date", "genres", "label", "isrc")


def summary(catalog: Catalog) -> dict[str, Any]:
    """Counts and totals of a catalog, as plain values that go into JSON."""
    everything = catalog.tracks(gone=True)
    tracks = catalog.tracks()
    return {
        "path": str(catalog.path),
        "tracks": tracks.num_rows,
        "gone": everything.num_rows - tracks.num_rows,
        "hours": round((pc.sum(tracks["duration_seconds"]).as_py() or 0.0) / 3600, 2),
        "bytes_of_music": pc.sum(tracks["size_bytes"]).as_py() or 0,
        "artists": _distinct(tracks["artists"]),
        "albums": _distinct(tracks["album"]),
        "incomplete": pc.sum(pc.equal(tracks["complete"], False)).as_py() or 0,
        "failures": catalog.failures().num_rows,
        "known": {name: tracks.num_rows - tracks[name].null_count for name in _TOLD},
        "codecs": _counts(tracks["codec"]),
        "models": [_model(catalog, name) for name in catalog.models()],
        "bytes_on_disk": sum(f.stat().st_size for f in catalog.path.rglob("*") if f.is_file()),
    }


def _model(catalog: Catalog, name: str) -> dict[str, Any]:
    """A model's entry, and how many tracks have a vector of it."""
    entry = catalog.model_entry(name)[1]
    return {
        "name": name,
        "dim": entry.dim,
        "fingerprint": entry.fingerprint,
        "vectors": catalog.vector_count(name),
    }


def _distinct(column: pa.ChunkedArray) -> int:
    """How many different values a column has, inside its lists if it is one of lists."""
    values = pc.list_flatten(column) if pa.types.is_list(column.type) else column
    count: int = pc.count_distinct(values, mode="only_valid").as_py()
    return count


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each value stands in a column, the most frequent first."""
    rows = pc.value_counts(pc.drop_null(column).combine_chunks()).to_pylist()
    rows.sort(key=lambda row: (-row["counts"], row["values"]))
    return {row["values"]: row["counts"] for row in rows}
