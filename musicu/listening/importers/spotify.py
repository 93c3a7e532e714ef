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

from musicu.listening.importers.raw import moment

Row = dict[str, Any]

#: From how long on Spotify itself counts a stream (support.spotify.com, "How we count streams").
COUNTED_MS = 30_000

_NEXT = ("fwdbtn", "nextbtn")  # the listener asked for the next track


def history_within(document: Any) -> list[Row] | None:
    """The rows of RAW of a file; None where it is not Spotify's.

    A stream of 30 s weighs 1, a shorter one its part of that; one that the listener cut off
    before 30 s to go on to the next is a skip, -1. Podcasts, audiobooks and private sessions are
    left out.
    """
    if not isinstance(document, list) or not document or not isinstance(document[0], dict):
        return None
    if {"ms_played", "ts"} <= document[0].keys():
        return [_extended(record) for record in document if _is_open_music(record)]
    if {"msPlayed", "endTime"} <= document[0].keys():
        return [_account(record) for record in document if record.get("trackName")]
    return None


def _is_open_music(record: Row) -> bool:
    return bool(record.get("master_metadata_track_name")) and not record.get("incognito_mode")


def _extended(record: Row) -> Row:
    played = record.get("ms_played") or 0
    cut = record.get("skipped") is True or record.get("reason_end") in _NEXT
    skipped = cut and played < COUNTED_MS
    return {
        "user": record.get("username"),
        "timestamp": moment(record.get("ts")),
        "weight": -1.0 if skipped else _part(played),
        "artist": record.get("master_metadata_album_artist_name"),
        "title": record["master_metadata_track_name"],
        "album": record.get("master_metadata_album_album_name"),
        "track_id": record.get("spotify_track_uri"),
    }


def _account(record: Row) -> Row:
    return {
        "timestamp": moment(record["endTime"]),
        "weight": _part(record.get("msPlayed") or 0),
        "artist": record.get("artistName"),
        "title": record["trackName"],
    }


def _part(played_ms: float) -> float:
    return min(1.0, max(0.0, played_ms / COUNTED_MS))
