"""Fingerprint what a catalog holds: each recording once, only those that have none yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from musicu.features.fingerprint_codes import NAME
from musicu.features.fingerprinting import fingerprints_schema
from musicu.pipeline.loop import Progress
from musicu.pipeline.recordings import PassOptions, PassReport, hear_recordings
from musicu.pipeline.tasks import Pass

TABLE = f"fingerprints/{NAME}"


def fingerprint_catalog(
    catalog: str | Path,
    *,
    options: PassOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PassReport:
    """Fill the fingerprint table of a catalog folder: see `hear_recordings`."""
    what = Pass("fingerprint", NAME, TABLE, fingerprints_schema())
    return hear_recordings(catalog, what, options=options, progress=progress)
