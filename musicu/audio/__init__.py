"""Decoding: file formats, seeking, resampling to mono, windows."""

from musicu.audio.decoding import MIN_SECONDS, read_audio, read_segments, stream_blocks
from musicu.audio.opening import open_source
from musicu.audio.placement import Span, place_windows
from musicu.audio.source import AudioSource

__all__ = [
    "MIN_SECONDS",
    "AudioSource",
    "Span",
    "open_source",
    "place_windows",
    "read_audio",
    "read_segments",
    "stream_blocks",
]
