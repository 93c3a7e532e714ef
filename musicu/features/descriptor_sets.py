"""The role of a descriptor set, and the registry of sets.

A set is columns that say something of a recording, extracted from its file. A catalog keeps a row
of it for each recording, in a table of the set's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.catalog.schema import DESCRIPTOR_SET, LONG
from musicu.errors import MusicuError, RegistryError
from musicu.registry import Registry

__all__ = ["DESCRIPTOR_SETS", "LONG", "DescriptorSet", "extract_row", "load_descriptor_set"]


class DescriptorSet(ABC):
    """A set of descriptors; made without arguments.

    An implementation is a class, registered as an entry point of `musicu.descriptor_sets` under
    the set's name.

    name: with its version: a changed number is a new set. folder: of a catalog, where the set's
    table lies. stage: under which files that it cannot be extracted from are listed as failed.
    """

    name: str
    folder = "descriptors"
    stage = "describe"

    @property
    def table(self) -> str:
        """The set's table in a catalog."""
        return f"{self.folder}/{self.name}"

    @abstractmethod
    def schema(self) -> pa.Schema:
        """The columns: `content_hash`, not null, then the set's own.

        The metadata of a column says its `unit`, and best also `definition` and `range`; `LONG`
        among it keeps a column of long lists from standing beside the tracks.
        """

    @abstractmethod
    def extract(self, path: Path) -> Mapping[str, Any]:
        """A value for each of the set's own columns; None where it is unknown, never NaN.

        Equal sound gives equal values. Raises AudioError where the file cannot be read.
        """


DESCRIPTOR_SETS: Registry[type[DescriptorSet]] = Registry(
    "descriptor set",
    "musicu.descriptor_sets",
    {
        DESCRIPTOR_SET: "musicu.features.musicu_descriptors:MusicuDescriptors",
        "musicu-descriptors-v1": "musicu.features.musicu_descriptors:MusicuDescriptorsV1",
        "musicu-fingerprint-v2": "musicu.features.fingerprinting:MusicuFingerprint",
        "musicu-statistics-v1": "musicu.features.statistics_set:MusicuStatistics",
    },
)


def load_descriptor_set(name: str) -> DescriptorSet:
    """The set of that name; raises RegistryError where it is unknown or of no use."""
    found: DescriptorSet = DESCRIPTOR_SETS.make(name)
    if found.name != name or found.schema().names[:1] != ["content_hash"]:
        raise RegistryError(
            f"the descriptor set registered as {name!r} calls itself {found.name!r} and has the "
            f"columns {', '.join(found.schema().names)}: the names must be equal, and "
            "content_hash the first column"
        )
    return found


def extract_row(described: DescriptorSet, path: Path) -> dict[str, Any]:
    """A file's row, without its hash.

    Raises the MusicuErrors that `extract` raises, and RegistryError where its values do not fit the
    set's schema, or another package's code raises anything else.
    """
    schema = described.schema().remove(0)
    try:
        row = dict(described.extract(path))
    except (MusicuError, MemoryError):
        raise
    except Exception as error:  # another's code may raise anything
        raise RegistryError(f"{described.name} failed: {type(error).__name__}: {error}") from error
    if row.keys() != set(schema.names):
        raise RegistryError(
            f"{described.name} gave values of {', '.join(row)}, and its columns are "
            f"{', '.join(schema.names)}"
        )
    try:
        pa.Table.from_pylist([row], schema=schema)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise RegistryError(f"{described.name} gave a value of a wrong type: {error}") from error
    return row
