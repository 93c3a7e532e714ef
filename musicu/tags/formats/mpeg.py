"""MPEG audio frames (ISO 11172-3, 13818-3): headers, the first frame, the duration."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from musicu.tags.formats.extent import AudioExtent
from musicu.tags.formats.raw_tags import RawTags, read_at

_KBPS = {  # (MPEG 1, layer) → kbit/s by index
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
SEARCH_BYTES = 1 << 18
_PROBES = 100


class FrameHeader(NamedTuple):
    """The header of one frame; length in bytes, samples per channel."""

    offset: int
    length: int
    samples: int
    sample_rate: int
    channels: int
    layer: int
    version: int  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    kbps: int

    def like(self, other: FrameHeader) -> bool:
        """Whether both can belong to one stream."""
        return self[3:4] + self[5:7] == other[3:4] + other[5:7]

    @property
    def side_info_bytes(self) -> int:
        """The bytes between the header of a layer III frame and its main data."""
        if self.version == 3:
            return 17 if self.channels == 1 else 32
        return 9 if self.channels == 1 else 17


def parse_frame(header: bytes, offset: int = 0) -> FrameHeader | None:
    """A frame from its first 4 bytes; None for no header (or free format)."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    kbps_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or kbps_index in (0, 15) or rate_index == 3:
        return None
    kbps = _KBPS[version == 3, layer][kbps_index - 1]
    rate = _RATES[version][rate_index]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    slot = 4 if layer == 1 else 1
    length = (samples // 8 // slot * kbps * 1000 // rate + (header[2] >> 1 & 1)) * slot
    return FrameHeader(
        offset, length, samples, rate, 1 if header[3] >> 6 == 3 else 2, layer, version, kbps
    )


def first_frame(
    file: BinaryIO, start: int, end: int, limit: int = SEARCH_BYTES
) -> FrameHeader | None:
    """The first frame followed by three others (or the end of the audio); None: not MPEG audio.

    limit: bytes from `start` in which the frame must begin.
    """
    data = read_at(file, start, min(limit, end - start))
    place = data.find(b"\xff")
    while place >= 0:
        frame = parse_frame(data[place : place + 4], start + place)
        if frame is not None and _followed(file, frame, end):
            return frame
        place = data.find(b"\xff", place + 1)
    return None


def _followed(file: BinaryIO, first: FrameHeader, end: int) -> bool:
    frame = first
    for count in range(3):
        offset = frame.offset + frame.length
        if offset + 4 > end:
            return count > 0 or offset == end
        following = parse_frame(read_at(file, offset, 4), offset)
        if following is None or not following.like(first):
            return False
        frame = following
    return True


def counted_frames(file: BinaryIO, frame: FrameHeader) -> tuple[int, int] | None:
    """(frames, bytes) of a Xing, Info or VBRI frame, 0 where not given; None: an audio frame."""
    data = read_at(file, frame.offset, min(frame.length, 192))
    side = frame.side_info_bytes
    for place in (4 + side, 4 + side + 2):  # a checksum may follow the header
        if data[place : place + 4] in (b"Xing", b"Info"):
            flags = int.from_bytes(data[place + 4 : place + 8], "big")
            numbers = [int.from_bytes(data[i : i + 4], "big") for i in (place + 8, place + 12)]
            frames = numbers.pop(0) if flags & 1 else 0
            return frames, numbers[0] if flags & 2 else 0
    if data[36:40] == b"VBRI":
        return int.from_bytes(data[50:54], "big"), int.from_bytes(data[46:50], "big")
    return None


def audio_start(file: BinaryIO, frame: FrameHeader) -> int:
    """The offset of the first audio frame, after a Xing, Info or VBRI frame."""
    counted = counted_frames(file, frame) is not None
    return frame.offset + frame.length if counted else frame.offset


def read_mpeg(file: BinaryIO, extent: AudioExtent, raw: RawTags) -> None:
    """Fill in the properties of MPEG audio."""
    frame = first_frame(file, extent.start, extent.end)
    if frame is None:
        return
    raw.codec = f"mp{frame.layer}"
    raw.sample_rate, raw.channels = frame.sample_rate, frame.channels
    counted = counted_frames(file, frame)
    size = extent.end - audio_start(file, frame)
    if counted and counted[0]:
        raw.duration_seconds = counted[0] * frame.samples / frame.sample_rate
        size = min(counted[1] or size, size)
    else:
        raw.duration_seconds = _estimated_seconds(file, frame, extent.end)
    if raw.duration_seconds:
        raw.bitrate_kbps = size * 8 / raw.duration_seconds / 1000


def _estimated_seconds(file: BinaryIO, first: FrameHeader, end: int) -> float:
    """Seconds of a stream without a frame count, from frame sizes at 100 places.

    Exact for a constant bit rate; with a variable one within a few per cent.
    """
    start = audio_start(file, first)
    rates = []
    for probe in range(_PROBES):
        place = start + (end - start) * probe // _PROBES
        frame = first_frame(file, place, min(place + 8192, end))
        if frame is not None and frame.like(first):
            rates.append(frame.samples / frame.sample_rate / _mean_length(file, frame, end))
    return sum(rates) / len(rates) * (end - start) if rates else 0.0


def _mean_length(file: BinaryIO, frame: FrameHeader, end: int) -> float:
    """The mean length of eight frames, which evens out padding."""
    offset, count = frame.offset, 0
    following: FrameHeader | None = frame
    while following is not None and count < 8 and offset < end:
        count += 1
        offset += following.length
        following = parse_frame(read_at(file, offset, 4), offset)
    return (offset - frame.offset) / count


_ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


def read_adts(file: BinaryIO, extent: AudioExtent, raw: RawTags) -> None:
    """Fill in the properties of AAC in ADTS frames (ISO 13818-7), which give no duration."""
    header = read_at(file, extent.start, 4)
    raw.codec = "aac"
    raw.sample_rate = _ADTS_RATES[header[2] >> 2 & 15]
    raw.channels = ((header[2] & 1) << 2 | header[3] >> 6) or None
