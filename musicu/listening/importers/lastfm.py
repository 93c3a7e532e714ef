"""Last.fm: the forms in which people save their scrobbles.

Last.fm itself offers no download; these tools do. JSON: pages of `user.getRecentTracks`
(last.fm/api/show/user.getRecentTracks) as the API gives them or in a list, and the file of
lastfmstats.com, `{"username", "scrobbles": [{"track", "artist", "album", "date" in ms}]}`. CSV:
that of mainstream.ghan.nl and lastfmstats.com, whose headers `table.py` reads, and that of
benjaminbenben.com/lastfm-to-csv, which has none: artist, album, track, "31 May 2016 20:46".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from musicu.listening.importers.raw import moment

Row = dict[str, Any]


def scrobbles_within(document: Any) -> list[Row] | None:
    """The rows of RAW of a JSON document; None where it is none of Last.fm's."""
    if isinstance(document, dict) and isinstance(document.get("scrobbles"), list):
        user = document.get("username")
        return [_stats_row(record, user) for record in document["scrobbles"]]
    pages = document if isinstance(document, list) else [document]
    if not pages or _page(pages[0]) is None:
        return None
    return [row for page in pages for row in _page_rows(page)]


def headless_rows(text: str) -> Iterator[Row] | None:
    """The rows of RAW of a CSV of artist, album, track and date without a header; else None."""
    first = next(csv.reader(io.StringIO(text)), [])
    if len(first) != 4 or moment(first[3]) is None:
        return None
    return (
        {"artist": cells[0], "album": cells[1], "title": cells[2], "timestamp": moment(cells[3])}
        for cells in csv.reader(io.StringIO(text))
        if len(cells) == 4
    )


def _page(page: Any) -> list[Any] | None:
    """The tracks of a page of `user.getRecentTracks`; None where it is something else."""
    if isinstance(page, dict) and isinstance(page.get("recenttracks"), dict):
        page = page["recenttracks"]
    tracks = page.get("track") if isinstance(page, dict) else page
    tracks = [tracks] if isinstance(tracks, dict) else tracks
    ours = isinstance(tracks, list) and all(
        isinstance(t, dict) and "artist" in t and "name" in t for t in tracks
    )
    return tracks if ours else None


def _page_rows(page: Any) -> Iterator[Row]:
    inner = page.get("recenttracks", page) if isinstance(page, dict) else {}
    user = (inner.get("@attr") or {}).get("user") if isinstance(inner, dict) else None
    for track in _page(page) or ():
        date = track.get("date")
        if not isinstance(date, dict):
            continue  # what plays right now has no date and comes again later
        yield {
            "user": user,
            "timestamp": moment(date.get("uts")),
            "artist": _named(track["artist"]),
            "title": track["name"],
            "album": _named(track.get("album")),
            "recording_mbid": track.get("mbid"),
        }


def _stats_row(record: Row, user: str | None) -> Row:
    return {
        "user": user,
        "timestamp": moment(record.get("date")),
        "artist": record.get("artist"),
        "title": record.get("track"),
        "album": record.get("album"),
    }


def _named(value: Any) -> str | None:
    """A name that may stand alone, or in an object under "#text" or "name"."""
    return (value.get("#text") or value.get("name")) if isinstance(value, dict) else value
