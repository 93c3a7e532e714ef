"""MP4 and M4A (ISO 14496-12, QuickTime): atoms, the sample description, iTunes tags."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from musicu.tags.formats.id3_genres import GENRES
from musicu.tags.formats.raw_tags import RawTags, file_size, ignore_damage, read_at

_MOST_TEXT = 1 << 16
_FIELDS = {
    b"\xa9nam": "title", b"\xa9ART": "artist", b"aART": "albumartist", b"\xa9alb": "album",
    b"\xa9day": "date", b"\xa9gen": "genre", b"\xa9wrt": "composer", b"\xa9com": "composer",
    b"\xa9pub": "label", b"trkn": "tracknumber", b"disk": "discnumber", b"tmpo": "bpm",
    b"cpil": "compilation", b"rtng": "itunesadvisory", b"gnre": "genrenumber",
}  # fmt: skip
_CODECS = {b"mp4a": "aac", b"fLaC": "flac", b"Opus": "opus", b".mp3": "mp3", b"ac-3": "ac3"}
_MPEG4_CODECS = {0x69: "mp3", 0x6B: "mp3", 0xA5: "ac3", 0xA6: "eac3", 0xDD: "vorbis"}


class Atom(NamedTuple):
    """An atom's name, and where its contents begin and end."""

    name: bytes
    start: int
    end: int


class SampleEntry(NamedTuple):
    """The audio properties in a sample description."""

    name: bytes
    channels: int
    bits: int
    sample_rate: int


def atoms(file: BinaryIO, start: int, end: int) -> Iterator[Atom]:
    """The consecutive atoms between two offsets."""
    while start + 8 <= end:
        header = read_at(file, start, 16)
        if len(header) < 8:
            return
        size, head = int.from_bytes(header[:4], "big"), 8
        if size == 1 and len(header) == 16:
            size, head = int.from_bytes(header[8:], "big"), 16
        stop = end if size == 0 else start + size
        if stop < start + head:
            return
        yield Atom(header[4:8], start + head, min(stop, end))
        start = stop


def inside(file: BinaryIO, path: Sequence[bytes], start: int, end: int) -> Iterator[Atom]:
    """Every atom at a path of names."""
    for atom in atoms(file, start, end):
        if atom.name == path[0]:
            if len(path) == 1:
                yield atom
            else:
                yield from inside(file, path[1:], atom.start, atom.end)


def audio_track(file: BinaryIO) -> Atom | None:
    """The `mdia` atom of the first audio track."""
    for media in inside(file, (b"moov", b"trak", b"mdia"), 0, file_size(file)):
        for handler in inside(file, (b"hdlr",), media.start, media.end):
            if read_at(file, handler.start + 8, 4) == b"soun":
                return media
    return None


def audio_entry(file: BinaryIO, media: Atom) -> tuple[SampleEntry, Atom] | None:
    """The first sample description of an audio track."""
    for table in inside(file, (b"minf", b"stbl", b"stsd"), media.start, media.end):
        for atom in atoms(file, table.start + 8, table.end):
            body = read_at(file, atom.start, 28)
            if len(body) == 28:
                channels, bits, _, _, rate = struct.unpack_from(">HHHHI", body, 16)
                return SampleEntry(atom.name, channels, bits, rate >> 16), atom
    return None


def read_mp4(file: BinaryIO, raw: RawTags) -> None:
    """Fill in tags and properties of an MP4 file."""
    end = file_size(file)
    for path in ((b"moov", b"udta", b"meta"), (b"moov", b"meta")):
        for meta in inside(file, path, 0, end):
            full = read_at(file, meta.start + 4, 4) != b"hdlr"  # QuickTime leaves out the version
            for item in inside(file, (b"ilst",), meta.start + 4 * full, meta.end):
                _read_items(file, item, raw)
    media = audio_track(file)
    if media is not None:
        with ignore_damage():
            _read_sound(file, media, raw)


