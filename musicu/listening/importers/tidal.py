"""Tidal: `streaming.csv` of the personal data that an account can ask for.

It has `artist_name`, `track_title`, `entry_date` ("31/05/2024 20:46", the day first) and
`time_zone` (as "Europe/Oslo"; UTC where there is none); lines may stand before the header. Tidal
documents it nowhere; these are the columns that ListenBrainz's importer reads.
"""

from __future__ import annotations

from musicu.listening.importers.table_formats import TableFormat

TIDAL = TableFormat(
    "Tidal",
    known_by=("artist_name", "track_title", "entry_date"),
    columns={
        "title": ("track_title",),
        "artist": ("artist_name",),
        "timestamp": ("entry_date",),
        "zone": ("time_zone",),
    },
    day_first=True,
    needs=("title",),
)
