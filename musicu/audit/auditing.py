"""The audit of a catalog: fingerprint new recordings, then report what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.audit.earlier_fingerprints import drop_replaced
from musicu.audit.findings import KINDS, Finding
from musicu.audit.genre_checks import genre_findings
from musicu.audit.name_checks import name_findings
from musicu.audit.recording_groups import find_recordings, save_recordings
from musicu.audit.recording_matches import Match
from musicu.audit.signal_checks import signal_findings
from musicu.audit.tag_checks import code_findings, tag_findings
from musicu.catalog.catalog import Catalog
from musicu.catalog.files import write_atomically
from musicu.catalog.store import Store
from musicu.features.fingerprinting import FINGERPRINTS
from musicu.pipeline.describe import FillOptions, FillReport, describe_catalog
from musicu.progress import tell

FORMAT_VERSION = 1
_NOT_TRIED = ("extra", "scan")
#: Kinds of findings that say enough of a track: what its tags lack is not told besides.
_WITHOUT_TAGS = ("corrupt", "unread")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """The findings of an audit, in the order of `KINDS`, and the data behind them.

    fingerprinted: the report of the fingerprint run. rows: the tracks by id.
    """

    path: Path
    findings: tuple[Finding, ...]
    matches: tuple[Match, ...]
    fingerprinted: FillReport
    rows: Mapping[str, Row]

    def of(self, kind: str) -> list[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def counts(self) -> dict[str, int]:
        """The number of findings by kind; kinds without any are left out."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in KINDS if found[kind]}

    def to_json(self, path: str | Path | None = None) -> str:
        """The audit as JSON (format 1); also written to `path` where one is given."""
        document = {
            "format": FORMAT_VERSION,
            "catalog": str(self.path),
            "tracks": len(self.rows),
            "counts": self.counts(),
            "findings": [
                {
                    "kind": finding.kind,
                    "text": finding.text,
                    "values": dict(finding.values),
                    "tracks": [about(self.rows[i]) for i in finding.track_ids],
                }
                for finding in self.findings
            ],
        }
        text = json.dumps(document, indent=2, allow_nan=False)
        if path is not None:
            write_atomically(Path(path), lambda to: to.write_text(text + "\n", encoding="utf-8"))
        return text

    def to_html(self, path: str | Path) -> None:
        """Write one page that works offline; raises CatalogError where the disk refuses."""
        from musicu.audit.audit_page import write_audit

        write_audit(self, Path(path))

    def clean_table(self) -> pa.Table:
        """The tracks without certain faults: see `musicu.audit.clean`."""
        from musicu.audit.clean import clean_table

        return clean_table(self)


def about(row: Row) -> dict[str, Any]:
    """The columns that identify a track."""
    return {name: row[name] for name in ("track_id", "path", "title", "artists", "album")}


def audit(
    catalog: str | Path,
    *,
    model: str | None = None,
    options: FillOptions | None = None,
    today: date | None = None,
) -> Audit:
    """Fingerprint new recordings, group tracks into recordings and works, and report.

    The groups are stored in the catalog (`recording_id`, `work_id`), where shelves use them; audio
    files are never changed. model: whose vectors find neighbours. Default: the catalog's default
    model, if any.
    Raises CatalogError where the folder is no catalog or another process writes it.
    """
    name = FINGERPRINTS.name
    fingerprinted = describe_catalog(catalog, name, options=options)
    drop_replaced(Path(catalog))
    tell("reading fingerprints")
    opened = Catalog.open(catalog)
    recordings, matches = find_recordings(opened, model)
    save_recordings(opened, recordings)
    tell("reading tags")
    opened = Catalog.open(catalog)
    tracks = opened.tracks()
    rows = tracks.to_pylist()
    prints = Store.open(opened.path).read(
        FINGERPRINTS.table, without=("codes", "marks", "levels", "peaks")
    )
    by_hash = {row["content_hash"]: row for row in prints.to_pylist()} if prints else {}
    failed = list(_failures(opened, rows, by_hash))
    unread = {i for one in failed if one.kind in _WITHOUT_TAGS for i in one.track_ids}
    found = [
        *failed,
        *signal_findings(tracks, by_hash),
        *group_findings(rows, matches),
        *name_findings(rows),
        *tag_findings([r for r in rows if r["track_id"] not in unread], today or date.today()),
        *code_findings(rows),
        *(genre_findings(rows, opened.vectors(model)) if opened.models() else ()),
    ]
    rank = {kind: place for place, kind in enumerate(KINDS)}
    ordered = sorted(found, key=lambda finding: rank[finding.kind])
    by_id = {row["track_id"]: row for row in rows}
    return Audit(opened.path, tuple(ordered), tuple(matches), fingerprinted, by_id)


