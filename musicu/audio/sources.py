"""An open recording: blocks of float samples from a position, whatever the format."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from musicu.audio import formats, mpeg, ogg
from musicu.audio.splice import Splice
from musicu.errors import AudioError

#: Frames decoded by one call. What a decoder has in hand when it fails is lost: keep it small.
BLOCK = 16384

MAX_CHANNELS = 64

_UNKNOWN_FRAMES = 1 << 62  # libsndfile says 2^63 - 1 for a FLAC file without a length


class Source(Protocol):
    """A recording that can be read from any frame (one sample of each channel).

    sample_rate: Hz. channels: their number.
    frames: the length that the file declares; not to be trusted, neither up nor down.
    promised: whether fewer than `frames` mean that something is missing.
    cut: whether the file's own structure says that its end is missing.
    """

    sample_rate: int
    channels: int
    frames: int
    promised: bool
    cut: bool

    def seek(self, frame: int) -> bool:
        """Go to a frame; False where the decoder cannot."""
        ...

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next frames, float32 [n, channels]; fewer at the end or where decoding stops."""
        ...

    def close(self) -> None:
        """Give the decoder back."""
        ...


@contextmanager
def open_source(path: str | Path) -> Iterator[Source]:
    """Open a recording for reading by frames.

    Raises AudioError where the path is no readable file or the file holds no sound, and
    MissingExtraError where its format needs PyAV and that is not installed.
    """
    with _open_file(Path(path)) as file:
        source = _choose(file, os.fstat(file.fileno()).st_size)
        try:
            _check(source)
            yield source
        finally:
            source.close()


def _open_file(path: Path) -> BinaryIO:
    """Open a regular file; a pipe or device is refused without waiting on it."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError("a folder, not a file")
        if not stat.S_ISREG(mode):
            raise AudioError("a pipe or device, not a file")
        return os.fdopen(os.open(path, flags), "rb")
    except FileNotFoundError:
        raise AudioError("no such file") from None
    except PermissionError:
        raise AudioError("no permission to read the file") from None
    except (OSError, ValueError) as error:  # a loop of links, a name too long, a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"cannot be opened: {reason.lower()}") from None


def _check(source: Source) -> None:
    """Refuse what no recording has, before anything is allocated by it."""
    if not 1000 <= source.sample_rate <= 1_000_000:
        raise AudioError(f"damaged: the header gives a sample rate of {source.sample_rate} Hz")
    if source.channels > MAX_CHANNELS:
        raise AudioError(f"{source.channels} channels; at most {MAX_CHANNELS} can be read")


def _choose(file: BinaryIO, size: int) -> Source:
    """The decoder that reads the file."""
    if size == 0:
        raise AudioError("the file is empty")
    begin, head = formats.find_audio(file)
    if name := formats.sndfile_format(head):
        try:
            return _open_sndfile(file, size, begin, name)
        except sf.SoundFileError as error:
            return _open_av(file, name, f"damaged or of a rare kind ({_plain(error)})")
    if name := formats.av_format(head):
        return _open_av(file, name, "")
    if what := formats.not_audio(head):
        raise AudioError(f"not audio: the file is {what}")
    stream = mpeg.open_stream(file, size)
    if stream is not None:
        return _open_mpeg(stream)
    try:
        return SndfileSource(file)
    except sf.SoundFileError:
        return _open_av(file, None, "not audio, or damaged at its beginning")


def _open_av(file: BinaryIO, name: str | None, why: str) -> Source:
    from musicu.audio.av_source import AvSource, has_av

    if name is None and not has_av():
        raise AudioError(f"{why} (starts with {_start(file)})")
    return AvSource(file, name or "this file", why)


def _start(file: BinaryIO) -> str:
    file.seek(0)
    return file.read(8).hex(" ")


def _open_sndfile(file: BinaryIO, size: int, begin: int, name: str) -> Source:
    """libsndfile on the file, or on a view of it that libsndfile understands."""
    if name == "Ogg Opus":
        repair = ogg.repair_opus(file, size)
        return SndfileSource(repair.file or file, cut=not repair.whole)
    if name == "Ogg FLAC":
        repair = ogg.unwrap_flac(file)
        return SndfileSource(repair.file or file, cut=not repair.whole)
    if name.startswith("Ogg"):
        return SndfileSource(file, cut=not ogg.ends_marked(file, size))
    if begin == 0:
        return SndfileSource(file)
    view = Splice(file)
    view.add_file(begin, size - begin)
    return SndfileSource(view)


def _open_mpeg(stream: mpeg.Stream) -> Source:
    try:
        return SndfileSource(stream.file, promised=stream.exact, cut=stream.cut)
    except sf.SoundFileError as error:
        raise AudioError(f"damaged MP3: {_plain(error)}") from error


def _plain(error: sf.SoundFileError) -> str:
    """libsndfile's own words without soundfile's prefix."""
    words = getattr(error, "error_string", str(error))
    return str(words).removeprefix("Error : ").rstrip(".")


class _SequentialFile(sf.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A SoundFile that does not seek after each read.

    soundfile seeks to the new position after every read of a seekable file. In an MP3 that
    restarts the decoder without the frames before, and the sound is wrong there (by up to half
    of full scale).
    """

    def seekable(self) -> bool:
        return False


class SndfileSource:
    """A recording that libsndfile reads; see `Source`."""

    def __init__(
        self, file: BinaryIO | Splice, *, promised: bool = True, cut: bool = False
    ) -> None:
        file.seek(0)
        self._file = _SequentialFile(file)
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.frames = int(self._file.frames)
        # libmpg123 guesses the length of the MP3 in a WAV.
        self.promised = promised and (
            "MPEG" not in self._file.subtype or self._file.format == "MP3"
        )
        self.cut = cut or _data_missing(self._file.extra_info)
        # libmpg123 drops the bit reservoir when it seeks: the frames before must be heard.
        compressed = self._file.format in ("MP3", "OGG") or "MPEG" in self._file.subtype
        self._preroll = self.sample_rate // 4 if compressed else 0

    def seek(self, frame: int) -> bool:
        """Go to a frame; False where libsndfile cannot."""
        start = max(0, frame - self._preroll)
        try:
            reached = self._file.seek(start)
        except (sf.SoundFileError, OSError):
            return False
        return bool(reached == start) and len(self.read(frame - start)) == frame - start

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next frames, float32 [n, channels]; fewer at the end or where decoding stops."""
        block = np.empty((frames, self.channels), dtype=np.float32)
        done = 0
        while done < frames:
            try:
                got = len(self._file.read(out=block[done : done + BLOCK]))
            except (sf.SoundFileError, OSError):
                break
            if got == 0:
                break
            done += got
        return block[:done]

    def close(self) -> None:
        """Give the decoder back."""
        self._file.close()


_DATA_SIZE = re.compile(
    r"^ *(?:data|SSND|Data Size|Riff size|riff) *: (\d+) \(should be (\d+)\)", re.MULTILINE
)
_UNKNOWN_SIZE = 0x7FFFF000  # what writes to a pipe puts this or more for the size


def _data_missing(log: str) -> bool:
    """Whether libsndfile noted that the sound is shorter than the header says."""
    found: list[Any] = _DATA_SIZE.findall(log)
    return any(int(actual) < int(told) < _UNKNOWN_SIZE for told, actual in found)
