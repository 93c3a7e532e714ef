"""ListenBrainz: dumps of listens (JSON lines, Parquet) and of statistics and popularity.

Listens are counted: the popularity of a track is how often it was listened to. Statistics and
popularity dumps give such counts themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from musicu.errors import SourceError
from musicu.joining.given_file import GivenFile, GivenPart
from musicu.joining.join_records import record_tables
from musicu.joining.row_readers import csv_rows, json_lines

_ODD = (AttributeError, KeyError, TypeError, ValueError)
_COLUMNS = {
    "recording_mbid": ("recording_mbid", "mbid"),
    "title": ("recording_name", "track_name", "title"),
    "artist": ("artist_name", "artist_credit_name", "artist"),
    "album": ("release_name", "album"),
    "popularity": ("total_listen_count", "listen_count", "count"),
}
_ROWS = 32_768


def read_listenbrainz(file: GivenFile) -> Iterator[pa.Table]:
    """Records of a dump, as a file or within its tar archive."""
    if file.path.suffix.lower() == ".parquet":
        yield from _parquet(file)
        return
    for part in file.parts():
        if part.name.split(".")[0].upper() in (
            "COPYING",
            "SCHEMA_SEQUENCE",
            "START_TIMESTAMP",
            "END_TIMESTAMP",
        ):
            continue
        if ".csv" in part.name.lower():
            for table in csv_rows(file, part):
                yield _columns_of(table)
        else:
            yield from record_tables(_documents(file, part))


def _parquet(file: GivenFile) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(file.path) as opened:
            for batch in opened.iter_batches(_ROWS):
                yield _columns_of(pa.Table.from_batches([batch]))
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{file.path} is no Parquet file that can be read ({error})") from error


def _columns_of(table: pa.Table) -> pa.Table:
    names = {
        ours: next((name for name in theirs if name in table.column_names), None)
        for ours, theirs in _COLUMNS.items()
    }
    made = pa.table({ours: table[name] for ours, name in names.items() if name})
    if "popularity" not in made.column_names:  # a row is one listen
        made = made.append_column("listens", pa.array([1.0] * made.num_rows, pa.float64()))
    return made


def _documents(file: GivenFile, part: GivenPart) -> Iterator[dict[str, Any]]:
    for number, document in json_lines(file, part):
        try:
            found = _records(document)
        except _ODD as error:
            reason = f"neither a listen nor a statistic of recordings ({type(error).__name__})"
            file.notes.damage(reason, f"{part.name}:{number}", str(document)[:400])
        else:
            yield from found


def _records(document: dict[str, Any]) -> list[dict[str, Any]]:
    if "track_metadata" in document:
        return [_listen(document["track_metadata"])]
    if "data" in document or "payload" in document or "recordings" in document:
        listed = document.get("data") or document.get("payload") or document
        listed = (
            listed
            if isinstance(listed, list)
            else listed.get("recordings") or listed.get("data") or ()
        )
        return [record for row in listed if (record := _statistic(row)) is not None]
    record = _statistic(document)
    if record is None:
        raise ValueError("no recording")
    return [record]


def _listen(said: dict[str, Any]) -> dict[str, Any]:
    more, mapped = said.get("additional_info") or {}, said.get("mbid_mapping") or {}
    mbid = mapped.get("recording_mbid") or more.get("recording_mbid") or more.get("track_mbid")
    mbid = mbid or more.get("lastfm_track_mbid")
    milliseconds, seconds = more.get("duration_ms"), more.get("duration")
    return {
        "record_id": mbid or more.get("recording_msid"),
        "recording_mbid": mbid or None,
        "isrcs": [code] if (code := more.get("isrc")) else None,
        "title": said["track_name"],
        "artist": said["artist_name"],
        "album": said.get("release_name"),
        "duration_seconds": float(milliseconds or 1000 * float(seconds or 0)) / 1000 or None,
        "listens": 1.0,
    }  # fmt: skip


def _statistic(row: dict[str, Any]) -> dict[str, Any] | None:
    """A recording and how often it was listened to; None of other entities."""
    found = {
        ours: next((row[name] for name in theirs if row.get(name) is not None), None)
        for ours, theirs in _COLUMNS.items()
    }
    if found["popularity"] is None or not (found["recording_mbid"] or found["title"]):
        return None
    return {**found, "record_id": found["recording_mbid"], "popularity": float(found["popularity"])}
