"""FLAC (RFC 9639): metadata blocks in front of the frames."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from musicu.tags.formats.extent import AudioExtent
from musicu.tags.formats.raw_tags import RawTags, read_at
from musicu.tags.formats.vorbis import read_comments


class StreamInfo(NamedTuple):
    """The contents of STREAMINFO; samples: 0 where unknown."""

    sample_rate: int
    channels: int
    bits: int
    samples: int


def parse_streaminfo(body: bytes) -> StreamInfo | None:
    """The audio format in a STREAMINFO block; None where the block is truncated."""
    if len(body) < 18:
        return None
    word = int.from_bytes(body[10:18], "big")
    return StreamInfo(word >> 44, (word >> 41 & 7) + 1, (word >> 36 & 31) + 1, word & (1 << 36) - 1)


def blocks(file: BinaryIO, start: int, end: int) -> list[tuple[int, int, int]]:
    """(kind, offset, size) of each metadata block of the stream at `start`."""
    found = []
    offset, last = start + 4, False
    while not last and len(header := read_at(file, offset, 4)) == 4 and offset < end:
        last, size = bool(header[0] & 0x80), int.from_bytes(header[1:], "big")
        found.append((header[0] & 0x7F, offset + 4, size))
        offset += 4 + size
    return found


def read_flac(file: BinaryIO, extent: AudioExtent, raw: RawTags) -> None:
    """Fill in tags and properties of a FLAC file."""
    frames = extent.start
    for kind, offset, size in blocks(file, extent.start, extent.end):
        frames = offset + size
        if kind == 0:
            set_format(parse_streaminfo(read_at(file, offset, size)), raw)
        elif kind == 4:
            read_comments(file, offset, frames, raw)
    raw.codec = "flac"
    if raw.duration_seconds:
        raw.bitrate_kbps = max(extent.end - frames, 0) * 8 / raw.duration_seconds / 1000


def set_format(form: StreamInfo | None, raw: RawTags) -> None:
    """Fill in the properties from STREAMINFO."""
    if form is None or not form.sample_rate:
        return
    raw.sample_rate, raw.channels, raw.bit_depth = form.sample_rate, form.channels, form.bits
    if form.samples:
        raw.duration_seconds = form.samples / form.sample_rate
