"""The choice of a decoder, from a file's content and never from its name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import soundfile as sf

from musicu.audio import file_signature, mp3_stream, ogg_repair, opus
from musicu.audio.av_source import AvSource, has_av
from musicu.audio.sndfile_source import SndfileSource
from musicu.audio.source import AudioSource
from musicu.audio.splice import Splice
from musicu.errors import AudioError, MissingExtraError

MAX_CHANNELS = 64


@contextmanager
def open_source(path: str | Path) -> Iterator[AudioSource]:
    """Open a recording for reading by frames.

    Raises AudioError where the path is no readable file or the file holds no audio, and
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


def _check(source: AudioSource) -> None:
    """Refuse impossible headers before any memory is allocated for them."""
    if not 1000 <= source.sample_rate <= 1_000_000:
        raise AudioError(f"damaged: the header gives a sample rate of {source.sample_rate} Hz")
    if source.channels > MAX_CHANNELS:
        raise AudioError(f"{source.channels} channels; at most {MAX_CHANNELS} can be read")


def _choose(file: BinaryIO, size: int) -> AudioSource:
    """The decoder that reads the file."""
    if size == 0:
        raise AudioError("the file is empty")
    begin, head = file_signature.find_audio(file)
    if name := file_signature.sndfile_format(head):
        try:
            return _open_sndfile(file, size, begin, name)
        except sf.SoundFileError as error:
            return _open_rare(file, name, _plain(error))
    if name := file_signature.av_format(head):
        return AvSource(file, name)
    if what := file_signature.not_audio(head):
        raise AudioError(f"not audio: the file is {what}")
    stream = mp3_stream.open_stream(file, size)
    if stream is not None:
        return _open_mpeg(stream)
    return _open_unknown(file, size, head)


def _open_rare(file: BinaryIO, name: str, reason: str) -> AudioSource:
    """FFmpeg for what libsndfile cannot read although the format is one of its own."""
    if has_av():
        return AvSource(file, name)
    if name in ("Ogg", "Ogg Speex"):
        raise MissingExtraError(name, "av")
    raise AudioError(
        f"{name} that is damaged or of a rare kind ({reason}); if other programs play it, "
        'try pip install "musicu[av]"'
    )


def _open_unknown(file: BinaryIO, size: int, head: bytes) -> AudioSource:
    """A file of unknown signature: try libsndfile, then FFmpeg where it is installed."""
    if not head.strip(b"\0"):
        what = "nothing but zero bytes" if head else "nothing but tags"
        raise AudioError(f"not audio: {what}")
    try:
        return SndfileSource(Splice.whole(file, size))
    except sf.SoundFileError:
        if has_av():
            return AvSource(file, f"or unknown format (starts with {head[:8].hex(' ')})")
    raise AudioError(f"not audio, or damaged at its beginning (starts with {head[:8].hex(' ')})")


def _open_sndfile(file: BinaryIO, size: int, begin: int, name: str) -> AudioSource:
    """libsndfile on the file, or on a repaired view of it."""
    plain = Splice.whole(file, size, begin)
    if name == "Ogg Opus":
        repair = opus.repair_opus(file, size)
        return SndfileSource(repair.file or plain, cut=not repair.whole)
    if name == "Ogg FLAC":
        repair = ogg_repair.unwrap_flac(file)
        return SndfileSource(repair.file or plain, cut=not repair.whole)
    ends = not name.startswith("Ogg") or ogg_repair.ends_marked(file, size)
    return SndfileSource(plain, cut=not ends)


def _open_mpeg(stream: mp3_stream.Stream) -> AudioSource:
    try:
        return SndfileSource(stream.file, promised=stream.exact, cut=stream.cut)
    except sf.SoundFileError as error:
        raise AudioError(f"damaged MP3: {_plain(error)}") from error


def _plain(error: sf.SoundFileError) -> str:
    """libsndfile's own message without soundfile's prefix."""
    words = getattr(error, "error_string", str(error))
    return str(words).removeprefix("Error : ").rstrip(".")
