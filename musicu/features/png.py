"""Pictures of numbers as PNG files, without an image library."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: From nothing to most: near black, indigo, red, amber, pale yellow; lightness rises all the way.
_STOPS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
_COLOURS = np.array([[10, 8, 24], [62, 26, 110], [176, 44, 92], [240, 132, 46], [252, 240, 172]])


def heat_png(shares: NDArray[np.floating[Any]]) -> bytes:
    """A picture of values from 0 (dark) to 1 (bright), [rows, columns], as the bytes of a PNG.

    Values beyond are cut. Raises ValueError for an empty table.
    """
    if shares.ndim != 2 or not shares.size:
        raise ValueError(f"expected [rows, columns] with at least one value, got {shares.shape}")
    pixels = np.round(np.clip(shares, 0.0, 1.0) * 255).astype(np.uint8)
    rows, columns = pixels.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)  # eight bits of a palette
    lines = np.zeros((rows, columns + 1), np.uint8)  # each begins with its filter: none
    lines[:, 1:] = pixels
    parts = [(b"IHDR", header), (b"PLTE", _palette()), (b"IDAT", zlib.compress(lines.tobytes(), 9))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in [*parts, (b"IEND", b"")])


def _palette() -> bytes:
    shares = np.arange(256) / 255.0
    channels = [np.interp(shares, _STOPS, _COLOURS[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8).tobytes()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
