"""Deezer: the listening history of the personal data that an account can download.

The download is a workbook; its sheet `10_listeningHistory` has `Song Title`, `Artist`, `ISRC`,
`Album Title`, `Listening Time` (in seconds) and `Date` beside the device's address and model. Save
that sheet as CSV: workbooks are not read. Deezer documents the columns nowhere.
"""

from __future__ import annotations

from musicu.listening.importers.table_formats import TableFormat

DEEZER = TableFormat(
    "Deezer",
    known_by=("Song Title", "Artist", "Listening Time", "Date"),
    columns={
        "title": ("Song Title",),
        "artist": ("Artist",),
        "album": ("Album Title",),
        "isrc": ("ISRC",),
        "timestamp": ("Date",),
        "played_s": ("Listening Time",),
    },
    needs=("title",),
)
