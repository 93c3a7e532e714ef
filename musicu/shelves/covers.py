"""Covers: the picture in the file, or a drawn one that is always the same for an album."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from musicu.catalog.identity import artist_keys, fold
from musicu.pages.page_audio import data_url

if TYPE_CHECKING:
    from musicu.shelves.shelf import ShelfTrack

#: A picture larger than this, in bytes or on a side in pixels, is not put into a page.
MAX_BYTES = 500_000
MAX_SIDE = 4096


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture's address, and the hue (0 to 359) that goes with it."""

    url: str
    hue: int
    drawn: bool


def cover_of(track: ShelfTrack, keep: Callable[[bytes, str], str] | None = None) -> Cover:
    """The picture in the track's file where it has a usable one, else a drawn cover.

    keep: takes a picture of a file and its media type, and gives its address; without it, and
    for drawn covers, the address is a data URL.
    """
    name = fold(track.row.get("album")) or track.track_id
    key = "\0".join([name, *sorted(artist_keys(track.row))[:1]])
    picture = read_picture(track.file) if track.file is not None else None
    if picture is not None and (kind := picture_type(picture)) is not None:
        return Cover((keep or data_url)(picture, kind), hue_of(key), drawn=False)
    drawn = data_url(drawn_cover(key).encode(), "image/svg+xml")
    return Cover(drawn, hue_of(key), drawn=True)


def read_picture(file: Path) -> bytes | None:
    """The front cover in an audio file, or another picture in it; None where there is none."""
    from tinytag import TinyTag, TinyTagException

    try:
        images = TinyTag.get(file, image=True, duration=False).images
    except (OSError, TinyTagException):  # a file that has no cover still has its place
        return None
    image = images.front_cover or images.any
    return bytes(image.data) if image is not None and image.data else None


def picture_type(data: bytes) -> str | None:
    """The media type of a PNG, JPEG or WebP within the limits, by its bytes; else None."""
    if len(data) > MAX_BYTES:
        return None
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) > 24:
        sides, kind = struct.unpack(">II", data[16:24]), "image/png"
    elif data.startswith(b"\xff\xd8\xff"):
        sides, kind = next(_jpeg_sides(data), (0, 0)), "image/jpeg"
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"  # at most 16,383 a side by its definition, and never that dense
    else:
        return None
    return kind if all(0 < side <= MAX_SIDE for side in sides) else None


def _jpeg_sides(data: bytes) -> Iterator[tuple[int, int]]:
    """Height and width from the frame headers of a JPEG (ITU T.81, B.2.2)."""
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            yield struct.unpack(">HH", data[place + 5 : place + 9])
        place += 2 + length


def hue_of(key: str) -> int:
    """A hue for a name, 0 to 359, always the same."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:2], "big") % 360


def drawn_cover(key: str) -> str:
    """A square SVG made from numbers that follow from the name; no text of it goes in."""
    digest = hashlib.sha256(key.encode("utf-8", "replace")).digest()
    hue = hue_of(key)
    other = (hue + 25 + digest[2] % 50) % 360
    shape = (_rings, _waves, _bars, _hills)[digest[3] % 4](digest[4:])
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
        '<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1">'
        f'<stop offset="0" stop-color="hsl({hue},58%,52%)"/>'
        f'<stop offset="1" stop-color="hsl({other},62%,26%)"/></linearGradient></defs>'
        f'<rect width="100" height="100" fill="url(#g)"/>{shape}</svg>'
    )


def _rings(digest: bytes) -> str:
    x, y = 30 + digest[0] % 41, 30 + digest[1] % 41
    rings = (
        f'<circle cx="{x}" cy="{y}" r="{6 + 9 * i}" stroke-opacity="{0.75 - 0.1 * i:.2f}"/>'
        for i in range(3 + digest[2] % 4)
    )
    return f'<g fill="none" stroke="#fff" stroke-width="2.5">{"".join(rings)}</g>'


def _waves(digest: bytes) -> str:
    waves = []
    for i in range(5):
        high, phase = 3 + digest[i] % 9, digest[5 + i] / 40
        points = " ".join(
            f"{x},{22 + 14 * i + high * math.sin(phase + x / (9 + digest[10] % 8)):.1f}"
            for x in range(-2, 103, 3)
        )
        waves.append(f'<polyline points="{points}" stroke-opacity="{0.3 + 0.1 * i:.1f}"/>')
    return f'<g fill="none" stroke="#fff" stroke-width="2.5">{"".join(waves)}</g>'


def _bars(digest: bytes) -> str:
    highs = [10 + byte % 56 for byte in digest[:7]]
    bars = (
        f'<rect x="{14 + 10.4 * i:.1f}" y="{50 - high / 2:.1f}" width="5" height="{high}" rx="2"/>'
        for i, high in enumerate(highs)
    )
    return f'<g fill="#fff" fill-opacity="0.72">{"".join(bars)}</g>'


def _hills(digest: bytes) -> str:
    x, y, r = 22 + digest[0] % 57, 24 + digest[1] % 14, 9 + digest[2] % 7
    hills = []
    for i in range(3):
        left, rise, right = digest[3 + i] % 10, digest[6 + i] % 16, digest[9 + i] % 8
        line = f"M0 {54 + 14 * i + left} Q25 {34 + 16 * i + rise} 50 {56 + 13 * i}"
        line += f" T100 {52 + 14 * i + right} V100 H0Z"
        hills.append(f'<path d="{line}" fill-opacity="{0.18 + 0.1 * i:.2f}"/>')
    sun = f'<circle cx="{x}" cy="{y}" r="{r}" fill-opacity="0.8"/>'
    return f'<g fill="#fff">{sun}{"".join(hills)}</g>'
