"""Encoding audio to files, and decoding it again after a lossy codec."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATE = 48_000  # Hz; every codec here supports it
BLOCK = 4_800  # libsndfile's Vorbis encoder overflows the stack on long writes

#: Compression levels of libsndfile 1.2 that give about 64 kbit/s for one channel at 48 kHz.
CODECS: dict[str, dict[str, Any]] = {
    "MP3": {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "compression_level": (320 - 64) / (320 - 32),
        "bitrate_mode": "CONSTANT",
    },
    "Opus": {"format": "OGG", "subtype": "OPUS", "compression_level": 1 - (64 - 6) / 250},
    "Vorbis": {"format": "OGG", "subtype": "VORBIS", "compression_level": 0.7},
}


def write_sound(
    samples: Samples, file: Path | BinaryIO, codec: dict[str, Any], rate: int = RATE
) -> None:
    """Encode mono float32 [n] at `rate` Hz into a file."""
    import soundfile

    with soundfile.SoundFile(file, "w", samplerate=rate, channels=1, **codec) as sound:
        for start in range(0, len(samples), BLOCK):
            sound.write(samples[start : start + BLOCK])


def encode_and_decode(samples: Samples, codec: dict[str, Any], rate: int = RATE) -> Samples:
    """Mono float32 [n] at `rate` Hz after encoding and decoding."""
    import soundfile

    file = io.BytesIO()
    write_sound(samples, file, codec, rate)
    file.seek(0)
    decoded: Samples = soundfile.read(file, dtype="float32")[0]
    return decoded
