"""Findings in the signal, from the columns that the fingerprint run stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from musicu.audit.findings import Finding

Row = Mapping[str, Any]

SILENT_DBFS = -60.0
#: The share of samples in flat tops from which a recording counts as clipped: 1 in 2000.
CLIPPED_SHARE = 5e-4
#: The side signal relative to the mid, or one channel to the other, that counts as silent.
SILENT_CHANNEL_DB = -70.0
PADDING_SECONDS = 5.0
LONG_SECONDS = 1200.0


def signal_findings(tracks: pa.Table, prints: Mapping[str, Row]) -> Iterator[Finding]:
    """Faults in the signal of tracks. prints: the fingerprint rows by content hash."""
    columns = ["track_id", "content_hash", "duration_seconds", "codec"]
    for track in tracks.select(columns).to_pylist():
        row = prints.get(track["content_hash"] or "")
        if row is not None:
            for kind, check in _CHECKS.items():
                fault = check(row, track)
                if fault:
                    yield Finding(kind, (track["track_id"],), *fault)


#: The sentence and the numbers of a finding; None where there is no fault.
Fault = tuple[str, dict[str, Any]] | None


def _truncated(row: Row, track: Row) -> Fault:
    if row["complete"] is not False:
        return None
    return f"ends early: {row['heard_seconds']:.1f} s can be decoded", {
        "heard_seconds": row["heard_seconds"]
    }


def _silent(row: Row, track: Row) -> Fault:
    level = row["level_dbfs"]
    if level is not None and level >= SILENT_DBFS:
        return None
    return "digital silence" if level is None else f"its mean level is {level:.0f} dBFS", {
        "level_dbfs": level
    }


def _clipped(row: Row, track: Row) -> Fault:
    share = row["clipped_share"]
    if share < CLIPPED_SHARE:
        return None
    return f"{100 * share:.2f} % of its samples lie in flat tops", {"clipped_share": share}


def _one_sided(row: Row, track: Row) -> Fault:
    if row["channel_db"] is None or row["channel_db"] > SILENT_CHANNEL_DB:
        return None
    return f"one channel is {-row['channel_db']:.0f} dB under the other", {
        "channel_db": row["channel_db"]
    }


def _mono_in_stereo(row: Row, track: Row) -> Fault:
    if row["side_db"] is None or row["side_db"] > SILENT_CHANNEL_DB or _silent(row, track):
        return None
    return "left and right are the same", {"side_db": row["side_db"]}


def _padded(row: Row, track: Row) -> Fault:
    start, end = row["silence_start_seconds"], row["silence_end_seconds"]
    if max(start, end) <= PADDING_SECONDS or _silent(row, track):
        return None
    places = [f"{s:.0f} s at its {where}" for s, where in ((start, "beginning"), (end, "end"))]
    padded = [p for p, s in zip(places, (start, end), strict=True) if s > PADDING_SECONDS]
    return f"silence of {' and '.join(padded)}", {
        "silence_start_seconds": start,
        "silence_end_seconds": end,
    }


def _length(row: Row, track: Row) -> Fault:
    stated, decoded = track["duration_seconds"], row["heard_seconds"]
    if stated is None or row["complete"] is False:
        return None
    if abs(stated - decoded) <= max(2.0, 0.02 * decoded):
        return None
    return f"its header says {stated:.1f} s, {decoded:.1f} s can be decoded", {
        "duration_seconds": stated,
        "heard_seconds": decoded,
    }


def _long(row: Row, track: Row) -> Fault:
    if row["heard_seconds"] <= LONG_SECONDS:
        return None
    return f"{row['heard_seconds'] / 60:.0f} minutes", {"heard_seconds": row["heard_seconds"]}


_CHECKS: dict[str, Callable[[Row, Row], Fault]] = {
    "truncated": _truncated,
    "silent": _silent,
    "clipped": _clipped,
    "one-sided": _one_sided,
    "mono-in-stereo": _mono_in_stereo,
    "padded": _padded,
    "length": _length,
    "long": _long,
}
