"""MPEG audio frames: where the sound begins in an MP3, and how long it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from musicu.audio.splice import Splice

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_JUNK_LIMIT = 1 << 18  # how far behind the tags the first frame is looked for
_RESYNC_LIMIT = 1024  # how much junk between frames libmpg123 passes over
_SURE = 3  # so many frames in a row are no accident


class Frame(NamedTuple):
    """One frame header (ISO/IEC 11172-3, 2.4.1.3)."""

    layer: int
    mpeg1: bool
    mono: bool
    samples: int
    size: int
    kind: bytes  # the header bits that stay the same through a file


@dataclass(frozen=True, slots=True)
class Stream:
    """The MPEG audio in a file.

    file: a view from the first frame on, with a frame count in front where there was none.
    exact: whether the frame count is known rather than guessed from the bit rate.
    cut: whether the frames stop before the file does, or the last one lacks its end.
    """

    file: Splice
    exact: bool
    cut: bool


def parse_frame(header: bytes) -> Frame | None:
    """The frame that a 4-byte header announces; None where it is no header (or free format)."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, bitrate_index = header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or layer == 4 or rate_index == 3 or bitrate_index in (0, 15):
        return None
    mpeg1 = version == 3
    rate = _RATES[version][rate_index]
    bits = _KBPS[1 if mpeg1 else 2, layer if mpeg1 else min(layer, 2)][bitrate_index - 1] * 1000
    padding = header[2] >> 1 & 1
    if layer == 1:
        samples, size = 384, (12 * bits // rate + padding) * 4
    else:
        samples = 1152 if mpeg1 or layer == 2 else 576
        size = samples // 8 * bits // rate + padding
    mono = header[3] >> 6 == 3
    kind = bytes((header[1] & 0xFE, header[2] & 0x0C))
    return Frame(layer, mpeg1, mono, samples, size, kind)


def tags_end(file: BinaryIO, offset: int = 0) -> int:
    """The first byte behind the ID3v2 and APEv2 tags at `offset`; there may be several."""
    while True:
        file.seek(offset)
        head = file.read(32)
        if head[:3] == b"ID3" and len(head) >= 10 and not any(byte & 0x80 for byte in head[6:10]):
            size = sum(byte << 7 * (3 - k) for k, byte in enumerate(head[6:10]))
            offset += 10 + size + (10 if head[5] & 0x10 else 0)
        elif head[:8] == b"APETAGEX" and len(head) == 32 and head[23] & 0x20:
            offset += 32 + int.from_bytes(head[12:16], "little")
        else:
            return offset


def find_frame(file: BinaryIO, offset: int, limit: int, size: int) -> int:
    """Where the first frame lies that others like it follow, within `limit` bytes; -1 if none."""
    file.seek(offset)
    block = file.read(limit)
    at = block.find(b"\xff")
    while at >= 0:
        frame = parse_frame(block[at : at + 4])
        if frame and _others_follow(file, offset + at, frame, size):
            return offset + at
        at = block.find(b"\xff", at + 1)
    return -1


def _others_follow(file: BinaryIO, offset: int, frame: Frame, size: int) -> bool:
    following: Frame | None = frame
    for _ in range(_SURE):
        if following is None or following.kind != frame.kind:
            return False
        offset += following.size
        if offset >= size:  # a file of few frames
            return True
        file.seek(offset)
        following = parse_frame(file.read(4))
    return True


def open_stream(file: BinaryIO, size: int) -> Stream | None:
    """The MPEG audio behind tags and junk; None where there is none.

    A layer III file without Xing header gets one in the view: libmpg123 guesses its length from
    the first frame's bit rate, and libsndfile then hides what lies beyond (half of a variable
    rate file that begins quietly).
    """
    begin = find_frame(file, tags_end(file), _JUNK_LIMIT, size)
    if begin < 0:
        return None
    file.seek(begin)
    first = file.read(64)
    frame = parse_frame(first)
    assert frame is not None  # find_frame has parsed it
    view = Splice(file)
    if frame.layer != 3 or _has_count(first, frame):
        view.add_file(begin, size - begin)
        return Stream(view, exact=frame.layer == 3, cut=False)
    count, cut = _count_frames(file, begin, size, frame.kind)
    view.add_bytes(_count_frame(first[:4], count))
    view.add_file(begin, size - begin)
    return Stream(view, exact=True, cut=cut)


def _side_info(frame: Frame) -> int:
    """The bytes between a layer III header and its main data."""
    if frame.mpeg1:
        return 17 if frame.mono else 32
    return 9 if frame.mono else 17


def _has_count(first: bytes, frame: Frame) -> bool:
    """Whether the first frame is a Xing or Info header with a frame count."""
    at = 4 + _side_info(frame)
    counted = any(byte & 1 for byte in first[at + 7 : at + 8])
    return counted and first[at : at + 4] in (b"Xing", b"Info")


def _count_frames(file: BinaryIO, offset: int, size: int, kind: bytes) -> tuple[int, bool]:
    """The number of whole frames from `offset` on, and whether a last one is cut short."""
    count = 0
    while offset < size:
        file.seek(offset)
        frame = parse_frame(file.read(4))
        if frame is None or frame.kind != kind:
            found = find_frame(file, offset + 1, _RESYNC_LIMIT, size)
            if found < 0:
                return count, not _is_tag(file, offset)
            offset = found
            continue
        offset += frame.size
        count += 1
    return (count - 1, True) if offset > size else (count, False)


def _is_tag(file: BinaryIO, offset: int) -> bool:
    """Whether a tag, or padding, ends the file from `offset` on."""
    file.seek(offset)
    head = file.read(256)
    return head.startswith((b"TAG", b"APETAGEX", b"ID3", b"LYRICSBEGIN")) or not head.strip(b"\0")


def _count_frame(header: bytes, count: int) -> bytes:
    """A silent frame with a Xing header that says how many frames follow."""
    header = bytes((header[0], header[1] | 1, header[2] & 0x0C | 0x90, header[3]))  # no CRC
    frame = parse_frame(header)
    assert frame is not None  # only the bit rate has changed, to one that every version has
    xing = b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return (header + bytes(_side_info(frame)) + xing).ljust(frame.size, b"\0")
