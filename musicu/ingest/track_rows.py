"""Rows of the table of tracks, from what a scan finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musicu.catalog.rows import Row
from musicu.catalog.schema import METADATA
from musicu.ingest.source_file import SourceFile
from musicu.tags.dates import parse_date


def track_row(
    found: SourceFile, tags: Mapping[str, Any], content_hash: str | None, complete: bool | None
) -> Row:
    """The row of a track: tags, and over them what the source table gives."""
    metadata = {name: tags[name] for name in METADATA.names if tags.get(name) is not None}
    metadata.pop("released", None)  # follows from `date`; a worker sends it as text
    metadata.update({name: value for name, value in found.given.items() if value is not None})
    if metadata.get("released") is None and metadata.get("date") is not None:
        date = parse_date(str(metadata["date"]))
        metadata["released"] = date.first_day if date else None
    return {
        **metadata,
        "track_id": found.track_id,
        "root": found.root,
        "path": found.path,
        "path_bytes": found.path_bytes,
        "size_bytes": found.size_bytes,
        "modified_ns": found.modified_ns,
        "changed_ns": found.changed_ns,
        "content_hash": content_hash,
        "complete": complete,
        "gone": False,
    }
