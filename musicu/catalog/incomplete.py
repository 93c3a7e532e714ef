"""Tracks of which only a part could be decoded: files that are cut off or damaged."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.catalog import Catalog
from musicu.catalog.store import Store

#: Tables that say of a recording whether all of it was decoded, those of a run of `embed` first.
_TELLING = ("vectors/", "fingerprints/", "descriptors/")
_ADVICE = "replace the file with a whole copy, then run `musicu embed` again"


def incomplete_tracks(catalog: Catalog) -> list[dict[str, Any]]:
    """The tracks that were read only in part, by path.

    Each has `track_id`, `path`, `stage` ("part"), `reason`, `heard_seconds` (None where an earlier
    version read the file) and `duration_seconds`, as the file states it.
    """
    heard = heard_seconds(Store.open(catalog.path))
    names = ["track_id", "path", "content_hash", "complete", "duration_seconds"]
    tracks, found = catalog.columns(names), []
    partial = pc.is_in(tracks["content_hash"], value_set=pa.array([*heard], pa.string()))
    if "complete" in tracks.column_names:
        partial = pc.or_(partial, pc.fill_null(pc.invert(tracks["complete"]), False))
    for row in tracks.filter(partial).to_pylist():
        seconds, stated = heard.get(row["content_hash"]), row.get("duration_seconds")
        found.append(
            {
                "track_id": row["track_id"],
                "path": row["path"],
                "stage": "part",
                "reason": f"{_read(seconds, stated)}: {_ADVICE}",
                "heard_seconds": seconds,
                "duration_seconds": stated,
            }
        )
    return sorted(found, key=lambda row: (row["path"] or "", row["track_id"]))


def heard_seconds(store: Store) -> dict[str, float | None]:
    """Content hash → the seconds that could be decoded, of recordings of which that is not all."""
    found: dict[str, float | None] = {}
    wanted = ["content_hash", "complete", "heard_seconds"]
    for room in _TELLING:
        for name in (n for n in store.manifest.tables if n.startswith(room)):
            schema = store.table_schema(name)
            if schema is None or not {"content_hash", "complete"} <= set(schema.names):
                continue
            table = store.read(name, [column for column in wanted if column in schema.names])
            if table is None:
                continue
            for row in table.filter(pc.equal(table["complete"], False)).to_pylist():
                if found.get(row["content_hash"]) is None:
                    found[row["content_hash"]] = row.get("heard_seconds")
    return found


def _read(seconds: float | None, stated: float | None) -> str:
    if seconds is None:
        return "only a part could be read"
    of = f" of {stated:.1f} s" if stated and stated > seconds + 0.1 else ""
    return f"only the first {seconds:.1f} s{of} could be read"
