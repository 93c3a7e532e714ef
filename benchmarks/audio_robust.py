"""Does a copy keep its recording's nearest other: lossy, quieter, a part, faster.

    python benchmarks/audio_robust.py MUSIC [--models NAME_OR_FOLDER...] [--recordings 150]

MUSIC is a folder of recordings with `tracks.csv` (path). All of them are embedded; of those that
are drawn, by `--seed`, copies are made of the decoded sound and read in as many windows as the
recording: an MP3 at 64 kbit/s, 12 dB down and rounded to 16 bits, the middle 30 s, and 3 % faster.
A line is the share of copies whose nearest recording, but for their own, is that of the recording
itself, with a 95 % interval that draws recordings, beside its difference to the first model.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from musicu import Embedder, read_audio
from musicu.bootstrap import Resamples, interval
from musicu.embeddings.training.crops import as_lossy, as_read
from musicu.records import Audio, Windows

Samples = NDArray[np.float32]
Rows = NDArray[np.float64]
DRAWS, PART_S, FASTER, QUIETER_DB = 2000, 30, 1.03, 12.0


def _quieter(samples: Samples) -> Samples:
    steps = np.float32(2**15)
    rounded: Samples = np.round(samples * np.float32(10 ** (-QUIETER_DB / 20)) * steps) / steps
    return rounded


def _middle(samples: Samples, rate: int) -> Samples:
    size = min(len(samples), PART_S * rate)
    start = (len(samples) - size) // 2
    return samples[start : start + size]


def copies(rate: int, windows: Windows | None) -> dict[str, Callable[[Samples], Audio]]:
    """How a copy of each line is made of decoded sound, as a model reads it."""
    return {
        "MP3 at 64 kbit/s": lambda s: as_lossy(as_read(s, windows), "MP3"),
        "12 dB down": lambda s: as_read(_quieter(s), windows),
        "middle 30 s": lambda s: as_read(_middle(s, rate), windows),
        "3 % faster": lambda s: as_read(
            soxr.resample(s, rate * FASTER, rate).astype(np.float32), windows
        ),
    }


def kept(embedder: Embedder, paths: list[Path], drawn: list[int]) -> dict[str, Rows]:
    """Whether the copies of the drawn recordings keep the nearest other, 1.0 or 0.0, by line."""
    audios = (read_audio(path, embedder.sample_rate, embedder.windows) for path in paths)
    rows = np.stack([embedder.embed(audio) for audio in audios])

    def nearest(vector: NDArray[np.float32], own: int) -> int:
        likeness = rows @ vector
        likeness[own] = -np.inf
        return int(likeness.argmax())

    made = copies(embedder.sample_rate, embedder.windows)
    found: dict[str, list[bool]] = {line: [] for line in made}
    for own in drawn:
        samples = read_audio(paths[own], embedder.sample_rate).samples
        for line, make in made.items():
            vector = embedder.embed(make(samples))
            found[line].append(nearest(vector, own) == nearest(rows[own], own))
    return {line: np.array(values, float) for line, values in found.items()}


def summary(values: Rows, sign: str = "") -> str:
    """The mean with its interval."""
    low, high = interval(Resamples(np.arange(len(values)), DRAWS, 0).means(values)) or (0.0, 1.0)
    return f"{values.mean():{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("music", type=Path)
    parser.add_argument("--models", nargs="+", default=["musicu-audio-v1", "musicu-audio-v2"])
    parser.add_argument("--recordings", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with (options.music / "tracks.csv").open(encoding="utf-8", newline="") as file:
        paths = [options.music / path for path in sorted(r["path"] for r in csv.DictReader(file))]
    order = np.random.default_rng(options.seed).permutation(len(paths))
    drawn = [int(i) for i in order[: options.recordings]]
    base: dict[str, Rows] = {}
    for name in options.models:
        print(name, flush=True)
        embedder = Embedder.load(Path(name) if Path(name).is_dir() else name)
        for line, values in kept(embedder, paths, drawn).items():
            apart = summary(values - base[line], "+") if line in base else ""
            base.setdefault(line, values)
            print(f"  {line:17} {summary(values)}  {apart}", flush=True)


if __name__ == "__main__":
    main()
