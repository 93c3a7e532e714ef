"""The Free Music Archive: `tracks.csv` and `raw_tracks.csv` of the FMA dataset, or parts of them.

A record's path is "000/000002", as the dataset stores "000/000002.mp3".
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from musicu.errors import SourceError
from musicu.joining.given_file import GivenFile
from musicu.joining.row_readers import csv_rows

_COLUMNS = {
    "title": ("track_title", "track.title", "title"),
    "artist": ("artist_name", "artist.name"),
    "album": ("album_title", "album.title"),
    "duration_seconds": ("track_duration", "track.duration", "duration"),
    "date": ("album_date_released", "album.date_released", "track_date_recorded", "track.date_recorded",
             "date_recorded"),
    "popularity": ("track_listens", "track.listens", "listens"),
    "genres": ("genre_top", "track.genre_top"),
    "language": ("track_language_code", "track.language_code", "language_code"),
    "isrcs": ("track_isrc",),
}  # fmt: skip
_ALONE = "date_created"  # when it was put on the archive: no release


def read_fma(file: GivenFile) -> Iterator[pa.Table]:
    """Records of a table of tracks; its listens are the popularity."""
    for part in file.parts():
        names: list[str] | None = None
        for table in csv_rows(file, part):
            if names is None:
                table, names = _one_header(table)
            yield _records(table.rename_columns(names), file)


def _one_header(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """`tracks.csv` has three lines of header: group, name, and the name of the first column."""
    names = list(table.column_names)
    return table, names


def _records(table: pa.Table, file: GivenFile) -> pa.Table:
    if "track_id" not in table.column_names:
        raise SourceError(f"{file.path} has no column track_id: give raw_tracks.csv or a part of it")
    number = pc.replace_substring_regex(table["track_id"], r"^0+", "")
    digits = pc.utf8_lpad(number, 6, "0")
    made = {
        "record_id": number,
        "path": pc.binary_join_element_wise(pc.utf8_slice_codeunits(digits, 0, 3), digits, "/"),
    }
    for ours, theirs in _COLUMNS.items():
        name = next((name for name in theirs if name in table.column_names), None)
        if name:
            made[ours] = table[name]
    if "duration_seconds" in made:
        made["duration_seconds"] = _seconds(made["duration_seconds"])
    return pa.table(made)


def _seconds(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lengths such as "168", "02:48" and "1:02:48" in seconds."""
    parts = pc.extract_regex(texts, r"^(?:(?P<h>\d+):)?(?P<m>\d+):(?P<s>\d\d)$")
    fields = [
        pc.cast(pc.if_else(pc.equal(pc.struct_field(parts, n), ""), "0", pc.struct_field(parts, n)), pa.float64())
        for n in ("h", "m", "s")
    ]
    clock = pc.add(pc.add(pc.multiply(fields[0], 3600.0), pc.multiply(fields[1], 60.0)), fields[2])
    return pc.coalesce(clock.cast(pa.string()), texts)
