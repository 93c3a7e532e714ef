"""The descriptor set of musicu, as `musicu describe` and catalogs know it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.features.descriptor_sets import DescriptorSet
from musicu.features.descriptors import SET_NAME, descriptors_schema


class MusicuDescriptors(DescriptorSet):
    """The set as `musicu describe` and catalogs know it."""

    name = SET_NAME

    def schema(self) -> pa.Schema:
        """See `descriptors_schema`."""
        return descriptors_schema()

    def extract(self, path: Path) -> dict[str, Any]:
        """The descriptors of a file. Imported here: scipy.signal takes most of a start."""
        from musicu.features.describing import describe

        return describe(path).document()
