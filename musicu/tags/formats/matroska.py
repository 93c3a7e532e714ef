"""Matroska and WebM (RFC 9559): the frames of the first audio track.

Programs that write tags write the file anew, with other clusters, lacing and indexes. What stays is
what the frames hold, one after the other, whatever blocks they lie in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from musicu.tags.formats.extent import AudioExtent
from musicu.tags.formats.raw_tags import read_at

HEADER = b"\x1a\x45\xdf\xa3"  # EBML, RFC 8794

_SEGMENT, _TRACKS, _CLUSTER = 0x18538067, 0x1654AE6B, 0x1F43B675
_TRACK, _NUMBER, _KIND, _CODEC, _AUDIO = 0xAE, 0xD7, 0x83, 0x86, 0xE1
_RATE, _CHANNELS = 0xB5, 0x9F
_SIMPLE_BLOCK, _GROUP, _BLOCK = 0xA3, 0xA0, 0xA1
#: Elements of which the end is not known end where one of these begins.
_TOP = frozenset((_TRACKS, _CLUSTER, 0x114D9B74, 0x1549A966, 0x1C53BB6B, 0x1254C367, 0x1043A770))
_IS_AUDIO = 2
_DEEPEST_HEADER = 16


class Element(NamedTuple):
    """An element's id and the range of its contents, cut at the end of what holds it."""

    name: int
    start: int
    end: int


def elements(
    file: BinaryIO, start: int, end: int, within_cluster: bool = False
) -> Iterator[Element]:
    """The elements of a range; those of unknown size end with the range, or where the next does."""
    while start < end:
        head = read_at(file, start, _DEEPEST_HEADER)
        name, length = _number(head, 0, keep_mark=True)
        size, more = _number(head, length, keep_mark=False)
        if not length or not more or (within_cluster and name in _TOP):
            return
        start += length + more
        unknown = size == (1 << 7 * more) - 1
        stop = _end_of_cluster(file, start, end) if unknown and name == _CLUSTER else end
        yield Element(name, start, stop if unknown else min(start + size, end))
        start = stop if unknown else start + size


def _end_of_cluster(file: BinaryIO, start: int, end: int) -> int:
    """Where a cluster of unknown size ends."""
    last = start
    for element in elements(file, start, end, within_cluster=True):
        last = element.end
    return last


def _number(data: bytes, at: int, *, keep_mark: bool) -> tuple[int, int]:
    """A number of variable length, and how many bytes it takes; 0 where there is none."""
    if at >= len(data) or not data[at]:
        return 0, 0
    length = 9 - data[at].bit_length()
    if at + length > len(data):
        return 0, 0
    value = int.from_bytes(data[at : at + length], "big")
    return value if keep_mark else value & (1 << 7 * length) - 1, length


def audio_parts(file: BinaryIO, extent: AudioExtent) -> Iterator[bytes | tuple[int, int]]:
    """The codec and format of the first audio track, then where each of its blocks has frames."""
    track: int | None = None
    for segment in elements(file, 0, extent.end):
        for element in _inside(file, segment) if segment.name == _SEGMENT else ():
            if element.name == _TRACKS and track is None:
                tracks = (_audio_track(file, entry) for entry in _inside(file, element))
                track, form = next((found for found in tracks if found), (None, b""))
                yield form
            elif element.name == _CLUSTER and track is not None:
                yield from _frames(file, element, track)


def _inside(file: BinaryIO, element: Element) -> Iterator[Element]:
    return elements(file, element.start, element.end)


def _audio_track(file: BinaryIO, entry: Element) -> tuple[int, bytes] | None:
    """The number of an audio track and what its sound is; None for another.

    The codec's private data is left out, as that of Vorbis and FLAC holds tags.
    """
    values: dict[int, bytes] = {}
    for element in _inside(file, entry) if entry.name == _TRACK else ():
        for one in _inside(file, element) if element.name == _AUDIO else (element,):
            values[one.name] = read_at(file, one.start, min(one.end - one.start, 64))
    if int.from_bytes(values.get(_KIND, b""), "big") != _IS_AUDIO:
        return None
    codec = values.get(_CODEC, b"").rstrip(b"\0")
    rate, channels = values.get(_RATE, b""), int.from_bytes(values.get(_CHANNELS, b"\1"), "big")
    hertz = (
        struct.unpack(">d" if len(rate) == 8 else ">f", rate)[0] if len(rate) in (4, 8) else 8000
    )
    if codec == b"A_OPUS":  # always decoded at 48 kHz, whatever it was made of
        hertz = 48_000.0
    form = repr((codec, float(hertz), channels)).encode()
    return int.from_bytes(values.get(_NUMBER, b""), "big"), form


def _frames(file: BinaryIO, cluster: Element, track: int) -> Iterator[tuple[int, int]]:
    for element in elements(file, cluster.start, cluster.end, within_cluster=True):
        for block in _inside(file, element) if element.name == _GROUP else (element,):
            if block.name in (_SIMPLE_BLOCK, _BLOCK):
                head = read_at(file, block.start, min(block.end - block.start, 1024))
                number, length = _number(head, 0, keep_mark=False)
                if number == track and len(head) > length + 2:
                    begin = block.start + length + 3 + _lacing_bytes(head, length + 2)
                    yield min(begin, block.end), block.end


def _lacing_bytes(head: bytes, at: int) -> int:
    """How many bytes say where the frames of a block begin. at: of the flags."""
    lacing = head[at] >> 1 & 3
    if lacing == 0 or at + 1 >= len(head):
        return 0
    frames, place = head[at + 1], at + 2
    for _ in range(frames if lacing != 2 else 0):
        if lacing == 1:  # Xiph
            while place < len(head) and head[place] == 255:
                place += 1
            place += 1
        else:
            place += max(1, _number(head, place, keep_mark=False)[1])
    return place - at - 1
