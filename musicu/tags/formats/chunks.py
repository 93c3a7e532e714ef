"""WAV, RF64 and BW64 (RIFF chunks) and AIFF, AIFC (IFF chunks)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from musicu.tags.formats.id3 import read_id3v2
from musicu.tags.formats.raw_tags import RawTags, file_size, ignore_damage, read_at

_MOST_TEXT = 1 << 20
_WAV_CODECS = {1: "pcm", 3: "float", 6: "alaw", 7: "mulaw", 0x50: "mp2", 0x55: "mp3"}
_AIFF_CODECS = {
    **dict.fromkeys(("NONE", "twos", "sowt", "raw ", "in24", "42ni", "in32", "23ni"), "pcm"),
    **dict.fromkeys(("fl32", "FL32", "fl64", "FL64"), "float"),
    **{"alaw": "alaw", "ALAW": "alaw", "ulaw": "mulaw", "ULAW": "mulaw", "ima4": "adpcm"},
}
_INFO = {
    "INAM": "title", "TITL": "title", "IART": "artist", "IPRD": "album", "ICRD": "date",
    "YEAR": "date", "IGNR": "genre", "IMUS": "composer", "ILNG": "language", "ISRC": "isrc",
    "IPUB": "label", "IPRT": "tracknumber", "ITRK": "tracknumber", "TRCK": "tracknumber",
    "IBPM": "bpm",
}  # fmt: skip
_AIFF_TEXT = {b"NAME": "title", b"AUTH": "artist"}


class Chunk(NamedTuple):
    """A chunk's name and the range of its contents, cut at the end of the file."""

    name: bytes
    offset: int
    size: int


class SampleFormat(NamedTuple):
    """The sample format of a WAV or AIFF file; frames: -1 where not given."""

    codec: str
    channels: int
    sample_rate: int
    bits: int
    frames: int
    frame_bytes: int


def chunks(file: BinaryIO, big_endian: bool) -> Iterator[Chunk]:
    """The chunks of a WAV (RF64, BW64) or AIFF file; a size of 0 for data: up to the end."""
    offset, end, wide = 12, file_size(file), 0
    while len(header := read_at(file, offset, 8)) == 8:
        if min(header[:4]) < 0x20 or max(header[:4]) > 0x7E:  # not a name: lost, or padding
            return
        name, size = header[:4], int.from_bytes(header[4:], "big" if big_endian else "little")
        offset += 8
        if name == b"ds64":
            wide = int.from_bytes(read_at(file, offset + 8, 8), "little")
        if name == b"data" and size == 0xFFFFFFFF:
            size = wide or end - offset
        elif name == b"data" and size == 0:  # written to a pipe, or never finished
            size = end - offset
        yield Chunk(name, offset, max(min(size, end - offset), 0))
        offset += size + size % 2


def parse_fmt(fmt: bytes) -> SampleFormat | None:
    """The format in a `fmt ` chunk; None where the chunk is truncated."""
    if len(fmt) < 16:
        return None
    tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", fmt)
    if tag == 0xFFFE and len(fmt) >= 26:
        tag = int.from_bytes(fmt[24:26], "little")
    codec = _WAV_CODECS.get(tag, "adpcm" if tag in (2, 0x11) else f"wav-{tag:x}")
    return SampleFormat(codec, channels, rate, bits, -1, align)


def parse_comm(comm: bytes) -> SampleFormat | None:
    """The format in a COMM chunk; None where the chunk is truncated."""
    if len(comm) < 18:
        return None
    channels, frames, bits, exponent, mantissa = struct.unpack_from(">HIHHQ", comm)
    power = (exponent & 0x7FFF) - 0x3FFF - 63
    rate = int(mantissa * 2.0**power) if -128 < power < 0 else 0
    kind = comm[18:22].decode("latin-1") if len(comm) >= 22 else "NONE"
    codec = _AIFF_CODECS.get(kind, kind.strip().lower())
    return SampleFormat(codec, channels, rate, bits, frames, channels * ((bits + 7) // 8))


def read_chunks(file: BinaryIO, big_endian: bool, raw: RawTags) -> None:
    """Fill in tags and properties of a WAV or AIFF file."""
    sound: SampleFormat | None = None
    frames, data = -1, 0
    text = RawTags()  # separate, because ID3 in the same file takes precedence
    for chunk in chunks(file, big_endian):
        if chunk.name in (b"fmt ", b"COMM"):
            body = read_at(file, chunk.offset, min(chunk.size, 64))
            sound = parse_comm(body) if big_endian else parse_fmt(body)
        elif chunk.name in (b"data", b"SSND"):
            data = chunk.size - (8 if big_endian else 0)
        elif chunk.name == b"fact" and chunk.size >= 4:
            frames = int.from_bytes(read_at(file, chunk.offset, 4), "little")
        elif chunk.name.lower() == b"id3 ":
            read_id3v2(file, chunk.offset, chunk.size, raw)
        else:
            with ignore_damage():
                _read_text(file, chunk, text)
    raw.fill_from(text)
    if sound is not None:
        _set_sound(sound, frames, data, raw)


def _read_text(file: BinaryIO, chunk: Chunk, raw: RawTags) -> None:
    """A LIST INFO chunk, or AIFF's NAME and AUTH."""
    if chunk.name in _AIFF_TEXT:
        raw.add(
            _AIFF_TEXT[chunk.name], _text(read_at(file, chunk.offset, min(chunk.size, _MOST_TEXT)))
        )
    if chunk.name != b"LIST":
        return
    body = read_at(file, chunk.offset, min(chunk.size, _MOST_TEXT))
    place = 4 if body[:4] == b"INFO" else len(body)
    while place + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, place)
        field = _INFO.get(name.decode("latin-1"))
        if field:
            raw.add(field, _text(body[place + 8 : place + 8 + size]))
        place += 8 + size + size % 2


def _text(data: bytes) -> str:
    """Text of unspecified encoding: UTF-8 where valid, else Windows-1252."""
    data = data.split(b"\0", 1)[0]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _set_sound(sound: SampleFormat, fact: int, data: int, raw: RawTags) -> None:
    """The properties, with the duration from the bytes that exist."""
    raw.codec = sound.codec
    raw.channels = sound.channels or None
    raw.sample_rate = sound.sample_rate or None
    plain = sound.codec in ("pcm", "float", "alaw", "mulaw")
    if plain:
        raw.bit_depth = sound.bits or None
    frames = data // sound.frame_bytes if plain and sound.frame_bytes else max(fact, sound.frames)
    if frames > 0 and sound.sample_rate:
        raw.duration_seconds = frames / sound.sample_rate
        raw.bitrate_kbps = data * 8 / raw.duration_seconds / 1000
