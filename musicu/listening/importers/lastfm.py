"""Last.fm: the forms in which people save their scrobbles.

Last.fm itself offers no download; these tools do. JSON: pages of `user.getRecentTracks`
(last.fm/api/show/user.getRecentTracks) as the API gives them or in a list, and the file of
lastfmstats.com, `{"username", "scrobbles": [{"track", "artist", "album", "date" in ms}]}`. CSV:
that of mainstream.ghan.nl and lastfmstats.com, whose headers `listen_table.py` reads, and that of
benjaminbenben.com/lastfm-to-csv, which has none: artist, album, track, "31 May 2016 20:46".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from musicu.ingest.moments import parse_moment
from musicu.listening.importers.raw import (
    RecordError,
    Records,
    Row,
    members,
    object_in,
    text_in,
    title_in,
)


def scrobbles_within(document: Any) -> Records | None:
    """The scrobbles of a JSON document; None where it is none of Last.fm's."""
    scrobbles = document.get("scrobbles") if isinstance(document, dict) else None
    if isinstance(scrobbles, list) and (not scrobbles or any(map(_is_flat, scrobbles))):
        user = text_in(document, "username")
        return Records(scrobbles, lambda record: _stats_row(record, user))
    pages = document if isinstance(document, list) else [document]
    if not any(_is_scrobble(track) for page in pages for track in _tracks(page)):
        return None
    return Records(
        ((track, _user(page)) for page in pages for track in _tracks(page)),
        lambda pair: _page_row(*pair),
    )


def _is_flat(record: Any) -> bool:
    """Whether a record has its title as text; those of Maloja, in a list of one name, have not."""
    return isinstance(record, dict) and text_in(record, "track") is not None


def is_headless(line: str) -> bool:
    """Whether a CSV begins with a scrobble: artist, album, track and date, and no header."""
    first = next(_lines(line), [])
    return len(first) == 4 and parse_moment(first[3]) is not None


def headless_rows(text: str) -> Records:
    """The scrobbles of a CSV without a header."""
    return Records(_lines(text), _headless_row)


def _lines(text: str) -> Iterator[list[str]]:
    """The rows of a CSV; one that cannot be read has no cells."""
    reader = csv.reader(io.StringIO(text))
    while True:
        try:
            yield next(reader)
        except csv.Error:
            yield []
        except StopIteration:
            return


def _headless_row(cells: list[str]) -> Row:
    if len(cells) != 4:
        raise RecordError("not four cells")
    artist, album, title, date = cells
    return {"artist": artist, "album": album, "title": title, "timestamp": date}


def _page(page: Any) -> Any:
    """A page of `user.getRecentTracks` without its envelope."""
    inner = page.get("recenttracks") if isinstance(page, dict) else None
    return inner if isinstance(inner, dict) else page


def _tracks(page: Any) -> list[Any]:
    """The tracks of a page; a single one may stand alone."""
    page = _page(page)
    tracks = page.get("track") if isinstance(page, dict) else page
    return [tracks] if isinstance(tracks, dict) else tracks if isinstance(tracks, list) else []


def _is_scrobble(track: Any) -> bool:
    return isinstance(track, dict) and "artist" in track and "name" in track


def _user(page: Any) -> str | None:
    page = _page(page)
    return text_in(object_in(page, "@attr"), "user") if isinstance(page, dict) else None


def _page_row(track: Any, user: str | None) -> Row:
    track = members(track)
    if object_in(track, "@attr").get("nowplaying") is not None and "date" not in track:
        raise RecordError("playing right now, which comes again when it was played")
    return {
        "title": title_in(track, "name"),
        "user": user,
        "timestamp": object_in(track, "date").get("uts"),
        "artist": text_in(track, "artist"),
        "album": text_in(track, "album"),
        "recording_mbid": text_in(track, "mbid"),
    }


def _stats_row(record: Any, user: str | None) -> Row:
    record = members(record)
    return {
        "title": title_in(record, "track"),
        "user": user,
        "timestamp": record.get("date"),
        "artist": text_in(record, "artist"),
        "album": text_in(record, "album"),
    }
