"""Decoding: file formats, seeking, resampling to mono, windows."""

from musicu.audio.decoding import (
    check_length,
    is_short,
    reaches_end,
    read_audio,
    read_samples,
    read_segments,
)
from musicu.audio.opening import open_source
from musicu.audio.placement import Span, place_windows
from musicu.audio.source import AudioSource

__all__ = [
    "AudioSource",
    "Span",
    "check_length",
    "is_short",
    "open_source",
    "place_windows",
    "reaches_end",
    "read_audio",
    "read_samples",
    "read_segments",
]
