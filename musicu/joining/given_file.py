"""A file that somebody gives: opened through gzip, bzip2, xz, Zstandard and tar, as a stream."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from musicu.errors import SourceError
from musicu.joining.join_notes import JoinNotes
from musicu.tags.dates import FIRST_YEAR, LAST_YEAR

#: What reading a damaged archive raises.
ARCHIVE_ERRORS = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    pa.ArrowException,
)

_BLOCK, _PIECE = 1 << 22, 1 << 18
_LONGEST_LINE = 1 << 25
_MAGIC = {
    b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd",
}  # fmt: skip
_DAY = re.compile(r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)(?!\d)")


@dataclass(frozen=True, slots=True)
class GivenPart:
    """A file, or a member of an archive: its name within it, and its bytes as a stream."""

    name: str
    stream: Any  # with read(n) -> bytes


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Whole lines, each with its end, and the number of the first one."""

    data: bytes
    first_line: int


@dataclass(slots=True)
class GivenFile:
    """One file of a join.

    columns: which column of a table means what, ours → theirs. day: of when its contents are, as
    the user, its archive or its name says, else when it was written.
    """

    path: Path
    notes: JoinNotes
    columns: dict[str, str] = field(default_factory=dict)
    day: date = date.min
    day_is_given: bool = False

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise SourceError(f"{self.path} is not a file: give the dump or table itself")
        self.day = _day_in(self.path.name) or _modified(self.path)

    def parts(self) -> Iterator[GivenPart]:
        """The file itself, or the members of a tar archive, in turn.

        Where an archive ends early, what was read of it stands, and the damage is noted.
        """
        stream = _decompressed(self.path)
        try:
            if not _is_tar(self.path):
                yield GivenPart(self.path.name, stream)
                return
            yield from self._members(stream)
        except ARCHIVE_ERRORS as error:
            self.notes.damage(f"the archive is damaged or ends early ({error})", self.path.name)
        finally:
            stream.close()

    def _members(self, stream: Any) -> Iterator[GivenPart]:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is None:
                    continue
                name = member.name.rsplit("/", 1)[-1]
                if name == "TIMESTAMP":
                    told = _day_in(file.read(100).decode("ascii", "replace"))
                    self.day = told if told and not self.day_is_given else self.day
                else:
                    yield GivenPart(name, file)

    def lines(self, part: GivenPart) -> Iterator[LineBlock]:
        """A part some megabytes at a time, whole lines each; the last one may lack its end.

        A line of more than 32 MB is damage.
        """
        rest, line = b"", 1
        for block in self.blocks(part):
            end = block.rfind(b"\n") + 1
            if not end:
                rest += block
                if len(rest) > _LONGEST_LINE:
                    self.notes.damage(
                        "a line of more than 32 MB", f"{part.name}:{line}", rest[:200]
                    )
                    rest = b""  # what follows of it is no row either
                continue
            data = rest + block[:end]
            yield LineBlock(data, line)
            line += data.count(b"\n")
            rest = block[end:]
        if rest:
            yield LineBlock(rest, line)

    def blocks(self, part: GivenPart) -> Iterator[bytes]:
        """The bytes of a part, some megabytes at a time.

        What comes before a damaged place of the archive stands.
        """
        read = getattr(part.stream, "read1", part.stream.read)  # `read` drops what came so far
        held: list[bytes] = []
        size = 0
        while True:
            try:
                piece = read(_PIECE)
            except ARCHIVE_ERRORS as error:
                reason = f"the archive is damaged or ends early ({error})"
                self.notes.damage(reason, part.name)
                piece = b""
            held.append(piece)
            size += len(piece)
            if size and (size >= _BLOCK or not piece):
                yield b"".join(held)
                held, size = [], 0
            if not piece:
                return


def _decompressed(path: Path) -> Any:
    """The bytes of a file, unpacked as its first bytes say."""
    try:
        with path.open("rb") as file:
            head = file.read(6)
        kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
        if kind == "gzip":
            return gzip.open(path)
        if kind == "bz2":
            return bz2.open(path)
        if kind == "xz":
            return lzma.open(path)
        if kind == "zstd":
            return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
        return path.open("rb")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error


def _is_tar(path: Path) -> bool:
    """Whether the unpacked bytes are a tar archive."""
    stream: IO[bytes] = _decompressed(path)
    try:
        return bytes(stream.read(265))[257:262] == b"ustar"
    except ARCHIVE_ERRORS:
        return False
    finally:
        stream.close()


def _day_in(text: str) -> date | None:
    """The first day in a text such as "discogs_20200806_releases.xml.gz"."""
    for found in _DAY.finditer(text):
        try:
            day = date(*map(int, found.groups()))
        except ValueError:
            continue
        if FIRST_YEAR <= day.year <= LAST_YEAR:
            return day
    return None


def _modified(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, tz=timezone.utc).date()
