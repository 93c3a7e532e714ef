"""The container format of a file, from its bytes and not from its name."""

from __future__ import annotations

from typing import BinaryIO, Literal

from musicu.tags.formats import asf, matroska
from musicu.tags.formats.extent import AudioExtent
from musicu.tags.formats.mpeg import first_frame
from musicu.tags.formats.raw_tags import read_at

Container = Literal[
    "mpeg", "adts", "flac", "ogg", "wav", "aiff", "mp4", "asf", "matroska", "caf", "other"
]


def detect_container(file: BinaryIO, extent: AudioExtent) -> Container:
    """The container of a file whose leading tags end at `extent.start`."""
    head = read_at(file, extent.start, 16)
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS":
        return "ogg"
    if extent.start == 0:
        if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
            return "wav"
        if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
            return "aiff"
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
            return "mp4"
        if head == asf.HEADER:
            return "asf"
        if head[:4] == matroska.HEADER:
            return "matroska"
        if head[:4] == b"caff":
            return "caf"
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0:
        return "adts"
    return "mpeg" if first_frame(file, extent.start, extent.end) else "other"
