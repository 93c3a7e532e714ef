"""FLAC files with tags and a cover: libsndfile encodes, the metadata blocks are written here.

libsndfile knows ten tags and no pictures. Format: RFC 9639, section 8.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

_SEEKTABLE, _COMMENT, _PICTURE = 3, 4, 6
_FRONT_COVER = 3


def write_flac(
    path: Path,
    samples: NDArray[np.float32],
    sample_rate: int,
    tags: Iterable[tuple[str, str]],
    cover_png: bytes,
) -> None:
    """Write samples float32 [frames, channels] in [-1, 1] as 16-bit FLAC.

    tags: Vorbis comments, a name may come several times. cover_png: the front
    cover, 24 bits a pixel. The same input gives the same bytes.
    """
    buffer = io.BytesIO()
    soundfile.write(
        buffer, samples, sample_rate, format="FLAC", subtype="PCM_16", compression_level=0.4
    )
    blocks, frames = _split(buffer.getvalue())
    kept = [(kind, data) for kind, data in blocks if kind <= _SEEKTABLE and kind != 1]
    kept.append((_COMMENT, _comment(tags)))
    kept.append((_PICTURE, _picture(cover_png)))
    path.write_bytes(b"fLaC" + _join(kept) + frames)


def _split(flac: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The metadata blocks (type, content) of a FLAC file, and its audio frames."""
    blocks, at, last = [], 4, False
    while not last:
        last, kind = bool(flac[at] & 0x80), flac[at] & 0x7F
        size = int.from_bytes(flac[at + 1 : at + 4], "big")
        blocks.append((kind, flac[at + 4 : at + 4 + size]))
        at += 4 + size
    return blocks, flac[at:]


def _join(blocks: list[tuple[int, bytes]]) -> bytes:
    """Metadata blocks with their headers; the last one is marked."""
    out = b""
    for i, (kind, data) in enumerate(blocks):
        last = 0x80 if i == len(blocks) - 1 else 0
        out += bytes([last | kind]) + len(data).to_bytes(3, "big") + data
    return out


def _comment(tags: Iterable[tuple[str, str]]) -> bytes:
    """A Vorbis comment: little-endian lengths, UTF-8."""
    fields = [f"{name}={value}".encode() for name, value in tags]
    vendor = b"musicu demo"
    out = struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(fields))
    return out + b"".join(struct.pack("<I", len(field)) + field for field in fields)


def _picture(png: bytes) -> bytes:
    """A front cover: big-endian lengths; width and height stand in the PNG's header."""
    mime = b"image/png"
    head = struct.pack(">II", _FRONT_COVER, len(mime)) + mime + struct.pack(">I", 0)
    return head + png[16:24] + struct.pack(">III", 24, 0, len(png)) + png
