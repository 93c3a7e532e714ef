"""Describe what a catalog holds: each recording once, only those that have no descriptors yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from musicu.catalog.schema import DESCRIPTOR_SET
from musicu.pipeline.fill_table import FillOptions, FillReport, fill_table
from musicu.pipeline.loop import Progress
from musicu.pipeline.tasks import describe_stage


def describe_catalog(
    catalog: str | Path,
    descriptor_set: str = DESCRIPTOR_SET,
    *,
    options: FillOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> FillReport:
    """Fill the table of a descriptor set in a catalog folder: see `fill_table`.

    Raises RegistryError where no set of that name is registered.
    """
    stage = describe_stage(descriptor_set)
    return fill_table(catalog, stage, options=options, progress=progress)
