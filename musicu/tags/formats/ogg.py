"""Ogg (RFC 3533): pages, packets, and the headers of Vorbis, Opus, FLAC and Speex."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from musicu.tags.formats.flac import parse_streaminfo, set_format
from musicu.tags.formats.raw_tags import RawTags, file_size, ignore_damage, read_at
from musicu.tags.formats.vorbis import read_comments

_TAIL = 1 << 17


_BEGINS, _ENDS = 2, 4  # bits of a page's header type


class Page(NamedTuple):
    """One page, where it lies in the file, and the pieces of packets in it.

    header: the first 27 bytes. lacing: the lengths of the segments; one below 255 ends a packet.
    body: empty where bodies are not read.
    """

    offset: int
    header: bytes
    lacing: bytes
    body: bytes

    @property
    def begins(self) -> bool:
        """Whether a logical stream begins here."""
        return bool(self.header[5] & _BEGINS)

    @property
    def ends(self) -> bool:
        """Whether the logical stream ends here."""
        return bool(self.header[5] & _ENDS)

    @property
    def granule(self) -> int:
        """Samples up to the end of the last packet that ends here; -1: none does."""
        return int.from_bytes(self.header[6:14], "little", signed=True)

    @property
    def serial(self) -> int:
        """The number of the logical stream."""
        return int.from_bytes(self.header[14:18], "little")

    @property
    def body_offset(self) -> int:
        """Where the body begins in the file."""
        return self.offset + 27 + len(self.lacing)

    @property
    def complete(self) -> bool:
        """Whether the page was read to its end."""
        return len(self.lacing) == self.header[26] and len(self.body) == sum(self.lacing)


def pages(file: BinaryIO, bodies: bool = True) -> Iterator[Page]:
    """The pages of a file, with or without their bodies.

    Bytes between pages are skipped; the last page may be cut short. Between two pages, the file
    stands at the end of the first.
    """
    file.seek(0)
    while len(header := file.read(27)) == 27:
        offset = file.tell() - 27
        if header[:4] != b"OggS":
            if not _seek_page(file, offset + 1):
                return
            continue
        lacing = file.read(header[26])
        end = file.tell() + sum(lacing)
        body = file.read(sum(lacing)) if bodies else b""
        file.seek(end)
        yield Page(offset, header, lacing, body)
        file.seek(end)


def _seek_page(file: BinaryIO, start: int) -> bool:
    """Go to the next page after damage."""
    file.seek(start)
    while block := file.read(1 << 16):
        place = block.find(b"OggS")
        if place >= 0:
            file.seek(place - len(block), 1)
            return True
        if len(block) > 3:
            file.seek(-3, 1)
        if len(block) < 1 << 16:
            return False
    return False


class _Packet(io.RawIOBase):
    """The second packet of a logical stream as a file, so that a picture in it can be skipped."""

    def __init__(self, file: BinaryIO, serial: int) -> None:
        self._file = file
        self._spans = _second_packet(file, serial)
        self.size = sum(size for _, size in self._spans)
        self._place = 0

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, across pages."""
        parts, start = [], 0
        for offset, length in self._spans:
            skip = self._place - start
            if size > 0 and 0 <= skip < length:
                parts.append(read_at(self._file, offset + skip, min(size, length - skip)))
                size -= len(parts[-1])
                self._place += len(parts[-1])
            start += length
        return b"".join(parts)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Seek from the start (whence 0) or from the current position (1)."""
        self._place = offset + (self._place if whence else 0)
        return self._place

    def tell(self) -> int:
        """The position in the packet."""
        return self._place


def _second_packet(file: BinaryIO, serial: int) -> list[tuple[int, int]]:
    """The (offset, size) of each piece of a stream's second packet."""
    spans: list[tuple[int, int]] = []
    ended = 0
    for page in pages(file, bodies=False):
        offset = file.tell() - sum(page.lacing)
        for length in page.lacing if page.serial == serial else b"":
            if ended == 1 and spans and sum(spans[-1]) == offset:
                spans[-1] = spans[-1][0], spans[-1][1] + length
            elif ended == 1:
                spans.append((offset, length))
            offset += length
            ended += length < 255
            if ended == 2:
                return spans
    return spans


