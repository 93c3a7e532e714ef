"""ListenBrainz: the archive that a user downloads, JSON lines, and answers of its API.

The archive (listenbrainz.org/settings/export) holds `listens/<year>/<month>.jsonl`,
`feedback.jsonl` and `user.json`. A listen is as docs.listenbrainz.org says under "JSON
documentation": `listened_at` in seconds since 1970 and `track_metadata` with `artist_name`,
`track_name`, `release_name`, `additional_info` (`isrc`, `recording_mbid`) and, where the server
has found one, `mbid_mapping.recording_mbid`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from musicu.listening.importers.raw import moment

Row = dict[str, Any]


def is_listen(record: Any) -> bool:
    """Whether a JSON object is a listen or a piece of feedback of ListenBrainz."""
    return isinstance(record, dict) and (
        isinstance(record.get("track_metadata"), dict) or _is_feedback(record)
    )


def listen_rows(records: Iterator[Any]) -> Iterator[Row]:
    """Rows of RAW for listens; a love counts as a listen, a hate as a skip."""
    for record in records:
        if _is_feedback(record):
            yield from _feedback(record)
        elif is_listen(record):
            yield _listen(record)


def listens_within(document: Any) -> list[Any] | None:
    """The listens in an answer of the API or an older export; None where it is neither."""
    if isinstance(document, dict) and isinstance(document.get("payload"), dict):
        document = document["payload"].get("listens")
    if isinstance(document, list) and document and is_listen(document[0]):
        return document
    return None


def _listen(record: Row) -> Row:
    track = record["track_metadata"]
    more = track.get("additional_info") or {}
    mapped = track.get("mbid_mapping") or {}
    return {
        "user": record.get("user_name"),
        "timestamp": moment(record.get("listened_at")),
        "isrc": _first(more.get("isrc")),
        "recording_mbid": more.get("recording_mbid") or mapped.get("recording_mbid"),
        "artist": track.get("artist_name"),
        "title": track.get("track_name"),
        "album": track.get("release_name"),
    }


def _is_feedback(record: Any) -> bool:
    return isinstance(record, dict) and "score" in record and "recording_mbid" in record


def _feedback(record: Row) -> Iterator[Row]:
    score = record["score"]
    if score in (1, -1) and record["recording_mbid"]:
        yield {
            "user": record.get("user_name") or record.get("user_id"),
            "timestamp": moment(record.get("created")),
            "weight": float(score),
            "context": "loved" if score == 1 else "hated",
            "recording_mbid": record["recording_mbid"],
        }


def _first(value: Any) -> str | None:
    return str(value[0]) if isinstance(value, list) and value else value or None
