"""A table of the tracks without certain faults, as a source for another catalog.

Out go files that cannot be read, silent ones, and all but the best copy of each recording, where
that is certain; of recordings that are only probably one, all stay. What the best copy's tags lack
is taken from the other copies. Of copies whose names contradict each other, those whose name the
rest of the catalog supports are the best, and nothing is taken from the others. Other guesses
(genres, dates, clipping) change nothing. No audio file is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute
from musicu.catalog.rows import track_file
from musicu.catalog.schema import METADATA

if TYPE_CHECKING:
    from musicu.audit.auditing import Audit

Row = Mapping[str, Any]

_OUT = ("corrupt", "silent")
_LOSSLESS = ("flac", "wav", "pcm", "aiff", "alac", "ape", "monkeys", "wavpack", "tta")
#: Properties of the file itself, which are never taken from another copy.
_OF_THE_FILE = frozenset(
    ("codec", "bitrate_kbps", "sample_rate", "channels", "bit_depth", "duration_seconds")
)
#: Properties of a release rather than of the recording; taken only together with the album.
_OF_THE_RELEASE = frozenset(
    (
        *("album", "album_artist", "track_number", "disc_number", "date", "released", "label"),
        *("musicbrainz_album_id", "compilation", "replaygain_album_gain_db"),
        *("replaygain_track_gain_db", "replaygain_track_peak"),
    )
)
CLEAN = pa.schema([("path", pa.string()), ("track_id", pa.string()), *METADATA])


@dataclass(frozen=True, slots=True)
class _Name:
    """What a file calls its recording; doubtful: where another name is likely right."""

    text: str
    doubtful: bool


def clean_table(audit: Audit) -> pa.Table:
    """The columns of `CLEAN`, a row for each recording worth keeping, by id; paths are absolute.

    Files whose names are not UTF-8 have no text form and are left out.
    """
    out = {i for finding in audit.findings if finding.kind in _OUT for i in finding.track_ids}
    partial = {i for finding in audit.of("truncated") for i in finding.track_ids}
    names = _names(audit)
    groups: dict[str, list[Row]] = {}
    for track_id, row in audit.rows.items():
        if track_id not in out and row["path_bytes"] is None:
            recording = row.get("recording_id") or row["content_hash"] or track_id
            groups.setdefault(recording, []).append(row)
    kept = [_best([*group], partial, names) for group in groups.values()]
    kept.sort(key=lambda row: str(row["track_id"]))
    return pa.Table.from_pylist(kept, schema=CLEAN)


def write_clean(audit: Audit, path: Path) -> int:
    """Write the table as Parquet; returns its rows. Raises CatalogError where the disk refuses."""
    table = clean_table(audit)
    write_atomically(path, lambda to: pq.write_table(table, to, compression="zstd"))
    return int(table.num_rows)


def _names(audit: Audit) -> dict[str, _Name]:
    """The names of files whose recording has several."""
    return {
        track_id: _Name(name["name"], finding.values["likely"] not in (None, name["name"]))
        for finding in audit.of("names")
        for name in finding.values["names"]
        for track_id in name["track_ids"]
    }


def _best(copies: Sequence[Row], partial: set[str], names: Mapping[str, _Name]) -> dict[str, Any]:
    """The best copy of a recording, with its missing tags taken from the next best."""
    ranked = sorted(copies, key=lambda row: _rank(row, partial, names))
    own = next((names[row["track_id"]] for row in ranked if row["track_id"] in names), None)
    best = {name: ranked[0][name] for name in METADATA.names}
    for other in ranked[1:]:
        if names.get(other["track_id"], own) != own:
            continue
        for name in METADATA.names:
            if name not in _OF_THE_FILE | _OF_THE_RELEASE and best[name] in (None, []):
                best[name] = other[name]
    file = absolute(track_file(ranked[0]))
    return {"path": str(file), "track_id": ranked[0]["track_id"], **best}


def _rank(row: Row, partial: set[str], names: Mapping[str, _Name]) -> tuple[Any, ...]:
    """The sort key of copies, the best first."""
    codec = (row["codec"] or "").lower()
    return (
        row["track_id"] in partial,
        row["track_id"] in names and names[row["track_id"]].doubtful,
        not any(name in codec for name in _LOSSLESS),
        -(row["bitrate_kbps"] or 0.0),
        -(row["sample_rate"] or 0),
        -sum(row[name] not in (None, []) for name in METADATA.names),
        row["track_id"],
    )
