"""Two systems that need no weights, as peers: librosa's statistics and Essentia's extractor.

    python benchmarks/elsewhere_peers.py librosa|essentia LIST FOLDER [--seconds N]

LIST names audio files, one a line; FOLDER gets an `.npy` for each, so that a run that was stopped
goes on. librosa's are the 131 statistics of the first three minutes: mean and deviation of 20
MFCC, their deltas, chroma, contrast, centroid, bandwidth, rolloff, flatness, RMS and zero
crossings, and the tempo. Essentia's are the means, deviations and single numbers of its music
extractor over the first minute.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
LIBROSA_SECONDS, ESSENTIA_SECONDS, RATE = 180, 60, 22050


def librosa_statistics(path: Path) -> Rows:
    """131 statistics of a file, float64 [131]."""
    import librosa

    sound, rate = librosa.load(path, sr=RATE, duration=LIBROSA_SECONDS)
    magnitude = np.abs(librosa.stft(sound))
    power = magnitude**2
    bands = librosa.power_to_db(librosa.feature.melspectrogram(S=power, sr=rate))
    mfcc = librosa.feature.mfcc(S=bands, n_mfcc=20)
    curves = [
        mfcc,
        librosa.feature.delta(mfcc),
        librosa.feature.chroma_stft(S=power, sr=rate),
        librosa.feature.spectral_contrast(S=magnitude, sr=rate),
        librosa.feature.spectral_centroid(S=magnitude, sr=rate),
        librosa.feature.spectral_bandwidth(S=magnitude, sr=rate),
        librosa.feature.spectral_rolloff(S=magnitude, sr=rate),
        librosa.feature.spectral_flatness(S=magnitude),
        librosa.feature.rms(S=magnitude),
        librosa.feature.zero_crossing_rate(sound),
    ]
    onsets = librosa.onset.onset_strength(S=bands, sr=rate)
    tempo = librosa.feature.tempo(onset_envelope=onsets, sr=rate)
    return np.concatenate([part for c in curves for part in (c.mean(1), c.std(1))] + [tempo])


def essentia_numbers(path: Path) -> Rows:
    """What the extractor says of a file in numbers, float64 [numbers], the same for every file."""
    import essentia
    import essentia.standard

    essentia.log.infoActive = False
    essentia.log.warningActive = False
    kinds = {f"{part}Stats": ["mean", "stdev"] for part in ("lowlevel", "rhythm", "tonal")}
    extractor = essentia.standard.MusicExtractor(startTime=0, endTime=ESSENTIA_SECONDS, **kinds)
    pool, _ = extractor(str(path))
    names = (name for name in sorted(pool.descriptorNames()) if not name.startswith("metadata"))
    values = {name: pool[name] for name in names if name != "rhythm.beats_position"}
    numbers = [np.ravel(v) for v in values.values() if isinstance(v, (float, np.ndarray))]
    return np.nan_to_num(np.concatenate(numbers).astype(np.float64))


PEERS: dict[str, Callable[[Path], Rows]] = {
    "librosa": librosa_statistics,
    "essentia": essentia_numbers,
}


def kept_at(folder: Path, name: str, path: Path) -> Path:
    """Where a peer's numbers of a file are kept."""
    return folder / name / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.npy"


def hear_missing(name: str, paths: list[Path], folder: Path, seconds: float = np.inf) -> None:
    """Keep a peer's numbers of the files that it has not heard yet, for so many seconds."""
    began = time.monotonic()
    for path in paths:
        kept = kept_at(folder, name, path)
        if not kept.is_file() and time.monotonic() - began < seconds:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, PEERS[name](path))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("list", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after so many")
    options = parser.parse_args()
    paths = [Path(line) for line in options.list.read_text().splitlines()]
    hear_missing(options.peer, paths, options.folder, options.seconds)


if __name__ == "__main__":
    main()
