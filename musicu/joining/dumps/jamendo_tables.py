"""Jamendo: the tables of the MTG-Jamendo dataset, with or without `raw.meta.tsv`.

A record's path is "14/1376214", as the dataset stores "14/1376214.mp3" and "14/1376214.low.mp3".
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from musicu.errors import SourceError
from musicu.joining.given_file import GivenFile
from musicu.joining.row_readers import csv_rows

_COLUMNS = {
    "title": ("track_name", "title", "name"),
    "artist": ("artist_name", "artist"),
    "album": ("album_name", "album"),
    "date": ("releasedate", "release_date"),
    "duration_seconds": ("duration_s", "duration"),
    "popularity": ("listens", "popularity_total", "popularity"),
}


def read_jamendo(file: GivenFile) -> Iterator[pa.Table]:
    """Records of a table of tracks; tags "genre---rock" become genres, others `tags`."""
    for part in file.parts():
        for table in csv_rows(file, part):
            yield _records(
                table.rename_columns([name.lower() for name in table.column_names]), file
            )


def _records(table: pa.Table, file: GivenFile) -> pa.Table:
    if "track_id" not in table.column_names:
        raise SourceError(f"{file.path} has no column TRACK_ID: give a table of MTG-Jamendo tracks")
    number = pc.replace_substring_regex(pc.utf8_lower(table["track_id"]), r"^(track_)?0*", "")
    made = {"record_id": number}
    if "path" in table.column_names:
        made["path"] = pc.replace_substring_regex(table["path"], r"(\.low)?\.mp3$", "")
    for ours, theirs in _COLUMNS.items():
        name = next((name for name in theirs if name in table.column_names), None)
        if name:
            made[ours] = table[name]
    if "tags" in table.column_names:
        tags = pc.replace_substring_regex(table["tags"], r"[\t ,]+", ",")
        genres = pc.replace_substring_regex(tags, r"(^|,)(?:instrument|mood/theme)---[^,]*", "")
        made["genres"] = pc.utf8_trim(pc.replace_substring(genres, "genre---", ""), ",")
        made["tags"] = pc.split_pattern(tags, ",")
    return pa.table(made)
