"""ID3v1, and ID3v2.2 to 2.4 as found in practice.

Supports what readers often leave out: unsynchronised and compressed frames, extended headers, the
plain frame sizes that old iTunes wrote into v2.4, and several values in one TXXX frame.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

from musicu.tags.formats.extent import id3v2_bytes, synchsafe
from musicu.tags.formats.id3_genres import GENRES
from musicu.tags.formats.raw_tags import RawTags, file_size, ignore_damage, read_at

_MOST_TEXT = 1 << 20
_CODECS = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}
_FRAMES = {
    "TIT2": "title", "TT2": "title", "TPE1": "artist", "TP1": "artist", "TPE2": "albumartist",
    "TP2": "albumartist", "TALB": "album", "TAL": "album", "TRCK": "tracknumber",
    "TRK": "tracknumber", "TPOS": "discnumber", "TPA": "discnumber", "TDRC": "date",
    "TDRL": "releasedate", "TYER": "year", "TYE": "year", "TDAT": "daymonth", "TDA": "daymonth",
    "TDOR": "originaldate", "TORY": "originalyear", "TOR": "originalyear", "TCON": "genre",
    "TCO": "genre", "TPUB": "label", "TPB": "label", "TCOM": "composer", "TCM": "composer",
    "TLAN": "language", "TLA": "language", "TBPM": "bpm", "TBP": "bpm", "TKEY": "key",
    "TKE": "key", "TSRC": "isrc", "TRC": "isrc", "TCMP": "compilation", "TCP": "compilation",
}  # fmt: skip


def read_id3v2(file: BinaryIO, offset: int, most: int, raw: RawTags) -> None:
    """Add the fields of the ID3v2 tag at `offset`, `most` bytes at most; pictures are skipped."""
    with ignore_damage():
        for name, body in _frames(file, offset, most):
            with ignore_damage():
                _read_frame(name, body, raw)


def _frames(file: BinaryIO, offset: int, most: int) -> Iterator[tuple[str, bytes]]:
    """The text frames of a tag."""
    header = read_at(file, offset, 10)
    size = min(id3v2_bytes(header), most)
    version, flags = header[3], header[5]
    if flags & 0x80 and version < 4:  # applied to the whole tag, after sizes were counted
        file = BytesIO(read_at(file, offset + 10, size - 10).replace(b"\xff\0", b"\xff"))
        offset, size = -10, file_size(file) + 10
    place, end = offset + 10, offset + size
    if flags & 0x40 and version > 2:
        place += _extended_bytes(read_at(file, place, 4), version)
    head_bytes = 6 if version == 2 else 10
    while place + head_bytes <= end:
        head = read_at(file, place, head_bytes)
        name = head[: 3 if version == 2 else 4]
        if not re.fullmatch(rb"[A-Z][A-Z0-9]{2}[A-Z0-9 ]?", name):
            return
        length = _frame_bytes(file, place, head, version, end)
        place += head_bytes
        if name[:1] == b"T" or name in (b"UFID", b"UFI"):
            body = read_at(file, place, min(length, end - place, _MOST_TEXT))
            yield name.decode("latin-1").strip(), _unwrapped(body, head, version, flags & 0x80)
        place += length


def _extended_bytes(start: bytes, version: int) -> int:
    """The length of the extended header, whose size field v2.3 does not count."""
    return synchsafe(start) if version == 4 else int.from_bytes(start, "big") + 4


def _frame_bytes(file: BinaryIO, place: int, head: bytes, version: int, end: int) -> int:
    """The length of a frame's body. Old iTunes wrote v2.4 sizes with 8 bits a byte."""
    if version == 2:
        return int.from_bytes(head[3:6], "big")
    whole, safe = int.from_bytes(head[4:8], "big"), synchsafe(head[4:8])
    if version == 3:
        return whole
    if whole == safe or (max(head[4:8]) < 128 and _frame_follows(file, place + 10 + safe, end)):
        return safe
    return whole if _frame_follows(file, place + 10 + whole, end) else safe


