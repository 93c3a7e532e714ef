"""Spotify: the streaming history in the two packages that an account can download.

As support.spotify.com says under "Understanding my data": the account data has
`StreamingHistory_music_<n>.json` (formerly `StreamingHistory<n>.json`) with `endTime` in UTC to
the minute, `artistName`, `trackName` and `msPlayed`; the extended history has
`Streaming_History_Audio_<years>.json` (formerly `endsong_<n>.json`) with `ts`, `ms_played`,
`master_metadata_track_name`, `spotify_track_uri`, `reason_end` and `skipped`. The time is that of
the stream's end.
"""

from __future__ import annotations

from typing import Any

from musicu.listening.importers.raw import (
    RecordError,
    Records,
    Row,
    members,
    number_in,
    stream_weight,
    text_in,
    title_in,
)

_NEXT = ("fwdbtn", "nextbtn")  # the listener asked for the next track


def history_within(document: Any) -> Records | None:
    """The streams of a file; None where it is not Spotify's.

    Podcasts, audiobooks and private sessions are left out.
    """
    if not isinstance(document, list):
        return None
    keys = [record.keys() for record in document if isinstance(record, dict)]
    if any("ms_played" in known and ("ts" in known or _EXTENDED in known) for known in keys):
        return Records(document, _extended)
    if any("msPlayed" in known for known in keys):
        return Records(document, _account)
    return None


_EXTENDED = "master_metadata_track_name"


def _extended(record: Any) -> Row:
    record = members(record)
    if record.get("incognito_mode") is True:
        raise RecordError("of a private session")
    if text_in(record, _EXTENDED) is None and text_in(record, "episode_name", "audiobook_title"):
        raise RecordError("a podcast or an audiobook")
    cut = record.get("skipped") is True or record.get("reason_end") in _NEXT
    return {
        "title": title_in(record, _EXTENDED),
        "user": text_in(record, "username"),
        "timestamp": record.get("ts"),
        "weight": stream_weight(number_in(record, "ms_played"), cut),
        "artist": text_in(record, "master_metadata_album_artist_name"),
        "album": text_in(record, "master_metadata_album_album_name"),
        "track_id": text_in(record, "spotify_track_uri"),
    }


def _account(record: Any) -> Row:
    record = members(record)
    if text_in(record, "trackName") is None and text_in(record, "podcastName", "episodeName"):
        raise RecordError("a podcast")
    return {
        "title": title_in(record, "trackName"),
        "timestamp": record.get("endTime"),
        "weight": stream_weight(number_in(record, "msPlayed")),
        "artist": text_in(record, "artistName"),
    }
