"""Describe what a catalog holds: each recording once, only those that have no descriptors yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from musicu.features.descriptors import SET_NAME, descriptors_schema
from musicu.pipeline.recordings import Pass, PassOptions, PassReport, hear_recordings
from musicu.pipeline.run import Progress


def describe_catalog(
    catalog: str | Path,
    *,
    options: PassOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PassReport:
    """Fill the descriptor table of a catalog folder: see `hear_recordings`."""
    what = Pass("describe", SET_NAME, f"descriptors/{SET_NAME}", descriptors_schema())
    return hear_recordings(catalog, what, options=options, progress=progress)
