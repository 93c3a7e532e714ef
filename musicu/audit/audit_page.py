"""An audit as one page: what was found, by kind, with the files to listen to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicu.audit.findings import KINDS, Finding
from musicu.catalog.locations import absolute, file_url
from musicu.catalog.rows import track_file
from musicu.catalog.words import clock, one_line
from musicu.pages.document import render, write_page

if TYPE_CHECKING:
    from musicu.audit.auditing import Audit

#: Findings of one kind that stand on the page; the rest are counted.
_SHOWN = 500
#: What one wants to hear; the others say enough in words.
_HEARD = frozenset(
    ("duplicates", "names", "alike", "versions", "clipped", "genres", "codes", "long")
)


@dataclass(frozen=True, slots=True)
class AuditTrack:
    """A track in the words and addresses of the page."""

    title: str
    artist: str
    about: str
    path: str
    source: str | None


def write_audit(audit: Audit, path: Path) -> None:
    """Write the page; it works offline and names files as seen from its folder."""
    folder = absolute(path).parent
    kinds = [
        {
            "name": kind,
            "about": KINDS[kind],
            "count": count,
            "left_out": max(0, count - _SHOWN),
            "findings": [
                {"text": one_line(f.text), "tracks": _tracks(f, audit.rows, folder)}
                for f in audit.of(kind)[:_SHOWN]
            ],
        }
        for kind, count in audit.counts().items()
    ]
    text = render("audit", catalog=audit.path.name, tracks=len(audit.rows), kinds=kinds)
    write_page(path, "audit", text)


def _tracks(finding: Finding, rows: Mapping[str, Any], folder: Path) -> list[AuditTrack]:
    return [_track(rows[i], folder, finding.kind in _HEARD) for i in finding.track_ids]


def _track(row: Mapping[str, Any], folder: Path, heard: bool) -> AuditTrack:
    known = row["root"] is not None and row["path"]
    names = ", ".join(name for name in row["artists"] or () if name) or row["album_artist"]
    facts = [row["album"], row["codec"], clock(row["duration_seconds"])]
    if row["bitrate_kbps"]:
        facts.append(f"{row['bitrate_kbps']:.0f} kbit/s")
    return AuditTrack(
        title=one_line(row["title"] or Path(row["path"] or row["track_id"]).name),
        artist=one_line(names or ""),
        about=one_line(" · ".join(str(fact) for fact in facts if fact)),
        path=one_line(row["path"] or ""),
        source=file_url(absolute(track_file(row)), folder) if heard and known else None,
    )
