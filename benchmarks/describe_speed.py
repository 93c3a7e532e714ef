"""How fast `musicu describe` is on one core, decoding included.

    python benchmarks/describe_speed.py [FILE...] [--seconds 180] [--runs 5]

Processor time, the best of the runs. Without files, made music in stereo at 44.1 kHz is written
as WAV, FLAC, MP3 and Ogg Vorbis. As processors differ, and one that is shared slows down, each
row also says how often a fixed reference fits into the time: 1,000 real Fourier transforms of
8,192 samples, measured between the runs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from scipy import fft

from musicu.features import describe

RATE = 44_100
KINDS = {"wav": "WAV", "flac": "FLAC", "mp3": "MP3", "ogg": "OGG"}


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("files", type=Path, nargs="*")
    options.add_argument("--seconds", type=float, default=180.0)
    options.add_argument("--runs", type=int, default=5)
    chosen = options.parse_args()
    print("| file | times real time | of the reference |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for path in chosen.files or made(Path(scratch), chosen.seconds):
            heard = float(describe(path).heard_seconds)
            spent = [
                (_spent(lambda path=path: describe(path)), _spent(_reference))
                for _ in range(chosen.runs)
            ]
            ours, reference = (min(column) for column in zip(*spent, strict=True))
            print(f"| {path.name} | {heard / ours:.0f} | {ours / reference:.1f} |", flush=True)


def made(folder: Path, seconds: float) -> list[Path]:
    """Chords, a beat and hiss, a little different in both channels, in each kind of file."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * RATE)) / RATE
    root = 110.0 * 2.0 ** (np.array([0, 5, 7, 9])[(t // 2).astype(int) % 4] / 12.0)
    turns = 2.0 * np.pi * np.cumsum(root) / RATE
    tones = sum(np.sin(n * turns) / n for n in (1, 2, 3, 4, 5, 6, 8))
    beat = rng.standard_normal(len(t)) * np.exp(-(t % 0.5) / 0.03)
    left, right = 0.3 * tones + 0.5 * beat, 0.2 * tones + 0.6 * beat
    planes = np.stack([left, right], axis=1) + 0.01 * rng.standard_normal((len(t), 2))
    loud: NDArray[np.float32] = (0.8 * planes / np.abs(planes).max()).astype(np.float32)
    paths = [folder / f"made.{suffix}" for suffix in KINDS]
    for path, kind in zip(paths, KINDS.values(), strict=True):
        with sf.SoundFile(path, "w", RATE, 2, format=kind) as file:
            for first in range(0, len(loud), RATE):
                file.write(loud[first : first + RATE])
    return paths


def _spent(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _reference() -> None:
    fft.rfft(np.ones((1000, 8192), np.float32), axis=1)


if __name__ == "__main__":
    main()
