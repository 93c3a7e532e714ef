"""Ogg pages: what libsndfile cannot do with Opus and FLAC inside them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO, NamedTuple

from musicu.audio.splice import Splice

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_MAX_PAGE = 27 + 255 + 255 * 255
_BEGIN, _END = 2, 4  # bits of a page's header type
_NOTHING_ENDS = -1  # the granule position of a page on which no packet ends


class Page(NamedTuple):
    """One Ogg page (RFC 3533, section 6); `data` is the whole page."""

    offset: int
    data: bytes
    lacing: bytes

    @property
    def begins(self) -> bool:
        """Whether a logical stream begins here."""
        return bool(self.data[5] & _BEGIN)

    @property
    def ends(self) -> bool:
        """Whether its logical stream ends here."""
        return bool(self.data[5] & _END)

    @property
    def granule(self) -> int:
        """The position at the end of the last packet that ends here."""
        return int.from_bytes(self.data[6:14], "little", signed=True)

    @property
    def serial(self) -> bytes:
        """The logical stream's number."""
        return self.data[14:18]

    @property
    def body_at(self) -> int:
        """Where the packets begin within `data`."""
        return 27 + len(self.lacing)


@dataclass(frozen=True, slots=True)
class Repair:
    """What a walk over an Ogg file found.

    file: the repaired view, or None where the file is right as it is.
    whole: whether the file is one stream that runs to its marked end.
    """

    file: Splice | None
    whole: bool


def page_checksum(page: bytes) -> int:
    """The CRC-32 of a page whose checksum field is zero (RFC 3533: 0x04c11db7, not reflected).

    It is zlib's polynomial, which runs over reflected bits: with the bits of every byte and of
    the register turned round, and zlib's inversions undone, zlib computes it at C speed.
    """
    # crc32 starts from value ^ 0xffffffff and returns its register ^ 0xffffffff.
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")


def read_pages(file: BinaryIO) -> Iterator[Page]:
    """The complete pages of a file, from its beginning; junk between them is passed over."""
    offset = 0
    while (offset := _find_capture(file, offset)) >= 0:
        file.seek(offset)
        header = file.read(27)
        lacing = file.read(header[26]) if len(header) == 27 else b""
        body = file.read(sum(lacing))
        if len(header) < 27 or len(lacing) < header[26] or len(body) < sum(lacing):
            return
        yield Page(offset, header + lacing + body, lacing)
        offset += len(header) + len(lacing) + len(body)


def _find_capture(file: BinaryIO, offset: int) -> int:
    """Where the next page begins at or after `offset`; -1 at the end."""
    while True:
        file.seek(offset)
        block = file.read(_MAX_PAGE)
        found = block.find(b"OggS")
        if found >= 0:
            return offset + found
        if len(block) < _MAX_PAGE:
            return -1
        offset += len(block) - 3


def ends_marked(file: BinaryIO, size: int) -> bool:
    """Whether the last page is complete and marked as its stream's end; reads only the tail."""
    start = max(0, size - _MAX_PAGE)
    file.seek(start)
    tail = file.read(_MAX_PAGE)
    at = tail.rfind(b"OggS")
    header = tail[at : at + 27]
    if at < 0 or len(header) < 27:
        return False
    lacing = tail[at + 27 : at + 27 + header[26]]
    return bool(header[5] & _END) and at + 27 + len(lacing) + sum(lacing) <= len(tail)


def opus_packet_samples(packet: bytes) -> int:
    """The length of an Opus packet in samples at 48 kHz, from its first two bytes (RFC 6716, 3.1).

    0 where the packet is empty or cut short.
    """
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:  # SILK: 10, 20, 40, 60 ms
        frame = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:  # hybrid: 10, 20 ms
        frame = (480, 960)[config & 1]
    else:  # CELT: 2.5, 5, 10, 20 ms
        frame = 120 << (config & 3)
    if code == 3:
        return frame * (packet[1] & 63) if len(packet) > 1 else 0
    return frame * (1, 2, 2)[code]


