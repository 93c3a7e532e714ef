"""ASF, the container of WMA: objects, tags and stream properties."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from uuid import UUID

from musicu.tags.formats.raw_tags import RawTags, file_size, ignore_damage, read_at


def _guid(text: str) -> bytes:
    return UUID(text).bytes_le


HEADER = _guid("75b22630-668e-11cf-a6d9-00aa0062ce6c")
DATA = _guid("75b22636-668e-11cf-a6d9-00aa0062ce6c")
_CONTENT = _guid("75b22633-668e-11cf-a6d9-00aa0062ce6c")
_EXTENDED_CONTENT = _guid("d2d0a440-e307-11d2-97f0-00a0c95ea850")
_EXTENSION = _guid("5fbf03b5-a92e-11cf-8ee3-00c00c205365")
_METADATA = _guid("c5f8cbea-5baf-4877-8467-aa8c44fa4cca")
_METADATA_LIBRARY = _guid("44231c94-9498-49d1-a141-1d134e457054")
_FILE = _guid("8cabdca1-a947-11cf-8ee4-00c00c205365")
_STREAM = _guid("b7dc0791-a9b7-11cf-8ee6-00c00c205365")
_AUDIO = _guid("f8699e40-5b4d-11cf-a8fd-00805f5c442b")

_MOST_TEXT = 1 << 16
_CODECS = {0x160: "wmav1", 0x161: "wmav2", 0x162: "wmapro", 0x163: "wmalossless", 0xA: "wmavoice"}
_FIELDS = {
    "WM/AlbumTitle": "album", "WM/AlbumArtist": "albumartist", "WM/TrackNumber": "tracknumber",
    "WM/PartOfSet": "discnumber", "WM/Year": "date", "WM/Genre": "genre", "Author": "artist",
    "WM/Composer": "composer", "WM/Publisher": "label", "WM/BeatsPerMinute": "bpm",
    "WM/InitialKey": "key", "WM/IsCompilation": "compilation", "Title": "title",
    "WM/OriginalReleaseTime": "originaldate", "WM/OriginalReleaseYear": "originalyear",
}  # fmt: skip


class AsfObject(NamedTuple):
    """An object's id, and where its contents begin and end."""

    guid: bytes
    start: int
    end: int


def objects(file: BinaryIO, start: int, end: int) -> Iterator[AsfObject]:
    """The consecutive objects between two offsets."""
    while start + 24 <= end:
        header = read_at(file, start, 24)
        size = int.from_bytes(header[16:], "little")
        if len(header) < 24 or size < 24:
            return
        yield AsfObject(header[:16], start + 24, min(start + size, end))
        start += size


def header_objects(file: BinaryIO) -> Iterator[AsfObject]:
    """The objects in the header, and those in its extension."""
    end = file_size(file)
    for top in objects(file, 0, end):
        if top.guid == HEADER:
            for item in objects(file, top.start + 6, top.end):
                yield item
                if item.guid == _EXTENSION:
                    yield from objects(file, item.start + 22, item.end)


def audio_format(file: BinaryIO) -> bytes:
    """The WAVEFORMATEX of the first audio stream; b"" where there is none."""
    for item in header_objects(file):
        if item.guid == _STREAM and read_at(file, item.start, 16) == _AUDIO:
            size = int.from_bytes(read_at(file, item.start + 40, 4), "little")
            return read_at(file, item.start + 54, min(size, 4096))
    return b""


def read_asf(file: BinaryIO, raw: RawTags) -> None:
    """Fill in tags and properties of a WMA file."""
    for item in header_objects(file):
        with ignore_damage():
            if item.guid == _CONTENT:
                _read_content(file, item, raw)
            elif item.guid == _EXTENDED_CONTENT:
                _read_items(file, item, raw, "<H", "<HH")
            elif item.guid in (_METADATA, _METADATA_LIBRARY):
                _read_items(file, item, raw, "<4xH", "<HI")
            elif item.guid == _FILE:
                duration, _, preroll = struct.unpack("<QQQ", read_at(file, item.start + 40, 24))
                raw.duration_seconds = max(duration / 1e7 - preroll / 1e3, 0.0) or None
    with ignore_damage():
        tag, channels, rate, per_second, _, bits = struct.unpack_from("<HHIIHH", audio_format(file))
        raw.codec = _CODECS.get(tag, f"wav-{tag:x}")
        raw.channels, raw.sample_rate = channels, rate
        raw.bitrate_kbps = per_second * 8 / 1000
        raw.bit_depth = bits if tag == 0x163 else None


def _read_content(file: BinaryIO, item: AsfObject, raw: RawTags) -> None:
    """Title and author; the other three fixed fields are not used."""
    sizes = struct.unpack("<5H", read_at(file, item.start, 10))
    place = item.start + 10
    for name, size in zip(("title", "artist"), sizes, strict=False):
        raw.add(name, _text(read_at(file, place, size)))
        place += size


def _read_items(file: BinaryIO, item: AsfObject, raw: RawTags, head: str, middle: str) -> None:
    """Named values. In metadata objects, language and stream lie before the name's length."""
    (count,) = struct.unpack("<H", read_at(file, item.start, 2))
    place = item.start + 2
    library = head != "<H"
    for _ in range(count):
        (name_size,) = struct.unpack(head, read_at(file, place, struct.calcsize(head)))
        place += struct.calcsize(head)
        if not library:
            name = _text(read_at(file, place, name_size))
            place += name_size
        kind, size = struct.unpack(middle, read_at(file, place, struct.calcsize(middle)))
        place += struct.calcsize(middle)
        if library:
            name = _text(read_at(file, place, name_size))
            place += name_size
        value = read_at(file, place, min(size, _MOST_TEXT))
        place += size
        if place > item.end:
            return
        if kind == 0:
            raw.add(_field(name), _text(value))
        elif kind in (2, 3, 4, 5):
            raw.add(_field(name), str(int.from_bytes(value, "little")))


def _field(name: str) -> str:
    return _FIELDS.get(name, name.removeprefix("WM/"))


def _text(data: bytes) -> str:
    return data.decode("utf-16-le", "replace").split("\0")[0]
