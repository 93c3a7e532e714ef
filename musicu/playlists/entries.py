"""What stands in a playlist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musicu.catalog.rows import track_file
from musicu.retrieval.mention import Mention


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Mention):
    """One track as a playlist names it: a mention whose file is on this disk.

    url: where else it lies, as it is written.
    """

    file: Path | None = None
    url: str | None = None

    @property
    def artist(self) -> str | None:
        """The performers in one text."""
        return ", ".join(self.artists) or None

    @classmethod
    def of_track(cls, row: Mapping[str, Any]) -> Entry:
        """A row of a catalog's tracks."""
        row = {"path_bytes": None, **row}
        known = row.get("root") is not None and row.get("path")
        names = tuple(name for name in row.get("artists") or () if name)
        return cls(
            file=track_file(row) if known else None,
            title=row.get("title"),
            artists=names or tuple(filter(None, [row.get("album_artist")])),
            album=row.get("album"),
            duration_seconds=row.get("duration_seconds"),
            isrc=row.get("isrc"),
            musicbrainz_recording_id=row.get("musicbrainz_recording_id"),
            track_id=row.get("track_id"),
        )


@dataclass(frozen=True, slots=True)
class Playlist:
    """Entries in the order to play them, under a title."""

    title: str | None
    entries: tuple[Entry, ...]

    @classmethod
    def of_tracks(cls, title: str | None, rows: Iterable[Mapping[str, Any]]) -> Playlist:
        """Rows of a catalog's tracks as a playlist."""
        return cls(title, tuple(Entry.of_track(row) for row in rows))
