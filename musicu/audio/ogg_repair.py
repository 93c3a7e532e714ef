"""Ogg files repaired for libsndfile: checksums, marked ends, and FLAC inside Ogg pages."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import BinaryIO

from musicu.audio.splice import Splice
from musicu.tags.formats.ogg import Page, pages

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_MAX_PAGE = 27 + 255 + 255 * 255
_END = 4  # the bit of a page's header type that ends its stream


@dataclass(frozen=True, slots=True)
class Repair:
    """The result of checking an Ogg file.

    file: the repaired view; None where the file needs no repair.
    whole: whether the file is one stream up to its marked end.
    """

    file: Splice | None
    whole: bool


def page_checksum(page: bytes) -> int:
    """The CRC-32 of a page whose checksum field is zero (RFC 3533: 0x04c11db7, not reflected).

    zlib uses the same polynomial on reflected bits: with the bits of every byte and of the
    register reversed, and zlib's inversions undone, zlib computes it at C speed.
    """
    # crc32 starts from value ^ 0xffffffff and returns its register ^ 0xffffffff.
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")


def complete_pages(file: BinaryIO) -> Iterator[Page]:
    """The pages of a file, up to the first that is cut short."""
    return takewhile(lambda page: page.complete, pages(file))


def ends_marked(file: BinaryIO, size: int) -> bool:
    """Whether the last page is complete and marked as the end; reads only the tail."""
    start = max(0, size - _MAX_PAGE)
    file.seek(start)
    tail = file.read(_MAX_PAGE)
    at = tail.rfind(b"OggS")
    header = tail[at : at + 27]
    if at < 0 or len(header) < 27:
        return False
    lacing = tail[at + 27 : at + 27 + header[26]]
    return bool(header[5] & _END) and at + 27 + len(lacing) + sum(lacing) <= len(tail)


def unwrap_flac(file: BinaryIO) -> Repair:
    """The native FLAC stream inside Ogg FLAC, which libsndfile's wheels cannot open.

    The mapping (xiph.org, "Ogg FLAC mapping" 1.0) puts 9 bytes before "fLaC" and then native
    blocks and frames, one per packet: the concatenated page bodies are a FLAC file.
    """
    spliced, serial, whole, total = Splice(file), None, False, 0
    for page in complete_pages(file):
        if serial is None:
            serial, info = page.serial, page.body[9:]
            spliced.add_bytes(info)
        elif page.serial != serial:
            return Repair(spliced, False)
        else:
            spliced.add_file(page.body_offset, len(page.body))
            total, whole = max(total, page.granule), page.ends
    if serial is not None and len(info) >= 26:
        spliced.overwrite(18, _with_length(info, total))
    return Repair(spliced, whole)


def _with_length(info: bytes, total: int) -> bytes:
    """Bytes 18 to 26 of a FLAC file with the length filled in, which streamed files lack.

    They hold 28 bits of rate, channels and depth and 36 bits of length in samples.
    """
    fields = int.from_bytes(info[18:26], "big")
    length = fields & (1 << 36) - 1 or min(total, (1 << 36) - 1)
    return (fields >> 36 << 36 | length).to_bytes(8, "big")
