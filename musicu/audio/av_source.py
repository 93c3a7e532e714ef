"""Formats that only FFmpeg decodes, through PyAV (the extra `av`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from musicu.audio.source import UNKNOWN_FRAMES
from musicu.errors import AudioError, MissingExtraError

_PREROLL_SECONDS = 0.25  # decoded and dropped before a seek's target, as decoders need a run-up
# Raw streams and other formats without a reliable length.
_UNTIMED = {"aac", "avi", "ac3", "eac3", "dts", "dtshd", "truehd", "mp3", "amr"}
_SCALES = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0, "s64": 9223372036854775808.0}


def has_av() -> bool:
    """Whether PyAV is installed."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


def _metadata_errors() -> dict[str, str]:
    """What makes PyAV before 19 escape tags that are not UTF-8; later versions always do."""
    import av

    return {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}


def _text(escaped: str) -> str:
    """A tag with U+FFFD in place of escaped bytes, which are no valid text."""
    return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class AvSource:
    """A recording decoded by FFmpeg; see `AudioSource`. name: of the format, for errors.

    codec: FFmpeg's name of it. fields: the tags of the file, then of its stream of sound.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        if not has_av():
            raise MissingExtraError(name, "av")
        import av

        self._errors: tuple[type[Exception], ...] = (av.error.FFmpegError, OSError, ValueError)
        self.cut = False
        self._file, self._name = file, name
        first = next(self._open(), None)
        if first is None:
            raise AudioError(f"{name}: FFmpeg finds no audio that it can decode")
        self.sample_rate, self.channels = int(first.sample_rate), len(first.layout.channels)
        self.codec = str(self._stream.codec_context.name)
        self.fields: tuple[dict[str, str], ...] = tuple(
            {_text(key): _text(value) for key, value in part.metadata.items()}
            for part in (self._container, self._stream)
        )
        self._origin = first.pts or 0
        self.promised = self._container.format.name not in _UNTIMED
        self._timed = self.promised or self._container.format.name == "aac"
        self.frames = self._declared()
        self._restart()

    def _open(self) -> Iterator[Any]:
        """Open the container at its beginning; returns the decoded frames."""
        import av

        self._file.seek(0)
        try:
            # No protocol: a disguised playlist must not open other files or addresses.
            options = {"protocol_whitelist": "none"}
            self._container: Any = av.open(self._file, options=options, **_metadata_errors())
        except self._errors as error:
            said = getattr(error, "strerror", None) or str(error)
            raise AudioError(f"damaged {self._name}: FFmpeg says {said!r}") from error
        if not self._container.streams.audio:
            raise AudioError("not audio: a picture or video without sound")
        self._stream: Any = self._container.streams.audio[0]
        return self._decode()

    def _declared(self) -> int:
        """The length in frames from the container, or from the packets where that is a guess."""
        if self.promised and self._stream.duration is not None:
            return round(float(self._stream.duration * self._stream.time_base) * self.sample_rate)
        if self.promised and self._container.duration is not None:
            return round(float(self._container.duration) / 1e6 * self.sample_rate)
        self._restart()
        ticks = 0
        try:
            for packet in self._container.demux(self._stream):
                ticks += packet.duration or 0
        except self._errors:
            self.cut = True
        frames = round(float(ticks * self._stream.time_base) * self.sample_rate)
        return frames or UNKNOWN_FRAMES

    def seek(self, frame: int) -> bool:
        """Go to a frame; False where FFmpeg cannot."""
        if not self._timed:
            return False
        early = max(0, frame - round(_PREROLL_SECONDS * self.sample_rate))
        if early == 0:
            self._restart()
            return self._skip(frame)
        ticks = self._origin + int(early / self.sample_rate / self._stream.time_base)
        if not self._go(ticks):
            return False
        first = next(self._decoder, None)
        if first is None or first.pts is None or not self._fits(first):
            return False
        seconds = float((first.pts - self._origin) * self._stream.time_base)
        at = round(seconds * self.sample_rate)
        self._pending = _samples(first)
        return at <= frame and self._skip(frame - at)

    def _restart(self) -> None:
        """Reopen the file; a seek to the start would lose samples that FFmpeg skips there."""
        self._container.close()
        self._decoder = self._open()
        self._pending = np.empty((0, self.channels), dtype=np.float32)

    def _go(self, ticks: int) -> bool:
        try:
            self._container.seek(ticks, stream=self._stream, backward=True)
        except self._errors:
            return False
        self._decoder = self._decode()
        self._pending = np.empty((0, self.channels), dtype=np.float32)
        return True

    def _skip(self, frames: int) -> bool:
        return len(self.read(frames)) == frames

    def read(self, frames: int) -> NDArray[np.float32]:
        """The next frames, float32 [n, channels]; fewer at the end or where decoding stops."""
        blocks, got = [self._pending], len(self._pending)
        while got < frames:
            frame = next(self._decoder, None)
            if frame is None or not self._fits(frame):
                break
            blocks.append(_samples(frame))
            got += len(blocks[-1])
        joined = np.concatenate(blocks)
        self._pending = joined[frames:]
        return joined[:frames]

    def _decode(self) -> Iterator[Any]:
        """Decoded frames from here on, up to the first damage."""
        try:
            yield from self._container.decode(self._stream)
        except self._errors:
            self.cut = True

    def _fits(self, frame: Any) -> bool:
        """Whether a frame has the recording's rate and channels."""
        same_rate = frame.sample_rate == self.sample_rate
        return bool(same_rate and len(frame.layout.channels) == self.channels)

    def close(self) -> None:
        """Release the decoder."""
        self._container.close()


def _samples(frame: Any) -> NDArray[np.float32]:
    """A frame's samples, float32 [n, channels], integers scaled to [-1, 1)."""
    kind, values = frame.format.name, frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, len(frame.layout.channels)).T
    scale = _SCALES.get(kind.removesuffix("p"))
    if scale is None:  # float or double
        samples = values.T.astype(np.float32)
    else:
        middle = 128.0 if kind.startswith("u8") else 0.0
        samples = ((values.T.astype(np.float64) - middle) / scale).astype(np.float32)
    return np.ascontiguousarray(samples)
