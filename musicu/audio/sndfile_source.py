"""Formats that libsndfile decodes, through soundfile."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from musicu.audio.source import UNKNOWN_FRAMES
from musicu.audio.splice import Splice

#: Frames decoded per call. A decoder that fails loses its current block, so blocks are small.
BLOCK = 16384
# libsndfile misses seek targets in Ogg Vorbis that lie less than 2 s ahead: read up to those.
_SHORT_SEEK_SECONDS = 2.5


class _SequentialFile(sf.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A SoundFile that does not seek after each read.

    soundfile seeks to the new position after every read of a seekable file. In an MP3 that
    restarts the decoder without the previous frames, and the samples there are wrong (by up to
    half of full scale).
    """

    def seekable(self) -> bool:
        return False


class SndfileSource:
    """A recording decoded by libsndfile; see `AudioSource`."""

    def __init__(self, file: Splice, *, promised: bool = True, cut: bool = False) -> None:
        file.seek(0)
        descriptor = file.descriptor()
        self._file = _SequentialFile(file if descriptor is None else descriptor)
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.frames = int(self._file.frames)
        guessed = self._file.format != "MP3" and "MPEG" in self._file.subtype  # MP3 in a WAV
        self.promised = promised and not guessed and self.frames < UNKNOWN_FRAMES
        self.cut = cut or _data_missing(self._file.extra_info)
        self._vorbis = self._file.subtype == "VORBIS"
        self._preroll = self._preroll_frames()
        self._at = 0

    def _preroll_frames(self) -> int:
        """Frames to decode and drop before a seek target, so that samples from there on are right.

        libmpg123 drops the bit reservoir (ISO/IEC 11172-3, 2.4.3.4: 511 bytes at most) and decodes
        four frames again, too few at 32 kbit/s; Opus has to converge; Vorbis needs nothing.
        """
        if self._file.format == "MP3" or "MPEG" in self._file.subtype:
            return 6 * 1152 if self.sample_rate >= 32_000 else self.sample_rate // 4
        return self.sample_rate // 4 if self._file.subtype == "OPUS" else 0

    def seek(self, frame: int) -> bool:
        """Go to a frame; False where libsndfile cannot."""
        start = max(0, frame - self._preroll)
        if self._vorbis and 0 <= start - self._at < _SHORT_SEEK_SECONDS * self.sample_rate:
            return len(self.read(frame - self._at)) == frame - self._at
        try:
            reached = self._at = self._file.seek(start)
        except (sf.SoundFileError, OSError):
            return False
        return bool(reached == start) and len(self.read(frame - start)) == frame - start

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next frames, float32 [n, channels]; fewer at the end or where decoding stops."""
        block = np.empty((frames, self.channels), dtype=np.float32)
        done = 0
        while done < frames:
            try:
                got = self._file.buffer_read_into(block[done : done + BLOCK], "float32")
            except (sf.SoundFileError, OSError):
                break
            if got == 0:
                break
            done += got
        self._at += done
        return block[:done]

    def close(self) -> None:
        """Release the decoder."""
        self._file.close()


_DATA_SIZE = re.compile(
    r"^ *(?:data|SSND|Data Size|Riff size|riff) *: (\d+) \(should be (\d+)\)", re.MULTILINE
)
_UNKNOWN_SIZE = 0x7FFFF000  # encoders that write to a pipe give this size or more


def _data_missing(log: str) -> bool:
    """Whether libsndfile logged that the data are shorter than the header says."""
    found: list[Any] = _DATA_SIZE.findall(log)
    return any(int(actual) < int(told) < _UNKNOWN_SIZE for told, actual in found)