def _failures(
    catalog: Catalog, rows: Sequence[Row], prints: Mapping[str, Row]
) -> Iterator[Finding]:
    """Tracks that could not be read, or were read but not described, each once."""
    hashes = {row["track_id"]: row["content_hash"] for row in rows}
    reasons: dict[str, Row] = {}
    for row in catalog.failures().to_pylist():
        if row["track_id"] in hashes:
            reasons.setdefault(row["track_id"], row)
    for track_id, row in reasons.items():
        readable = row["stage"] == "describe" and hashes[track_id] in prints
        other = "undescribed" if readable else "corrupt"
        kind = "unread" if row["stage"] in _NOT_TRIED else other
        yield Finding(kind, (track_id,), row["reason"], {"stage": row["stage"]})


def group_findings(rows: Sequence[Row], matches: Sequence[Match] = ()) -> Iterator[Finding]:
    """Recordings in several files, pairs that may be one, and works in several recordings.

    matches: that the recordings rest on; they say how sure it is.
    """
    recordings: dict[str, list[str]] = {}
    works: dict[str, dict[str, str]] = {}
    for row in rows:
        recording = row.get("recording_id") or row["content_hash"]
        if recording is not None:
            recordings.setdefault(recording, []).append(row["track_id"])
            versions = works.setdefault(row.get("work_id") or recording, {})
            versions.setdefault(recording, row["track_id"])
    owner = {row["content_hash"]: row for row in rows if row["content_hash"] is not None}
    changes: dict[str, float] = {}
    for match in matches:
        first, second = owner.get(match.first), owner.get(match.second)
        if first and second and match.certain and match.change is not None:
            recording = first.get("recording_id") or match.first
            if recording == (second.get("recording_id") or match.second):
                changes[recording] = max(changes.get(recording, 0.0), match.change.share)
    for recording, ids in recordings.items():
        if len(ids) > 1:
            yield _duplicates(ids, changes.get(recording))
    for match in matches:
        if match.probable and match.first in owner and match.second in owner:
            yield _alike(match, owner)
    for versions in works.values():
        if len(versions) > 1:
            ids = list(versions.values())
            yield Finding("versions", tuple(ids), f"{len(ids)} versions of one work")


def _duplicates(ids: Sequence[str], change: float | None) -> Finding:
    """Files of one recording. change: the most that two of them differ; None: to the byte."""
    if change is None:
        text = f"{len(ids)} files hold one recording, the same audio to the byte"
    else:
        text = f"{len(ids)} files hold one recording: they sound the same {_blocks_alike(change)}"
    return Finding("duplicates", tuple(ids), text, {"changed_share": change or 0.0})


def _blocks_alike(change: float) -> str:
    """Where two spectra are the same. change: the share of blocks of 3 s in which they differ."""
    if change == 0:
        return "in every block of 3 s"
    share = f"{100 * change:.1f} %" if change >= 0.001 else "less than 0.1 %"
    return f"in all but {share} of the blocks of 3 s"


def _alike(match: Match, owner: Mapping[str, Row]) -> Finding:
    """Two recordings that may be one, and why that is not certain."""
    ids = tuple(owner[h]["track_id"] for h in (match.first, match.second))
    why = (
        "too little is known of their spectra: it is short, or no longer there to be heard"
        if match.change is None
        else f"they sound the same {_blocks_alike(match.change.share)}"
    )
    share = match.change.share if match.change else None
    values = {"changed_share": share, "bit_error": match.error}
    return Finding("alike", ids, f"probably one recording, not certainly: {why}", values)
