"""What commands say of a catalog's default model when they add or change one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from musicu.catalog.catalog import Catalog
from musicu.catalog.manifest import NAME
from musicu.cli.output import note


@contextmanager
def telling_default(folder: Path) -> Iterator[None]:
    """Say afterwards which model is the default, where one was added or the default changed."""
    before = Catalog.open(folder) if (folder / NAME).is_file() else None
    yield
    if before is None or before.default_model is None:
        return  # the first model is the default, as one expects
    after, was = Catalog.open(folder), before.default_model
    default = after.default_model
    if default != was:
        note(f"default model: {default}; `musicu models {folder} --default {was}` goes back")
        return
    for name in after.models():
        if name not in before.models():
            note(
                f"default model: still {default}; `musicu models {folder} --default {name}` "
                f"makes it {name}"
            )
