"""Tags before and after the audio: ID3v2 in front; ID3v1, APEv2, Lyrics3 and ID3v2 at the end.

MP3 has them by design; FLAC, AAC, WavPack, Musepack and others sometimes have them too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from musicu.tags.formats.raw_tags import file_size, read_at

_LYRICS3_V1_BYTES = 5100 + 11 + 9
_MOST_TAGS = 64  # a file with more is malicious


@dataclass(slots=True)
class AudioExtent:
    """Where the audio begins and ends, and the (offset, size) of each tag around it."""

    start: int
    end: int
    id3v2: list[tuple[int, int]] = field(default_factory=list)
    id3v1: int | None = None
    ape: list[tuple[int, int]] = field(default_factory=list)


def find_extent(file: BinaryIO) -> AudioExtent:
    """The extent of the audio between the tags of a file."""
    extent = AudioExtent(0, file_size(file))
    while len(extent.id3v2) < _MOST_TAGS and (size := id3v2_bytes(read_at(file, extent.start, 10))):
        extent.id3v2.append((extent.start, size))
        extent.start = min(extent.start + size, extent.end)
    while size := _last_tag(file, extent):
        extent.end -= size
    return extent


def id3v2_bytes(header: bytes) -> int:
    """The length of the ID3v2 tag with this 10-byte header; 0 where it is none."""
    if len(header) < 10 or header[:3] != b"ID3" or header[3] in (0, 255) or max(header[6:10]) > 127:
        return 0
    footer = 10 if header[5] & 0x10 else 0
    return 10 + synchsafe(header[6:10]) + footer


def synchsafe(data: bytes) -> int:
    """An integer of 7 bits a byte (ID3v2.4, section 6.2)."""
    value = 0
    for byte in data:
        value = value << 7 | byte & 127
    return value


def _last_tag(file: BinaryIO, extent: AudioExtent) -> int:
    """The length of the tag that ends at `extent.end`; 0 where there is none."""
    end, room = extent.end, extent.end - extent.start
    tail = read_at(file, max(end - 128, extent.start), min(128, room))
    size = 0
    if len(tail) == 128 and tail[:3] == b"TAG":
        extent.id3v1 = extent.id3v1 or end - 128
        size = 128
        if read_at(file, end - 355, 4) == b"TAG+":
            size += 227
    elif tail[-32:-24] == b"APETAGEX":
        items = int.from_bytes(tail[-20:-16], "little")
        size = items + (32 if tail[-9] & 0x80 else 0)
        if 32 <= items <= room:
            extent.ape.append((end - items, items - 32))
    elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        size = int(tail[-15:-9]) + 15
    elif tail[-9:] == b"LYRICSEND":
        before = read_at(file, max(end - _LYRICS3_V1_BYTES, extent.start), _LYRICS3_V1_BYTES)
        begin = before[: end - extent.start].rfind(b"LYRICSBEGIN")
        size = min(len(before), room) - begin if begin >= 0 else 0
    elif tail[-10:-7] == b"3DI" and len(tail) >= 10:
        size = id3v2_bytes(b"ID3" + tail[-7:])
        if 0 < size <= room:
            extent.id3v2.append((end - size, size))
    return size if size <= room else 0
