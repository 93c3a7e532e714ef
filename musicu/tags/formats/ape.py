"""APEv2 tags, at the end of MP3, Monkey's Audio, WavPack and Musepack files."""

from __future__ import annotations

from typing import BinaryIO

from musicu.tags.formats.raw_tags import RawTags, ignore_damage, read_at

_MOST_TEXT = 1 << 16
_FIELDS = {"year": "date", "track": "tracknumber", "disc": "discnumber", "publisher": "label"}


def read_ape(file: BinaryIO, offset: int, size: int, raw: RawTags) -> None:
    """Add the text items of a tag whose items take `size` bytes; pictures are skipped."""
    end = offset + size
    with ignore_damage():
        while offset + 9 < end:
            header = read_at(file, offset, 8 + 256)
            length = int.from_bytes(header[:4], "little")
            flags = int.from_bytes(header[4:8], "little")
            name = header[8 : header.index(b"\0", 8)].decode("latin-1").lower()
            offset += 8 + len(name) + 1
            if flags & 6 == 0 and length <= _MOST_TEXT:
                text = read_at(file, offset, min(length, end - offset)).decode("utf-8", "replace")
                raw.add(_FIELDS.get(name, name), *text.split("\0"))
            offset += length
