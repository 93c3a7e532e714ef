"""The content hash of a recording: of its audio without tags, so that retagging keeps it.

SHA-256 cut to 128 bits: with the CPU's SHA instructions it runs at 1.5 GB/s where BLAKE2b runs at
0.6 GB/s (AMD EPYC, one core); without them at about 0.4 GB/s, still faster than most disks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from musicu.errors import AudioError
from musicu.tags.formats import asf, chunks, flac, matroska, mp4, mpeg, ogg
from musicu.tags.formats.container import detect_container
from musicu.tags.formats.extent import AudioExtent, find_extent
from musicu.tags.formats.raw_tags import file_size, read_at

_BLOCK = 1 << 20

#: Parts of a hash in order: literal bytes, or a range (start, end) of the file.
Part = bytes | tuple[int, int]


def content_hash(file: Path) -> str:
    """32 hex digits that identify a recording, independent of its file name and tags.

    Hashed are: of MP3 the frames without ID3, APE and Lyrics3 tags and without the Xing, Info or
    VBRI frame; of FLAC the frames; of Ogg the packets of each stream without comments and page
    headers; of WAV, RF64, AIFF and CAF the samples; of MP4 the media data; of WMA the data
    packets; of Matroska the frames; each with the audio format (rate, channels, bits). Other files
    are hashed whole, except tags at both ends. A truncated file has the hash of its remaining part.

    Raises AudioError where the file cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return _hash(opened)
    except OSError as error:
        raise AudioError(f"cannot be read: {error.strerror or error}") from error


def _hash(file: BinaryIO) -> str:
    extent = find_extent(file)
    kind = detect_container(file, extent)
    digest = hashlib.sha256(kind.encode() + b"\0")
    if kind == "ogg":
        digest.update(_ogg_digests(file))
    else:
        for part in _parts(file, kind, extent):
            if isinstance(part, bytes):
                digest.update(part)
            else:
                _add_span(digest, file, *part)
    return digest.hexdigest()[:32]


def _add_span(digest: hashlib._Hash, file: BinaryIO, start: int, end: int) -> None:
    """Hash a range of the file in constant memory."""
    file.seek(start)
    block = memoryview(bytearray(min(_BLOCK, max(end - start, 0))))
    while start < end:
        count = file.readinto(block[: min(_BLOCK, end - start)])  # type: ignore[attr-defined]
        if not count:
            return
        digest.update(block[:count])
        start += count


def _parts(file: BinaryIO, kind: str, extent: AudioExtent) -> Iterator[Part]:
    """The hashed parts of a file; the whole file where no audio is found in it."""
    find = {
        **{"mpeg": _mpeg, "flac": _flac, "wav": _wav, "aiff": _aiff, "mp4": _mp4, "asf": _asf},
        "matroska": matroska.audio_parts,
        "caf": _caf,
    }
    parts = list(find[kind](file, extent)) if kind in find else []
    if any(isinstance(part, tuple) and part[1] > part[0] for part in parts):
        yield from parts
    else:
        yield extent.start, extent.end


def _mpeg(file: BinaryIO, extent: AudioExtent) -> Iterator[Part]:
    frame = mpeg.first_frame(file, extent.start, extent.end)
    if frame is not None:
        yield mpeg.audio_start(file, frame), extent.end


def _flac(file: BinaryIO, extent: AudioExtent) -> Iterator[Part]:
    """The frames, and the format in STREAMINFO; its other numbers follow from the frames."""
    end = extent.start + 4
    for kind, offset, size in flac.blocks(file, extent.start, extent.end):
        end = offset + size
        form = flac.parse_streaminfo(read_at(file, offset, size)) if kind == 0 else None
        if form is not None:
            yield repr(form[:3]).encode()
    yield end, extent.end


def _wav(file: BinaryIO, extent: AudioExtent) -> Iterator[Part]:
    """Format and samples; plain and extensible headers of the same audio count the same."""
    for chunk in chunks.chunks(file, big_endian=False):
        if chunk.name == b"fmt ":
            sound = chunks.parse_fmt(read_at(file, chunk.offset, min(chunk.size, 64)))
            yield repr(sound and sound[:4]).encode()
        elif chunk.name == b"data":
            yield chunk.offset, chunk.offset + chunk.size


