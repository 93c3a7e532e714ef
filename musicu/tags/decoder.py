"""What the decoder of a file says of it, where our own readers find no length.

That is so for Matroska, raw AAC and AC-3, fragmented MP4 and the other formats of FFmpeg, and for
rare ones of libsndfile. Streams without a length are gone through packet by packet, not decoded.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from musicu.audio import open_source
from musicu.audio.av_source import AvSource
from musicu.audio.source import UNKNOWN_FRAMES
from musicu.errors import AudioError, MissingExtraError
from musicu.tags.formats.raw_tags import RawTags

_VAGUE = (None, "ac3")  # our own mark cannot tell AC-3 from E-AC-3


def fill_from_decoder(file: Path, raw: RawTags) -> None:
    """Take length, format and fields from the file's decoder, where `raw` has none.

    Nothing is changed where no decoder can open the file: hearing it will say why.
    """
    with suppress(AudioError, MissingExtraError), open_source(file) as source:
        if 0 < source.frames < UNKNOWN_FRAMES:
            raw.duration_seconds = source.frames / source.sample_rate
        raw.sample_rate = raw.sample_rate or source.sample_rate
        raw.channels = raw.channels or source.channels
        if isinstance(source, AvSource):
            raw.codec = source.codec if raw.codec in _VAGUE else raw.codec
            for fields in source.fields:
                tag = RawTags()
                for name, value in fields.items():
                    tag.add(name, value)
                raw.fill_from(tag)
    if raw.duration_seconds and not raw.bitrate_kbps:
        with suppress(OSError):
            raw.bitrate_kbps = file.stat().st_size * 8 / raw.duration_seconds / 1000
