"""An MP3 as libsndfile should read it: from its first frame, with a correct frame count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from musicu.audio.splice import Splice
from musicu.tags.formats.extent import id3v2_bytes
from musicu.tags.formats.mpeg import FrameHeader, first_frame, parse_frame

_RESYNC_LIMIT = 1024  # bytes of junk between frames that libmpg123 skips


@dataclass(frozen=True, slots=True)
class Stream:
    """The MPEG audio in a file.

    file: a view from the first frame on, with a frame count in front where there was none.
    exact: whether the frame count is known rather than guessed from the bit rate.
    cut: whether the frames end before the file does, or the last one is incomplete.
    """

    file: Splice
    exact: bool
    cut: bool


def tags_end(file: BinaryIO, offset: int = 0) -> int:
    """The offset after the ID3v2 and APEv2 tags at `offset`; there may be several."""
    while True:
        file.seek(offset)
        head = file.read(32)
        if size := id3v2_bytes(head[:10]):
            offset += size
        elif head[:8] == b"APETAGEX" and len(head) == 32 and head[23] & 0x20:
            offset += 32 + int.from_bytes(head[12:16], "little")
        else:
            return offset


def open_stream(file: BinaryIO, size: int) -> Stream | None:
    """The MPEG audio after tags and junk; None where there is none.

    A layer III file without a Xing header gets one in the view. Without it libmpg123 guesses the
    length from the first frame's bit rate, and libsndfile reads no further (and loses half of a
    variable-rate file that begins quietly).
    """
    frame = first_frame(file, tags_end(file), size)
    if frame is None:
        return None
    begin = frame.offset
    file.seek(begin)
    first = file.read(64)
    view = Splice(file)
    if frame.layer != 3 or _has_count(first, frame):
        view.add_file(begin, size - begin)
        return Stream(view, exact=frame.layer == 3, cut=False)
    count, cut = _count_frames(file, frame, size)
    view.add_bytes(_count_frame(first[:4], count))
    view.add_file(begin, size - begin)
    return Stream(view, exact=True, cut=cut)


def _has_count(first: bytes, frame: FrameHeader) -> bool:
    """Whether the first frame is a Xing or Info header with a frame count."""
    at = 4 + frame.side_info_bytes
    counted = any(byte & 1 for byte in first[at + 7 : at + 8])
    return counted and first[at : at + 4] in (b"Xing", b"Info")


def _count_frames(file: BinaryIO, first: FrameHeader, size: int) -> tuple[int, bool]:
    """The number of whole frames from the first on, and whether a last one is cut short."""
    count, offset = 0, first.offset
    while offset < size:
        file.seek(offset)
        frame = parse_frame(file.read(4))
        if frame is None or not frame.like(first):
            found = first_frame(file, offset + 1, size, _RESYNC_LIMIT)
            if found is None:
                return count, not _is_tag(file, offset)
            offset = found.offset
            continue
        offset += frame.length
        count += 1
    return (count - 1, True) if offset > size else (count, False)


def _is_tag(file: BinaryIO, offset: int) -> bool:
    """Whether a tag, or padding, ends the file from `offset` on."""
    file.seek(offset)
    head = file.read(256)
    return head.startswith((b"TAG", b"APETAGEX", b"ID3", b"LYRICSBEGIN")) or not head.strip(b"\0")


def _count_frame(header: bytes, count: int) -> bytes:
    """A silent frame with a Xing header that gives the number of frames."""
    header = bytes((header[0], header[1] | 1, header[2] & 0x0C | 0x90, header[3]))  # no CRC
    frame = parse_frame(header)
    assert frame is not None  # only the bit rate has changed, to one that every version has
    xing = b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return (header + bytes(frame.side_info_bytes) + xing).ljust(frame.length, b"\0")
