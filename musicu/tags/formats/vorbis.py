"""Vorbis comments, the tags of FLAC and Ogg formats."""

from __future__ import annotations

import struct
from io import RawIOBase
from typing import BinaryIO

from musicu.tags.formats.raw_tags import RawTags, ignore_damage

_MOST_TEXT = 1 << 16


def read_comments(file: BinaryIO | RawIOBase, offset: int, end: int, raw: RawTags) -> None:
    """Add the comments between two offsets of a file; long ones (pictures) are skipped."""
    with ignore_damage():
        file.seek(offset)
        (vendor,) = struct.unpack("<I", file.read(4))
        file.seek(vendor, 1)
        (count,) = struct.unpack("<I", file.read(4))
        for _ in range(count):
            (size,) = struct.unpack("<I", file.read(4))
            if size == 0 or file.tell() + size > end:
                return
            text = file.read(min(size, _MOST_TEXT))
            file.seek(size - len(text), 1)
            name, _, value = text.decode("utf-8", "replace").partition("=")
            if size <= _MOST_TEXT:
                raw.add(name, *value.split("\0"))
