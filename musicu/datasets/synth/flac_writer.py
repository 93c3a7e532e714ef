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

_KEPT = (0, 2, 3)  # of what libsndfile writes: stream info, application, seek table
_COMMENT, _PICTURE, _LAST = 4, 6, 0x80
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
    flac, at, last, kept = buffer.getvalue(), 4, False, []
    while not last:
        last, kind = bool(flac[at] & 0x80), flac[at] & 0x7F
        size = int.from_bytes(flac[at + 1 : at + 4], "big")
        if kind in _KEPT:
            kept.append((kind, flac[at + 4 : at + 4 + size]))
        at += 4 + size
    kept += [(_COMMENT, _comment(tags)), (_PICTURE | _LAST, _picture(cover_png))]
    heads = (bytes([kind]) + len(data).to_bytes(3, "big") + data for kind, data in kept)
    path.write_bytes(b"fLaC" + b"".join(heads) + flac[at:])


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
