"""Changes to a recording that a listener would hardly call another recording.

Each writes a file, which is then read like any other: windows fall where they fall. All are
made from mono sound at 48 kHz. Lossy files hold 64 kbit/s for that one channel: MP3 constant,
Opus nearly so, Vorbis at quality 0.3, which came to 53 to 63 kbit/s on four pieces of music.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Write = Callable[[Samples, Path], Path]

RATE = 48_000  # Hz; one that every codec here takes
BLOCK = 4_800  # libsndfile's Vorbis encoder overruns the stack on long writes

#: What the compression levels of libsndfile 1.2 mean for one channel at 48 kHz.
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
PLAIN = {"format": "WAV", "subtype": "FLOAT"}


def write_sound(samples: Samples, path: Path, codec: dict[str, Any]) -> None:
    """Write mono float32 [n] at `RATE` into a file of that codec."""
    import soundfile

    with soundfile.SoundFile(path, "w", samplerate=RATE, channels=1, **codec) as file:
        for start in range(0, len(samples), BLOCK):
            file.write(samples[start : start + BLOCK])


def quieter(samples: Samples) -> Samples:
    """12 dB down."""
    quiet: Samples = samples * np.float32(10 ** (-12 / 20))
    return quiet


def middle(samples: Samples, seconds: float = 30.0) -> Samples:
    """The middle 30 seconds, or all where there are fewer."""
    length = min(len(samples), round(seconds * RATE))
    start = (len(samples) - length) // 2
    return samples[start : start + length]


def at_speed(samples: Samples, speed: float) -> Samples:
    """Played `speed` times as fast, as from a turntable: tempo and pitch change together."""
    import soxr

    return np.asarray(soxr.resample(samples, RATE * speed, RATE), dtype=np.float32)


def _encode(codec: str, name: str) -> Write:
    def write(samples: Samples, folder: Path) -> Path:
        write_sound(samples, folder / name, CODECS[codec])
        return folder / name

    return write


def _change(change: Callable[[Samples], Samples]) -> Write:
    def write(samples: Samples, folder: Path) -> Path:
        write_sound(change(samples), folder / "changed.wav", PLAIN)
        return folder / "changed.wav"

    return write


#: By name: writes the changed samples, float32 [n] at RATE, into a file in the folder.
PERTURBATIONS: dict[str, Write] = {
    "MP3 64 kbit/s": _encode("MP3", "changed.mp3"),
    "Opus 64 kbit/s": _encode("Opus", "changed.opus"),
    "Vorbis 64 kbit/s": _encode("Vorbis", "changed.ogg"),
    "12 dB down": _change(quieter),
    "middle 30 s": _change(middle),
    "3 % faster": _change(lambda samples: at_speed(samples, 1.03)),
    "3 % slower": _change(lambda samples: at_speed(samples, 0.97)),
}
