"""The descriptor sets of musicu, as `musicu describe` and catalogs know them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.features.descriptor_sets import DescriptorSet
from musicu.features.descriptors import NAMES_V1, SET_NAME, descriptors_schema


class MusicuDescriptors(DescriptorSet):
    """The set that `musicu describe` gives."""

    name = SET_NAME

    def schema(self) -> pa.Schema:
        """See `descriptors_schema`."""
        return descriptors_schema()

    def extract(self, path: Path) -> dict[str, Any]:
        """The descriptors of a file. Imported here: scipy.signal takes most of a start."""
        from musicu.features.describing import describe

        return describe(path).document()


class MusicuDescriptorsV1(DescriptorSet):
    """The first set, for catalogs that go on with it: all but the voice, the same numbers."""

    name = "musicu-descriptors-v1"

    def schema(self) -> pa.Schema:
        """See `descriptors_schema`."""
        return descriptors_schema(NAMES_V1)

    def extract(self, path: Path) -> dict[str, Any]:
        """The descriptors of a file."""
        from musicu.features.describing import describe

        document = describe(path, voice=False).document()
        return {name: document[name] for name in NAMES_V1}