class _OpusClock:
    """Recomputes the granule positions of one Opus stream, page after page (RFC 7845, 4)."""

    def __init__(self) -> None:
        self._headers_left = 2  # OpusHead and OpusTags
        self._position: int | None = None  # samples at the end of the page before
        self._open = b""  # the first bytes of a packet that goes on on the next page
        self._is_open = False

    def granule(self, page: Page) -> int:
        """What the page's granule position should be."""
        packets = self._packets_ended(page)
        headers = min(self._headers_left, len(packets))
        self._headers_left -= headers
        if headers or self._headers_left:
            return page.granule
        if not packets:
            return _NOTHING_ENDS
        length = sum(opus_packet_samples(packet) for packet in packets)
        if self._position is None:  # a cut stream may begin later than at 0
            late = 0 if page.ends else page.granule - length
            self._position = max(0, late)
        begin, end = self._position, self._position + length
        self._position = end
        trimmed = page.ends and begin < page.granule < end  # the padding of the last packet
        return page.granule if trimmed else end

    def _packets_ended(self, page: Page) -> list[bytes]:
        """The first two bytes of every packet that ends on the page."""
        ended: list[bytes] = []
        at = page.body_at
        for start, step in zip(accumulate(page.lacing, initial=at), page.lacing, strict=False):
            if not self._is_open or len(self._open) < 2:
                self._open += page.data[start : start + min(step, 2 - len(self._open))]
            self._is_open = step == 255
            if not self._is_open:
                ended.append(self._open)
                self._open = b""
        return ended


def repair_opus(file: BinaryIO, size: int) -> Repair:
    """Find pages of Ogg Opus whose granule position disagrees with their packets.

    libsndfile gives up on such a page ("malformed"); FFmpeg writes them where it transcodes
    Ogg Vorbis. Positions and checksums are recomputed; the layout stays, so that 12 bytes a
    wrong page differ. Of chained streams only the first is heard, and `whole` is False.
    """
    clock, spliced, done = _OpusClock(), Splice(file), 0
    serial, whole, wrong = None, False, False
    for page in read_pages(file):
        serial = page.serial if serial is None else serial
        if page.serial != serial:
            return Repair(_closed(spliced, done, page.offset), False)
        granule = clock.granule(page)
        whole = page.ends
        if granule != page.granule:
            wrong = True
            spliced.add_file(done, page.offset + 6 - done)
            spliced.add_bytes(_stamped(page, granule))
            done = page.offset + 26
    return Repair(_closed(spliced, done, size) if wrong else None, whole)


def _closed(spliced: Splice, done: int, size: int) -> Splice:
    """The splice with the rest of the file behind its last change."""
    spliced.add_file(done, size - done)
    return spliced


def _stamped(page: Page, granule: int) -> bytes:
    """Bytes 6 to 26 of the page's header with a new granule position and checksum."""
    stamp = granule.to_bytes(8, "little", signed=True) + page.data[14:22]
    blank = page.data[:6] + stamp + bytes(4) + page.data[26:]
    return stamp + page_checksum(blank).to_bytes(4, "little")


def unwrap_flac(file: BinaryIO) -> Repair:
    """The native FLAC stream inside Ogg FLAC, which libsndfile's wheels cannot open.

    The mapping (xiph.org, "Ogg FLAC mapping" 1.0) puts 9 bytes before "fLaC" and then native
    blocks and frames, one a packet: the page bodies end to end are a FLAC file.
    """
    spliced, serial, whole, total = Splice(file), None, False, 0
    for page in read_pages(file):
        if serial is None:
            serial, info = page.serial, page.data[page.body_at + 9 :]
            spliced.add_bytes(info)
        elif page.serial != serial:
            return Repair(spliced, False)
        else:
            spliced.add_file(page.offset + page.body_at, len(page.data) - page.body_at)
            total, whole = max(total, page.granule), page.ends
    if serial is not None and len(info) >= 26:
        spliced.overwrite(18, _with_length(info, total))
    return Repair(spliced, whole)


def _with_length(info: bytes, total: int) -> bytes:
    """Bytes 18 to 26 of a FLAC file with its length, which streamed files lack, filled in.

    They are 28 bits of rate, channels and depth and 36 bits of length in samples.
    """
    fields = int.from_bytes(info[18:26], "big")
    length = fields & (1 << 36) - 1 or min(total, (1 << 36) - 1)
    return (fields >> 36 << 36 | length).to_bytes(8, "big")
