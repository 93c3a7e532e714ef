"""Exportify (exportify.net, exportify.app): a Spotify playlist as CSV, named as the playlist.

Two programs of that name write `Track URI` (older: `Spotify ID`), `Track Name`, `Artist Name(s)`,
`Album Name`, `Added At` and, with some settings, `ISRC`.
"""

from __future__ import annotations

from musicu.listening.importers.table_formats import TableFormat

EXPORTIFY = TableFormat(
    "Exportify",
    known_by=("Track Name", "Artist Name(s)", "Added At"),
    columns={
        "title": ("Track Name",),
        "artist": ("Artist Name(s)",),
        "album": ("Album Name",),
        "track_id": ("Track URI", "Spotify URI", "Spotify ID"),
        "isrc": ("ISRC", "Track ISRC"),
        "timestamp": ("Added At",),
    },
    playlist=True,
)
