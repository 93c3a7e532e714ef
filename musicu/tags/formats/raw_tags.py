"""Tags and audio properties as read from a file, before they become columns."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO


@dataclass(slots=True)
class RawTags:
    """Fields by plain name ("albumartist"), each with its values, and the audio properties.

    duration_seconds, bitrate_kbps: from headers, without decoding.
    bit_depth: of lossless formats; None for lossy ones.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    codec: str | None = None
    bitrate_kbps: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    bit_depth: int | None = None
    duration_seconds: float | None = None

    def add(self, name: str, *values: str) -> None:
        """Add values to a field; its name is compared without case and punctuation."""
        kept = self.fields.setdefault(plain(name), [])
        kept.extend(value for value in values if value and value not in kept)

    def fill_from(self, other: RawTags) -> None:
        """Add the fields of a less trusted tag of the same file that are missing here."""
        for name, values in other.fields.items():
            self.fields.setdefault(name, values)


def plain(name: str) -> str:
    """A field name without case and punctuation: "MusicBrainz Album Id" → "musicbrainzalbumid"."""
    return re.sub(r"[^0-9a-z]", "", name.lower())


@contextmanager
def ignore_damage() -> Iterator[None]:
    """Leave a block whose bytes break its format, keeping the values read before."""
    try:
        yield
    except (struct.error, IndexError, ValueError, OverflowError, EOFError):
        return


def read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    """Up to `size` bytes at `offset`."""
    file.seek(max(offset, 0))
    return file.read(max(size, 0))


def file_size(file: BinaryIO) -> int:
    """The length of a file in bytes."""
    return file.seek(0, 2)
