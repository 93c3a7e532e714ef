"""PNG files (ISO/IEC 15948) without an image library."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_PALETTE, _RGB = 3, 2  # colour types


def png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8] | None = None) -> bytes:
    """An image as PNG, every row filtered "up".

    pixels: uint8 [height, width, 3], or with a palette uint8 [256, 3] its indices uint8
    [height, width]. Raises ValueError for another shape or for no pixel.
    """
    if pixels.ndim != (3 if palette is None else 2) or not pixels.size:
        raise ValueError(f"these are no pixels: an array of the shape {pixels.shape}")
    height, width = pixels.shape[:2]
    above = np.concatenate([np.zeros_like(pixels[:1]), pixels[:-1]])
    filtered = (pixels - above).reshape(height, -1)
    rows = np.concatenate([np.full((height, 1), 2, np.uint8), filtered], axis=1)
    colours = _RGB if palette is None else _PALETTE
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0))]
    chunks += [] if palette is None else [(b"PLTE", palette.tobytes())]
    chunks += [(b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
