"""The Free Music Archive: `tracks.csv` and `raw_tracks.csv` of the FMA dataset, or parts of them.

A record's path is "000/000002", as the dataset stores "000/000002.mp3".
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from musicu.errors import SourceError
from musicu.joining.given_file import GivenFile
from musicu.joining.row_readers import csv_rows, first_rows

_COLUMNS = {
    "title": ("track_title", "track.title", "title"),
    "artist": ("artist_name", "artist.name"),
    "album": ("album_title", "album.title"),
    "duration_seconds": ("track_duration", "track.duration", "duration"),
    "date": ("album_date_released", "album.date_released", "track_date_recorded",
             "track.date_recorded", "date_recorded"),
    "popularity": ("track_listens", "track.listens", "listens"),
    "genres": ("genre_top", "track.genre_top"),
    "language": ("track_language_code", "track.language_code", "language_code"),
    "isrcs": ("track_isrc",),
}  # fmt: skip


def read_fma(file: GivenFile) -> Iterator[pa.Table]:
    """Records of a table of tracks; its listens are the popularity."""
    for part in file.parts():
        names = _grouped_names(first_rows(file, 3))
        skipped = 0 if names is None else 3
        for table in csv_rows(file, part, names):
            yield _records(table.slice(skipped), file)
            skipped = 0


def _grouped_names(lines: list[list[str]]) -> list[str] | None:
    """The columns of `tracks.csv`, whose header has three lines: group, name, that of the ids."""
    if len(lines) < 3 or lines[2][:1] != ["track_id"]:
        return None
    return ["track_id", *(f"{a}.{b}" for a, b in zip(lines[0][1:], lines[1][1:], strict=True))]


def _records(table: pa.Table, file: GivenFile) -> pa.Table:
    if "track_id" not in table.column_names:
        raise SourceError(
            f"{file.path} has no column track_id: give raw_tracks.csv or a part of it"
        )
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
        pc.cast(
            pc.if_else(pc.equal(pc.struct_field(parts, n), ""), "0", pc.struct_field(parts, n)),
            pa.float64(),
        )
        for n in ("h", "m", "s")
    ]
    clock = pc.add(pc.add(pc.multiply(fields[0], 3600.0), pc.multiply(fields[1], 60.0)), fields[2])
    return pc.coalesce(clock.cast(pa.string()), texts)
