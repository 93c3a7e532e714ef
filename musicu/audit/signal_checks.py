"""Findings in the sound itself, from the columns that the fingerprint pass keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from musicu.audit.findings import Finding

Row = Mapping[str, Any]

SILENT_DBFS = -60.0
#: The share of samples in flat tops from which a recording counts as clipped: 1 in 2000.
CLIPPED_SHARE = 5e-4
#: Side under middle, and one channel under the other, by so much: nothing is there.
NOTHING_DB = -70.0
PADDING_SECONDS = 5.0
LONG_SECONDS = 1200.0


def signal_findings(tracks: pa.Table, heard: Mapping[str, Row]) -> Iterator[Finding]:
    """What is wrong with the sound of tracks; `heard` has the fingerprint's row by content hash."""
    columns = ["track_id", "content_hash", "duration_seconds", "codec"]
    for track in tracks.select(columns).to_pylist():
        row = heard.get(track["content_hash"] or "")
        if row is not None:
            for kind, check in _CHECKS.items():
                said = check(row, track)
                if said:
                    yield Finding(kind, (track["track_id"],), said[0], said[1])


Said = tuple[str, dict[str, Any]] | None


def _truncated(row: Row, track: Row) -> Said:
    if row["complete"] is not False:
        return None
    return f"ends early: {row['heard_seconds']:.1f} s can be heard", {
        "heard_seconds": row["heard_seconds"]
    }


def _silent(row: Row, track: Row) -> Said:
    level = row["level_dbfs"]
    if level is not None and level >= SILENT_DBFS:
        return None
    return "nothing sounds" if level is None else f"its mean level is {level:.0f} dBFS", {
        "level_dbfs": level
    }


def _clipped(row: Row, track: Row) -> Said:
    share = row["clipped_share"]
    if share < CLIPPED_SHARE:
        return None
    return f"{100 * share:.2f} % of its samples lie in flat tops", {"clipped_share": share}


def _one_sided(row: Row, track: Row) -> Said:
    if row["channel_db"] is None or row["channel_db"] > NOTHING_DB:
        return None
    return f"one channel is {-row['channel_db']:.0f} dB under the other", {
        "channel_db": row["channel_db"]
    }


def _mono_in_stereo(row: Row, track: Row) -> Said:
    if row["side_db"] is None or row["side_db"] > NOTHING_DB or _silent(row, track):
        return None
    return "left and right are the same", {"side_db": row["side_db"]}


def _padded(row: Row, track: Row) -> Said:
    start, end = row["silence_start_seconds"], row["silence_end_seconds"]
    if max(start, end) <= PADDING_SECONDS or _silent(row, track):
        return None
    places = [f"{s:.0f} s at its {where}" for s, where in ((start, "beginning"), (end, "end"))]
    told = [p for p, s in zip(places, (start, end), strict=True) if s > PADDING_SECONDS]
    return f"silence of {' and '.join(told)}", {
        "silence_start_seconds": start,
        "silence_end_seconds": end,
    }


def _length(row: Row, track: Row) -> Said:
    said, heard = track["duration_seconds"], row["heard_seconds"]
    if said is None or row["complete"] is False or abs(said - heard) <= max(2.0, 0.02 * heard):
        return None
    return f"its header says {said:.1f} s, {heard:.1f} s can be heard", {
        "duration_seconds": said,
        "heard_seconds": heard,
    }


def _long(row: Row, track: Row) -> Said:
    if row["heard_seconds"] <= LONG_SECONDS:
        return None
    return f"{row['heard_seconds'] / 60:.0f} minutes", {"heard_seconds": row["heard_seconds"]}


_CHECKS: dict[str, Callable[[Row, Row], Said]] = {
    "truncated": _truncated,
    "silent": _silent,
    "clipped": _clipped,
    "one-sided": _one_sided,
    "mono-in-stereo": _mono_in_stereo,
    "padded": _padded,
    "length": _length,
    "long": _long,
}
