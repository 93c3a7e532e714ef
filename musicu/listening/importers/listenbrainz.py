"""ListenBrainz: the archive that a user downloads, JSON lines, and answers of its API.

The archive (listenbrainz.org/settings/export) holds `listens/<year>/<month>.jsonl`,
`feedback.jsonl` and `user.json`. A listen is as docs.listenbrainz.org says under "JSON
documentation": `listened_at` in seconds since 1970 and `track_metadata` with `artist_name`,
`track_name`, `release_name`, `additional_info` (`isrc`, `recording_mbid`) and, where the server
has found one, `mbid_mapping.recording_mbid`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from musicu.listening.importers.raw import (
    RecordError,
    Records,
    Row,
    members,
    number_in,
    object_in,
    text_in,
    title_in,
)

_PIN = {"blurb_content", "pinned_until"}


def listens_among(records: Iterable[Any], first: list[Any]) -> Records | None:
    """Records of which the first are known; None where none of these is of ListenBrainz.

    A love counts as a listen, a hate as a skip.
    """
    ours = any(_is_listen(record) or _is_feedback(record) for record in first)
    return Records(records, _row) if ours else None


def listens_within(document: Any) -> Records | None:
    """The listens in an answer of the API or an older export; None where it is neither."""
    if isinstance(document, dict) and isinstance(document.get("payload"), dict):
        document = document["payload"].get("listens")
    return listens_among(document, document) if isinstance(document, list) else None


def _row(record: Any) -> Row:
    return _feedback(record) if _is_feedback(record) else _listen(members(record))


def _is_listen(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("track_metadata"), dict)


def _listen(record: Row) -> Row:
    if record.keys() & _PIN:
        raise RecordError("pinned, which is no listen")
    track = object_in(record, "track_metadata")
    more, mapped = object_in(track, "additional_info"), object_in(track, "mbid_mapping")
    isrc = more.get("isrc")
    return {
        "title": title_in(track, "track_name"),
        "user": text_in(record, "user_name"),
        "timestamp": record.get("listened_at"),
        "isrc": text_in({"isrc": isrc[:1] if isinstance(isrc, list) else isrc}, "isrc"),
        "recording_mbid": text_in(more, "recording_mbid") or text_in(mapped, "recording_mbid"),
        "artist": text_in(track, "artist_name"),
        "album": text_in(track, "release_name"),
    }


def _is_feedback(record: Any) -> bool:
    return isinstance(record, dict) and "score" in record and "recording_mbid" in record


def _feedback(record: Row) -> Row:
    score, recording = number_in(record, "score"), text_in(record, "recording_mbid")
    if score not in (1, -1) or recording is None:
        raise RecordError("a rating that is neither love nor hate of a known recording")
    return {
        "user": text_in(record, "user_name", "user_id"),
        "timestamp": record.get("created"),
        "weight": float(score),
        "context": "loved" if score == 1 else "hated",
        "recording_mbid": recording,
    }
