"""The format of a file, from its first bytes and never from its name."""

from __future__ import annotations

import re
from typing import BinaryIO

from musicu.audio.mp3_stream import tags_end

#: Formats that need PyAV, by the bytes at an offset.
_WITH_AV: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "MP4/M4A (AAC or ALAC)"),
    (4, b"moov", "QuickTime"),
    (4, b"mdat", "QuickTime"),
    (4, b"wide", "QuickTime"),
    (0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "WMA (ASF)"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska/WebM"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"TTA1", "True Audio"),
    (0, b"TTA2", "True Audio"),
    (0, b"ADIF", "AAC (ADIF)"),
    (0, b"\x0b\x77", "AC-3"),
    (0, b"\x7f\xfe\x80\x01", "DTS"),
    (0, b"DSD ", "DSD (DSF)"),
    (0, b"FRM8", "DSD (DSDIFF)"),
    (0, b"OFR ", "OptimFROG"),
    (0, b"tBaK", "TAK"),
    (0, b"#!AMR", "AMR"),
    (0, b".RMF", "RealMedia"),
    (0, b".ra\xfd", "RealAudio"),
    (0, b"FLV\x01", "Flash video"),
    (8, b"AVI ", "AVI"),
    (0, b"\x00\x00\x01\xba", "MPEG program stream"),
)

#: Formats that libsndfile reads, by the bytes at an offset.
_WITH_SNDFILE: tuple[tuple[int, bytes, str], ...] = (
    (0, b"RIFF", "WAV"),
    (0, b"RIFX", "WAV"),
    (0, b"RF64", "WAV"),
    (0, b"riff", "WAV"),
    (0, b"FORM", "AIFF"),
    (0, b"fLaC", "FLAC"),
    (0, b".snd", "AU"),
    (0, b"caff", "CAF"),
    (0, b"Creative Voice", "VOC"),
)

_OGG: tuple[tuple[bytes, str], ...] = (
    (b"\x01vorbis", "Ogg Vorbis"),
    (b"OpusHead", "Ogg Opus"),
    (b"\x7fFLAC", "Ogg FLAC"),
    (b"Speex   ", "Ogg Speex"),
)

_OTHER: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"MThd", "a MIDI file, which holds notes and no audio"),
)

_TEXT = re.compile(rb"[\t\n\f\r\x20-\x7e\x80-\xff]+")


def find_audio(file: BinaryIO) -> tuple[int, bytes]:
    """Where the audio begins after any ID3v2 and APE tags, and the first 512 bytes there."""
    begin = tags_end(file)
    file.seek(begin)
    return begin, file.read(512)


def sndfile_format(head: bytes) -> str | None:
    """The name of a format that libsndfile may read, Ogg included; None for any other."""
    if head[:4] == b"OggS":
        body = head[27 + head[26] :] if len(head) > 26 else b""
        names = [name for magic, name in _OGG if body.startswith(magic)]
        return names[0] if names else "Ogg"
    if head[8:12] == b"AVI ":
        return None
    return _named(head, _WITH_SNDFILE)


def av_format(head: bytes) -> str | None:
    """The name of a format that needs PyAV; None for any other."""
    if len(head) > 5 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 < 13:
        return "AAC (ADTS)"
    return _named(head, _WITH_AV)


def _named(head: bytes, table: tuple[tuple[int, bytes, str], ...]) -> str | None:
    return next((name for at, magic, name in table if head[at:].startswith(magic)), None)


def not_audio(head: bytes) -> str | None:
    """The kind of a file that is not audio, in words; None where unknown."""
    known = next((name for magic, name in _OTHER if head.startswith(magic)), None)
    if known:
        return known
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and 0 in head[2:4]:
        return "text"
    return "text" if _TEXT.fullmatch(head) and _mostly_ascii(head) else None


def _mostly_ascii(head: bytes) -> bool:
    return sum(byte < 0x80 for byte in head) * 2 > len(head)
