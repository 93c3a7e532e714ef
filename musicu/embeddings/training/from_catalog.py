"""A catalog's recordings as training material, with what tags, folders and listening say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from musicu.catalog.catalog import Catalog
from musicu.embeddings.training.train_data import TrainingTrack

_CREDITED = ("title", "album", "licence", "commit", "source_path")
ALBUM_SIZE = (2, 40)  # files in a folder that is taken for an album


def tracks_of(
    catalog: Catalog, listeners: Mapping[str, Sequence[str]] | None = None
) -> list[TrainingTrack]:
    """A catalog's readable tracks as training material.

    listeners: by track id, who listened to it. A track without a tag for its album is of the
    album that its folder holds, where that is a folder of the size of an album.
    """
    rows = [row for row in catalog.tracks().to_pylist() if row.get("content_hash") is not None]
    paths = {row["track_id"]: catalog.file(row["track_id"]) for row in rows}
    folders = album_folders(list(paths.values()))
    known = listeners or {}
    found = []
    for row in rows:
        track_id, artists = row["track_id"], row.get("artists") or []
        path = paths[track_id]
        folder = str(path.parent) if path.parent in folders else None
        found.append(
            TrainingTrack(
                track_id=track_id,
                path=path,
                artist=row.get("album_artist") or (artists[0] if artists else None),
                album=row.get("album") or folder,
                source=str(row["source"]) if row.get("source") else None,
                tags=tuple(tag.casefold() for tag in _tags(row)),
                listeners=tuple(known.get(track_id, ())),
                credit={name: str(row[name]) for name in _CREDITED if row.get(name)},
            )
        )
    return found


def album_folders(paths: Sequence[Path]) -> set[Path]:
    """Folders that hold as many of the files themselves as an album does."""
    least, most = ALBUM_SIZE
    counts = Counter(path.parent for path in paths)
    return {folder for folder, count in counts.items() if least <= count <= most}


def _tags(row: Mapping[str, object]) -> list[str]:
    """Genres, and a column `tags` where the catalog was made from a table that has one."""
    tags: list[str] = []
    for name in ("genres", "tags"):
        value = row.get(name)
        if isinstance(value, list):
            tags += [str(tag) for tag in value if tag]
        elif isinstance(value, str):
            tags.append(value)
    return tags