def _frame_follows(file: BinaryIO, place: int, end: int) -> bool:
    """Whether a frame, padding or the end of the tag comes at this place."""
    if place >= end:
        return place == end
    return re.match(rb"[A-Z][A-Z0-9]{3}|\0", read_at(file, place, 4)) is not None


def _unwrapped(body: bytes, head: bytes, version: int, unsynchronised: int) -> bytes:
    """A frame's body without grouping byte, length, unsynchronisation and compression."""
    skip, zipped, encrypted = 0, False, False
    if version == 4:
        if unsynchronised or head[9] & 0x02:
            body = body.replace(b"\xff\0", b"\xff")
        skip = (1 if head[9] & 0x40 else 0) + (4 if head[9] & 0x01 else 0)
        zipped, encrypted = bool(head[9] & 0x08), bool(head[9] & 0x04)
    elif version == 3:
        zipped, encrypted = bool(head[9] & 0x80), bool(head[9] & 0x40)
        skip = (4 if zipped else 0) + (1 if head[9] & 0x20 else 0)
    if encrypted:
        return b""
    return _inflated(body[skip:]) if zipped else body[skip:]


def _inflated(data: bytes) -> bytes:
    """Decompressed text, up to the length limit of a text."""
    try:
        return zlib.decompressobj().decompress(data, _MOST_TEXT)
    except zlib.error as error:
        raise ValueError("a compressed frame is damaged") from error


def _read_frame(name: str, body: bytes, raw: RawTags) -> None:
    if name in ("UFID", "UFI"):
        owner, _, value = body.partition(b"\0")
        if owner == b"http://musicbrainz.org":
            raw.add("musicbrainz_trackid", value.decode("latin-1"))
    elif name in ("TXXX", "TXX"):
        description, *values = _texts(body)
        raw.add(description, *values)
    elif name in ("TCON", "TCO"):
        raw.add("genre", *(genre for text in _texts(body) for genre in _genres(text)))
    elif name in _FRAMES:
        raw.add(_FRAMES[name], *_texts(body))


def _texts(body: bytes) -> list[str]:
    """The NUL-separated texts of a frame, by its encoding byte."""
    codec = _CODECS.get(body[0], "latin-1") if body else "latin-1"
    data = body[1:]
    if codec != "utf-16":
        return data.decode(codec, "replace").rstrip("\0").split("\0")
    if data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16-le", "replace").rstrip("\0").split("\0")
    order = "utf-16-le" if data[:2] == b"\xff\xfe" else "utf-16-be"
    texts = data.decode(order, "replace").rstrip("\0").split("\0")
    return [text.lstrip("\ufeff\ufffe") for text in texts]


def _genres(text: str) -> list[str]:
    """ "17", "(17)", "(17)(6)", "(4)Eurodisco", "(RX)" and plain names, as ID3v2.3 mixes them."""
    names = []
    while match := re.match(r"\((\d+|RX|CR)\)", text):
        names.append(_genre(match[1]))
        text = text[match.end() :]
    if text.startswith("(("):
        text = text[1:]
    rest = _genre(text)
    refined = bool(rest) and rest not in names  # "(4)Eurodisco" refines Disco
    return [name for name in [*names, rest if refined else ""] if name]


def _genre(text: str) -> str:
    if text.isascii() and text.isdigit():
        return GENRES[int(text)] if int(text) < len(GENRES) else ""
    return {"RX": "Remix", "CR": "Cover"}.get(text, text)


def read_id3v1(file: BinaryIO, offset: int, raw: RawTags) -> None:
    """Fill the fields that no better tag has from the 128 bytes of an ID3v1 tag."""
    data = read_at(file, offset, 128)
    old = RawTags()
    for name, start, stop in (("title", 3, 33), ("artist", 33, 63), ("album", 63, 93)):
        old.add(name, data[start:stop].split(b"\0")[0].decode("latin-1").strip())
    old.add("year", data[93:97].decode("latin-1").strip("\0 "))
    if data[125:126] == b"\0" and data[126:127] != b"\0":
        old.add("tracknumber", str(data[126]))
    if len(data) == 128 and data[127] < len(GENRES):
        old.add("genre", GENRES[data[127]])
    raw.fill_from(old)
