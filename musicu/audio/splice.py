"""A read-only file composed of ranges of another file and of literal bytes."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from array import array
from bisect import bisect_right
from typing import BinaryIO

_COPIED_BYTES = 64 << 20  # longer views are read in place


class Splice(io.RawIOBase):
    """Presents ranges of `file` and literal bytes as one seekable file.

    Decoders read a repaired recording through it while the original is unchanged. A range takes
    16 bytes of memory, whatever its length.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._starts = array("q")
        self._origins = array("q")  # an offset in the file, or -1 - offset in the literals
        self._literals = bytearray()
        self._length = 0
        self._position = 0

    @classmethod
    def whole(cls, file: BinaryIO, size: int, begin: int = 0) -> Splice:
        """The file from `begin` to its end at `size`."""
        spliced = cls(file)
        spliced.add_file(begin, size - begin)
        return spliced

    def add_file(self, offset: int, length: int) -> None:
        """Append `length` bytes of the file from `offset`."""
        self._add(offset, length)

    def add_bytes(self, data: bytes) -> None:
        """Append literal bytes."""
        self._add(-1 - len(self._literals), len(data))
        self._literals += data

    def overwrite(self, offset: int, data: bytes) -> None:
        """Change literal bytes, counted over the literals alone."""
        self._literals[offset : offset + len(data)] = data

    def _add(self, origin: int, length: int) -> None:
        if length > 0:
            self._starts.append(self._length)
            self._origins.append(origin)
            self._length += length

    def descriptor(self) -> int | None:
        """A new file descriptor of the same bytes, at their beginning; None where there is none.

        Decoders read it in C without calling Python, which halves the time for an MP3. A view that
        is not a whole file is copied into a file in memory (Linux only).
        """
        if not hasattr(os, "memfd_create"):
            return None
        if self._is_whole():
            with contextlib.suppress(OSError):  # no /proc
                return os.open(f"/proc/self/fd/{self._file.fileno()}", os.O_RDONLY)
        return self._copied() if self._length <= _COPIED_BYTES else None

    def _is_whole(self) -> bool:
        """Whether this is a whole file, unchanged."""
        if list(self._origins) != [0] or type(self._file) is not io.BufferedReader:
            return False
        return os.fstat(self._file.fileno()).st_size == self._length

    def _copied(self) -> int | None:
        """A file in memory with the same bytes; None where the system cannot make one."""
        position, self._position = self._position, 0
        try:
            with os.fdopen(os.memfd_create("recording"), "wb") as copied:
                shutil.copyfileobj(self, copied, 1 << 20)
                copied.seek(0)
                return os.dup(copied.fileno())
        except OSError:
            return None
        finally:
            self._position = position

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position in the spliced file, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek as a file does; a position before the beginning is ignored.

        An exception would be printed and lost: the caller is libsndfile, in C.
        """
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        if base + offset >= 0:
            self._position = base + offset
        return self._position

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # any writable buffer
        """Fill the buffer as far as the file can be read; returns the number of bytes."""
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._length - self._position))
        done = 0
        while done < wanted:
            got = self._read_piece(view[done:wanted])
            if got == 0:  # the file was truncated since, or its disk fails
                break
            done += got
            self._position += got
        return done

    def _read_piece(self, view: memoryview) -> int:
        """Bytes from the piece at the position."""
        index = bisect_right(self._starts, self._position) - 1
        last = index + 1 == len(self._starts)
        end = self._length if last else self._starts[index + 1]
        count = min(len(view), end - self._position)
        origin, into = self._origins[index], self._position - self._starts[index]
        if origin < 0:
            at = -1 - origin + into
            view[:count] = self._literals[at : at + count]
            return count
        try:
            self._file.seek(origin + into)
            return self._file.readinto(view[:count])  # type: ignore[attr-defined, no-any-return]
        except OSError:
            return 0
