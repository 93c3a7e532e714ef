"""MusicBrainz: the canonical dump (CSV) and the JSON dumps of recordings and releases.

`canonical_musicbrainz_data.csv` has no lengths and dates; `recording` has ISRCs, lengths and the
first release; `release` has the same for each of its tracks, with album, label and country.
Redirects of either kind (`canonical_recording_redirect.csv`) are read by `redirects`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from musicu.errors import SourceError
from musicu.joining.given_file import GivenFile, GivenPart
from musicu.joining.join_records import record_tables
from musicu.joining.redirects import is_redirects
from musicu.joining.row_readers import csv_rows, json_lines

_CANONICAL = {
    "record_id": "recording_mbid",
    "recording_mbid": "recording_mbid",
    "title": "recording_name",
    "artist": "artist_credit_name",
    "album": "release_name",
    "priority": "score",
}
_ODD = (AttributeError, KeyError, TypeError, ValueError, IndexError)


def read_musicbrainz(file: GivenFile) -> Iterator[pa.Table]:
    """Records of a dump, as a file or within its tar archive."""
    for part in file.parts():
        name = part.name.lower()
        if "redirect" in name:
            continue
        if ".csv" in name:
            yield from _canonical(file, part)
        elif name.split(".")[0] in (
            "copying",
            "readme",
            "schema_sequence",
            "replication_sequence",
            "json_dumps_schema_number",
        ):
            continue
        else:
            yield from record_tables(_documents(file, part))


def _canonical(file: GivenFile, part: GivenPart) -> Iterator[pa.Table]:
    for table in csv_rows(file, part):
        if is_redirects(table.column_names):
            continue
        missing = [
            name for name in ("recording_mbid", "recording_name") if name not in table.column_names
        ]
        if missing:
            if part.name != file.path.name:
                return  # other members of the archive, such as canonical_release_redirect
            raise SourceError(
                f"{file.path} has no column {missing[0]!r}: give canonical_musicbrainz_data.csv, "
                "canonical_recording_redirect.csv or a JSON dump"
            )
        chosen = {
            ours: theirs for ours, theirs in _CANONICAL.items() if theirs in table.column_names
        }
        yield pa.table({ours: table[theirs] for ours, theirs in chosen.items()})


def _documents(file: GivenFile, part: GivenPart) -> Iterator[dict[str, Any]]:
    for number, document in json_lines(file, part):
        try:
            if "media" in document or "release-group" in document:
                yield from list(_tracks(document))
            else:
                yield _recording(document)
        except _ODD as error:
            reason = (
                f"a document that is neither a recording nor a release ({type(error).__name__})"
            )
            file.notes.damage(reason, f"{part.name}:{number}", str(document)[:400])


def _recording(document: dict[str, Any]) -> dict[str, Any]:
    return {
        **_codes(document),
        "title": _text(document["title"]),
        "artist": _credit(document.get("artist-credit")),
        "duration_seconds": _seconds(document.get("length")),
        "date": _maybe(document.get("first-release-date")),
        "album": None,
        "compilation": None,
        "label": None,
        "country": None,
        "original_date": None,
        "language": None,
    }


def _codes(recording: dict[str, Any]) -> dict[str, Any]:
    """What only a recording itself says: its ids and genres."""
    own = _text(recording["id"])
    return {
        "record_id": own,
        "recording_mbid": own,
        "isrcs": [_text(code) for code in recording.get("isrcs") or ()],
        "genres": [_text(genre["name"]) for genre in recording.get("genres") or ()] or None,
    }


def _tracks(release: dict[str, Any]) -> Iterator[dict[str, Any]]:
    group = release.get("release-group") or {}
    labels = [
        _maybe((info.get("label") or {}).get("name")) for info in release.get("label-info") or ()
    ]
    shared = {
        "album": _text(release["title"]),
        "compilation": "Compilation" in (group.get("secondary-types") or ())
        or _credit(release.get("artist-credit")) == "Various Artists",
        "label": next(filter(None, labels), None),
        "country": _maybe(release.get("country")),
        "date": _maybe(release.get("date")),
        "original_date": _maybe(group.get("first-release-date")),
        "language": _maybe((release.get("text-representation") or {}).get("language")),
    }
    for medium in release["media"]:
        for track in medium.get("tracks") or ():
            recording = track["recording"]
            credit = (
                track.get("artist-credit")
                or recording.get("artist-credit")
                or release.get("artist-credit")
            )
            yield {
                **_codes(recording),
                "title": _text(track.get("title") or recording["title"]),
                "artist": _credit(credit),
                "duration_seconds": _seconds(track.get("length") or recording.get("length")),
                **shared,
            }


def _credit(credit: list[dict[str, Any]] | None) -> str | None:
    found = ""
    for one in credit or ():
        found += _text(one.get("name") or one["artist"]["name"]) + (one.get("joinphrase") or "")
    return found or None


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else float(milliseconds) / 1000


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _maybe(value: Any) -> str | None:
    return _text(value) if value else None
