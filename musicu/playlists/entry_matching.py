"""Which tracks of a catalog a playlist means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from musicu.playlists.entries import Entry, Playlist
from musicu.retrieval.matcher import TrackMatcher
from musicu.retrieval.names import warn_of

Row = Mapping[str, Any]

_CODES = {"isrc": "code", "musicbrainz": "code"}


@dataclass(frozen=True, slots=True)
class EntryMatch:
    """An entry, the track that it means (None: not in the catalog), and what told so.

    by: "path", "id", "code" (ISRC or MusicBrainz), "moved" (the end of the path), "name" or
    "loose name" (spelled otherwise); None where nothing was found.
    """

    entry: Entry
    row: Row | None
    by: str | None


def match_playlist(playlist: Playlist, tracks: pa.Table) -> list[EntryMatch]:
    """The catalog's track for each entry, in order: see `retrieval.matcher`.

    Warns with LooseMatchWarning of what is only spelled alike.
    """
    matcher = TrackMatcher(tracks)
    matches = [matcher.find(entry) for entry in playlist.entries]
    rows = pa.array([match.row for match in matches if match.row >= 0], pa.int64())
    tracks_of = iter(tracks.take(rows).to_pylist())
    found = [
        EntryMatch(entry, next(tracks_of), _CODES.get(match.by, match.by))
        if match.row >= 0
        else EntryMatch(entry, None, None)
        for entry, match in zip(playlist.entries, matches, strict=True)
    ]
    for one in found:
        if one.row is not None and one.by == "loose name":
            said = " – ".join(filter(None, [one.entry.artist, one.entry.title]))
            warn_of(said, one.row)
    return found