def _aiff(file: BinaryIO, extent: AudioExtent) -> Iterator[Part]:
    for chunk in chunks.chunks(file, big_endian=True):
        if chunk.name == b"COMM":
            body = read_at(file, chunk.offset, min(chunk.size, 64))
            sound = chunks.parse_comm(body)
            yield repr(sound and sound[:4]).encode() + body[18:22]  # sowt or twos: the byte order
        elif chunk.name == b"SSND":
            yield chunk.offset + 8, chunk.offset + chunk.size


def _mp4(file: BinaryIO, extent: AudioExtent) -> Iterator[Part]:
    """The media data, wherever the atom that describes them lies."""
    media = mp4.audio_track(file)
    found = mp4.audio_entry(file, media) if media is not None else None
    if found is not None:
        yield repr(tuple(found[0])).encode()
    for atom in mp4.inside(file, (b"mdat",), 0, file_size(file)):
        yield atom.start, atom.end


def _caf(file: BinaryIO, extent: AudioExtent) -> Iterator[Part]:
    """The description of the sound, and the sound after its count of edits."""
    offset = 8
    while len(header := read_at(file, offset, 12)) == 12:
        name, size = header[:4], int.from_bytes(header[4:], "big", signed=True)
        offset += 12
        end = extent.end if size < 0 else min(offset + size, extent.end)
        if name == b"desc":
            yield read_at(file, offset, min(size, 32))
        elif name == b"data":
            yield offset + 4, end
        if size < 0:
            return
        offset += size


def _asf(file: BinaryIO, extent: AudioExtent) -> Iterator[Part]:
    """The data packets, after 26 bytes with the file's id and the packet count."""
    yield asf.audio_format(file)
    for item in asf.objects(file, 0, file_size(file)):
        if item.guid == asf.DATA:
            yield item.start + 26, item.end


class _OggStreamHash:
    """The hash of one logical Ogg stream: its concatenated packets without the comments."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._first = b""
        self._packets = 0  # that have ended
        self._keep: bool | None = None  # the header packet that is being read; None: not begun
        self._in_headers = True

    def add(self, page: ogg.Page) -> None:
        """Add a page: packet by packet during the headers, whole after them."""
        place = 0
        for length in page.lacing if self._in_headers else b"":
            piece = page.body[place : place + length]
            if self._keep is None:
                self._begin_packet(piece)
            if not self._in_headers:
                break
            place += length
            if self._packets == 0:
                self._first += piece
            elif self._keep:
                self.digest.update(piece)
            if length < 255:
                self._end_packet()
        self.digest.update(page.body[place:])

    def _begin_packet(self, piece: bytes) -> None:
        """Decide whether a packet is audio, a header that retagging keeps, or comments."""
        more, comments = ogg.comment_packets(self._first)
        if self._packets == 0:
            self._keep = True
        elif more < 0:  # FLAC: metadata blocks up to the first frame
            self._in_headers = piece[:1] != b"\xff"
            self._keep = False
        else:
            self._in_headers = self._packets <= more
            self._keep = self._packets != comments

    def _end_packet(self) -> None:
        if self._packets == 0:
            first = self._first
            if first.startswith(b"\x7fFLAC"):  # the format, not the number of comment packets
                first = repr((flac.parse_streaminfo(first[17:]) or ())[:3]).encode()
            self.digest.update(first)
        self._packets += 1
        self._keep = None


def _ogg_digests(file: BinaryIO) -> bytes:
    """The hashes of the logical streams, in the order in which they begin."""
    streams: list[_OggStreamHash] = []
    current: dict[int, _OggStreamHash] = {}
    for page in ogg.pages(file):
        if page.begins or page.serial not in current:
            current[page.serial] = _OggStreamHash()
            streams.append(current[page.serial])
        current[page.serial].add(page)
    return b"".join(stream.digest.digest() for stream in streams)
