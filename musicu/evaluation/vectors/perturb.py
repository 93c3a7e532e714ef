"""Perturbations of a recording that keep its music.

Each writes a file, which is then read and windowed like any other. All are made from mono audio at
48 kHz. Lossy files have about 64 kbit/s for that one channel: MP3 constant, Opus nearly so, Vorbis
at quality 0.3, which gave 53 to 63 kbit/s on four pieces of music.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from musicu.audio.encoding import CODECS, RATE, Samples, write_sound

Write = Callable[[Samples, Path], Path]

PLAIN = {"format": "WAV", "subtype": "FLOAT"}


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
    """Resampled to `speed` times the tempo; the pitch changes with it, as on a turntable."""
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