def comment_packets(first: bytes) -> tuple[int, int]:
    """The number of header packets after the first, and which of them (from 1) has the comments.

    (-1, 1) for FLAC, whose headers continue up to a packet that begins with 0xFF.
    """
    if first.startswith(b"\x01vorbis"):
        return 2, 1
    if first.startswith((b"OpusHead", b"Speex   ")):
        return 1, 1
    return (-1, 1) if first.startswith(b"\x7fFLAC") else (0, 0)


_COMMENTS_AFTER = ((b"\x01vorbis", 7), (b"OpusHead", 8), (b"\x7fFLAC", 4))


def read_ogg(file: BinaryIO, raw: RawTags) -> None:
    """Fill in tags and properties of the first audio stream in an Ogg file."""
    serial, first = _audio_stream(file)
    comments = _Packet(file, serial)
    start = next((size for mark, size in _COMMENTS_AFTER if first.startswith(mark)), 0)
    read_comments(comments, start, comments.size, raw)
    skipped = 0
    with ignore_damage():
        skipped = _read_first(first, raw)
    rate = raw.sample_rate
    last = _last_granule(file, serial) - skipped
    if rate and last > 0 and not (first.startswith(b"\x7fFLAC") and raw.duration_seconds):
        raw.duration_seconds = last / rate
    if raw.duration_seconds:
        audio = file_size(file) - len(first) - comments.size
        raw.bitrate_kbps = audio * 8 / raw.duration_seconds / 1000


def _audio_stream(file: BinaryIO) -> tuple[int, bytes]:
    """The serial number and first packet of the first audio stream."""
    serial, first = -1, b""
    for page in pages(file):
        if not page.begins:
            break
        if serial < 0 or comment_packets(page.body)[0]:
            serial, first = page.serial, page.body
        if comment_packets(page.body)[0]:
            break
    return serial, first


def _read_first(packet: bytes, raw: RawTags) -> int:
    """The properties in an identification header; returns the samples to skip at the start."""
    if packet.startswith(b"\x01vorbis"):
        raw.codec = "vorbis"
        raw.channels, raw.sample_rate = struct.unpack_from("<BI", packet, 11)
    elif packet.startswith(b"OpusHead"):
        raw.codec = "opus"
        raw.channels, skip = struct.unpack_from("<BH", packet, 9)
        raw.sample_rate = 48_000
        return int(skip)
    elif packet.startswith(b"\x7fFLAC"):
        raw.codec = "flac"
        set_format(parse_streaminfo(packet[17:]), raw)
    elif packet.startswith(b"Speex   "):
        raw.codec = "speex"
        raw.sample_rate, _, _, raw.channels = struct.unpack_from("<IIII", packet, 36)
    return 0


def _last_granule(file: BinaryIO, serial: int) -> int:
    """Samples in the file: the last granule position, or the sum over chained streams."""
    tail = read_at(file, file_size(file) - _TAIL, _TAIL)
    place = tail.rfind(b"OggS")
    last = -1
    while place >= 0 and last < 0:
        if place + 18 <= len(tail):
            granule, found = struct.unpack_from("<qI", tail, place + 6)
            if found == serial and granule > 0:
                last = granule
        place = tail.rfind(b"OggS", 0, place)
    return last if last >= 0 else _walked_granules(file)


def _walked_granules(file: BinaryIO) -> int:
    """The sum of the last granule positions of all streams."""
    ends: dict[int, int] = {}
    for page in pages(file, bodies=False):
        if page.granule > 0:
            ends[page.serial] = page.granule
    return sum(ends.values())
