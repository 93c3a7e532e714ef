"""Apple Music: what an account gets from privacy.apple.com, under Apple Media Services.

`Apple Music Play Activity.csv` has a row for each event, of which `PLAY_END` ends a play: `Song
Name` (formerly `Content Name`), `Album Name`, `Artist Name` or `Container Artist Name`, `Event
Start Timestamp`, `Event End Timestamp`, `Play Duration Milliseconds` and `End Reason Type`. Newer
files name no artist. `Apple Music - Play History Daily Tracks.csv` has a row a day and track:
`Track Description` ("Artist - Title"), `Date Played` as 20240531 and `Play Duration Milliseconds`.
Apple describes the columns in no public document.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.listening.importers.table_formats import TableFormat, Text, reasons

_CUT = r"SKIPPED_FORWARDS|MANUALLY_SELECTED_PLAYBACK_OF_A_DIFF_ITEM"


def _no_plays(text: Text) -> pa.Array | None:
    """Events that end no play; Apple counts the same play in several of them."""
    event = text.get("eventtype")
    if event is None:
        return None
    other = pc.and_(pc.is_valid(event), pc.not_equal(event, "PLAY_END"))
    found = pc.fill_null(other, False).to_numpy(zero_copy_only=False)
    return reasons(np.asarray(found, bool), "an event that ends no play")


def _cut(text: Text) -> pa.Array | None:
    reason = text.get("endreasontype")
    return None if reason is None else pc.match_substring_regex(reason, _CUT)


_PLAYED = {"played_ms": ("Play Duration Milliseconds",)}

PLAY_ACTIVITY = TableFormat(
    "Apple Music Play Activity",
    known_by=("Event Start Timestamp", "Play Duration Milliseconds"),
    columns={
        "title": ("Song Name", "Content Name"),
        "artist": ("Artist Name", "Container Artist Name"),
        "album": ("Album Name", "Container Album Name"),
        "timestamp": (
            *("Event Start Timestamp", "Event End Timestamp"),
            *("Event Timestamp", "Event Received Timestamp"),
        ),
        **_PLAYED,
    },
    needs=("title",),
    looks_at=("eventtype", "endreasontype"),
    left_out=_no_plays,
    skipped=_cut,
)

DAILY_TRACKS = TableFormat(
    "Apple Music Play History Daily Tracks",
    known_by=("Track Description", "Date Played", "Play Duration Milliseconds"),
    columns={"credit": ("Track Description",), "timestamp": ("Date Played",), **_PLAYED},
    needs=("title",),
    looks_at=("endreasontype",),
    skipped=_cut,
)
