"""Describe what a catalog holds: each recording once, only those that have no descriptors yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from musicu.pipeline.loop import Progress
from musicu.pipeline.recordings import PassOptions, PassReport, hear_recordings
from musicu.pipeline.tasks import describing


def describe_catalog(
    catalog: str | Path,
    *,
    options: PassOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PassReport:
    """Fill the descriptor table of a catalog folder: see `hear_recordings`."""
    return hear_recordings(catalog, describing(), options=options, progress=progress)