def _read_items(file: BinaryIO, items: Atom, raw: RawTags) -> None:
    for item in atoms(file, items.start, items.end):
        with ignore_damage():
            if item.name == b"----":
                _read_named(file, item, raw)
            elif item.name in _FIELDS:
                field = _FIELDS[item.name]
                for data in inside(file, (b"data",), item.start, item.end):
                    raw.add(field, _value(file, data, item.name))
    for number in raw.fields.pop("genrenumber", []):
        if 0 < int(number) <= len(GENRES):
            raw.add("genre", GENRES[int(number) - 1])


def _read_named(file: BinaryIO, item: Atom, raw: RawTags) -> None:
    """A freeform item, whose name is in an atom of its own."""
    name = ""
    for atom in atoms(file, item.start, item.end):
        if atom.name == b"name":
            name = read_at(file, atom.start + 4, min(atom.end - atom.start - 4, 256)).decode(
                "utf-8"
            )
        elif atom.name == b"data" and name:
            raw.add(name, _value(file, atom, b"----"))


def _value(file: BinaryIO, data: Atom, item: bytes) -> str:
    """A data atom as text: UTF-8, UTF-16, an integer, or the first number of a pair."""
    kind = int.from_bytes(read_at(file, data.start, 4), "big") & 0xFFFFFF
    body = read_at(file, data.start + 8, min(data.end - data.start - 8, _MOST_TEXT))
    if item in (b"trkn", b"disk"):
        return str(int.from_bytes(body[2:4], "big"))
    if kind == 2:
        return body.decode("utf-16-be", "replace")
    if kind in (21, 22) or item in (b"gnre", b"tmpo", b"cpil", b"rtng"):
        return str(int.from_bytes(body[:8], "big"))
    return body.decode("utf-8", "replace")


def _read_sound(file: BinaryIO, media: Atom, raw: RawTags) -> None:
    """Codec and properties from the sample description, duration from the media header."""
    for header in inside(file, (b"mdhd",), media.start, media.end):
        body = read_at(file, header.start, 32)
        layout, place = (">IQ", 20) if body[0] == 1 else (">II", 12)
        scale, duration = struct.unpack_from(layout, body, place)
        if scale and duration:
            raw.duration_seconds = duration / scale
    found = audio_entry(file, media)
    if found is None:
        return
    entry, atom = found
    raw.codec = _CODECS.get(entry.name, entry.name.decode("latin-1").strip().lower())
    raw.channels, raw.sample_rate = entry.channels or None, entry.sample_rate or None
    with ignore_damage():
        _read_details(file, entry, atom, raw)
    if raw.duration_seconds:
        data = sum(a.end - a.start for a in inside(file, (b"mdat",), 0, file_size(file)))
        raw.bitrate_kbps = data * 8 / raw.duration_seconds / 1000


def _read_details(file: BinaryIO, entry: SampleEntry, atom: Atom, raw: RawTags) -> None:
    """The properties in the atoms within a sample description."""
    for detail in atoms(file, atom.start + 28, atom.end):
        body = read_at(file, detail.start, min(detail.end - detail.start, 256))
        if detail.name == b"alac" and entry.name == b"alac":
            raw.bit_depth, raw.channels = body[9], body[13]
            (raw.sample_rate,) = struct.unpack_from(">I", body, 24)
        elif detail.name == b"esds":
            raw.codec = _MPEG4_CODECS.get(_object_type(body), raw.codec)
        elif detail.name == b"dfLa":
            raw.bit_depth = entry.bits


def _object_type(body: bytes) -> int:
    """The kind of MPEG-4 audio from an elementary stream descriptor (ISO 14496-1, 7.2.6)."""
    place = body.index(b"\x03", 4) + 1
    while body[place] & 0x80:
        place += 1
    place = body.index(b"\x04", place + 4) + 1
    while body[place] & 0x80:
        place += 1
    return body[place + 1]
