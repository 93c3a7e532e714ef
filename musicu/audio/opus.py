"""Ogg Opus with wrong granule positions, repaired on the way to the decoder."""

from __future__ import annotations

from itertools import accumulate
from typing import BinaryIO

from musicu.audio.ogg_repair import Repair, complete_pages, page_checksum
from musicu.audio.splice import Splice
from musicu.tags.formats.ogg import Page

_LONGEST_PACKET = 5760  # samples at 48 kHz, 120 ms
_NOTHING_ENDS = -1  # the granule position of a page on which no packet ends


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
    """Recomputes the granule positions of one Opus stream, page after page (RFC 7845, 4).

    A stream that was cut out of a longer one is shifted to begin at 0: otherwise libsndfile returns
    the pre-skip, which the decoder needs to converge, as audio.
    """

    def __init__(self) -> None:
        self._headers_left = 2  # OpusHead and OpusTags
        self._position: int | None = None  # samples at the end of the page before
        self._late = 0  # where a cut stream begins, in the granule positions of its pages
        self._open = b""  # the first bytes of a packet that continues on the next page
        self._is_open = False

    def granule(self, page: Page) -> int:
        """The granule position that the page should have."""
        packets = self._packets_ended(page)
        headers = min(self._headers_left, len(packets))
        self._headers_left -= headers
        if headers or self._headers_left:
            return page.granule
        if not packets:
            return _NOTHING_ENDS
        length = sum(opus_packet_samples(packet) for packet in packets)
        if self._position is None:
            late = 0 if page.ends else page.granule - length
            self._late = late if late >= _LONGEST_PACKET else 0
            self._position = 0
        begin, end = self._position, self._position + length
        self._position = end
        stated = page.granule - self._late
        return stated if page.ends and begin < stated < end else end  # end padding is dropped

    def _packets_ended(self, page: Page) -> list[bytes]:
        """The first two bytes of every packet that ends on the page."""
        ended: list[bytes] = []
        for start, step in zip(accumulate(page.lacing, initial=0), page.lacing, strict=False):
            if not self._is_open or len(self._open) < 2:
                self._open += page.body[start : start + min(step, 2 - len(self._open))]
            self._is_open = step == 255
            if not self._is_open:
                ended.append(self._open)
                self._open = b""
        return ended


def repair_opus(file: BinaryIO, size: int) -> Repair:
    """Find pages of Ogg Opus whose granule position disagrees with their packets.

    libsndfile stops at such a page ("malformed"); FFmpeg writes them when it transcodes Ogg
    Vorbis. Positions and checksums are recomputed and the layout stays: 12 bytes per wrong page
    differ. Of chained streams only the first is read, and `whole` is False.
    """
    clock, spliced, done = _OpusClock(), Splice(file), 0
    serial, whole, wrong = None, False, False
    for page in complete_pages(file):
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
    """The splice with the rest of the file after its last change."""
    spliced.add_file(done, size - done)
    return spliced


def _stamped(page: Page, granule: int) -> bytes:
    """Bytes 6 to 26 of the page's header with a new granule position and checksum."""
    stamp = granule.to_bytes(8, "little", signed=True) + page.header[14:22]
    blank = page.header[:6] + stamp + bytes(4) + page.header[26:] + page.lacing + page.body
    return stamp + page_checksum(blank).to_bytes(4, "little")
