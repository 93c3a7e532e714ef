"""Audio models on clips of released songs: genre, mood and artist.

    python benchmarks/audio_songs.py SONGS [--models NAME_OR_FOLDER...] [--teachers FOLDER]
        [--half development] [--seed 0]

SONGS is a folder with `songs.csv` (file, artist, genres parted by "; ", quadrant of mood) and the
clips. Artists are cut into two halves: `development`, on which choices may be made, and `final`,
which is looked at once; nothing else of it is read. Lines, each with a 95 % interval that draws
artists, and paired differences to the first model:
  genre@10      mean Jaccard index of genres with the ten nearest clips by other artists
  quadrant@10   share of those ten that have the same quadrant
  artist        mean average precision of clips by the same artist, where there are others
  genre probe   share of clips whose likeliest genre, by ridge regression, is one of their own
  quadrant probe  share whose quadrant is right by the same
Probes: five folds without common artists, columns standardised by the training folds, the penalty
one of four by an inner fold. `--teachers` adds the networks of a folder as in its README (hidden
layers, standardised by the clips at hand; mn04 on windows of 4 s, FCN on the whole clip, and the
two side by side, the second with weight .7).
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu import Embedder, read_audio
from musicu.bootstrap import Resamples, interval
from musicu.normalisation import unit_rows

Rows = NDArray[np.float64]
NEAREST, FOLDS, DRAWS = 10, 5, 2000
PENALTIES = (0.1, 1.0, 10.0, 100.0)  # in units of the number of clips


@dataclass(frozen=True, slots=True, eq=False)
class SongClips:
    """Clips with what is known of them. artists, quadrants: int64 [n]; genres: bool [n, genres]."""

    paths: list[Path]
    artists: NDArray[np.int64]
    quadrants: NDArray[np.int64]
    genres: NDArray[np.bool_]


def read_clips(folder: Path, half: str) -> SongClips:
    """The clips of one half of the artists, "development" or "final"."""
    with (folder / "songs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["artist"] for row in rows})
    order = np.random.default_rng(0).permutation(len(names))
    first = {names[i] for i in order[: len(names) // 2]}
    rows = [row for row in rows if (row["artist"] in first) == (half == "development")]
    kinds = [set(row["genres"].split("; ")) - {""} for row in rows]
    known = sorted(set().union(*kinds))
    return SongClips(
        [folder / row["file"] for row in rows],
        np.unique([row["artist"] for row in rows], return_inverse=True)[1],
        np.unique([row["quadrant"] for row in rows], return_inverse=True)[1],
        np.array([[genre in kind for genre in known] for kind in kinds]),
    )


def lines(vectors: Rows, clips: SongClips, seed: int = 0) -> dict[str, Rows]:
    """Every line's value of every clip, float64 [n], NaN where it is no query."""
    vectors = unit_rows(vectors)
    likeness = vectors @ vectors.T
    same = clips.artists[:, None] == clips.artists
    found = np.argsort(np.where(same, np.inf, -likeness), axis=1, kind="stable")[:, :NEAREST]
    both = clips.genres.astype(float) @ clips.genres.T
    sizes = clips.genres.sum(axis=1)
    jaccard = both / np.maximum(sizes[:, None] + sizes - both, 1)
    quadrants = (clips.quadrants[:, None] == clips.quadrants).astype(float)
    return {
        "genre@10": np.take_along_axis(jaccard, found, axis=1).mean(axis=1),
        "quadrant@10": np.take_along_axis(quadrants, found, axis=1).mean(axis=1),
        "artist": _average_precision(likeness, same),
        "genre probe": _probe(vectors, clips.genres, clips.artists, seed),
        "quadrant probe": _probe(
            vectors, np.eye(clips.quadrants.max() + 1)[clips.quadrants] > 0, clips.artists, seed
        ),
    }


def _average_precision(likeness: Rows, same: NDArray[np.bool_]) -> Rows:
    values = np.full(len(likeness), np.nan)
    for query, row in enumerate(likeness):
        others = np.arange(len(row)) != query
        hits = same[query][others][np.argsort(-row[others], kind="stable")]
        if hits.any():
            ranks = np.flatnonzero(hits) + 1
            values[query] = np.mean(np.arange(1, len(ranks) + 1) / ranks)
    return values


def _probe(vectors: Rows, truth: NDArray[np.bool_], artists: NDArray[np.int64], seed: int) -> Rows:
    """1.0 where the class with the greatest score is one of the clip's, else 0.0."""
    right = np.zeros(len(vectors))
    fold = _folds(artists, FOLDS, seed)
    for number in range(FOLDS):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        inner = _folds(artists[train], 3, seed) == 0
        fit, held = train[~inner], train[inner]
        tried = [
            _right(vectors[fit], truth[fit], vectors[held], truth[held], p).mean()
            for p in PENALTIES
        ]
        best = PENALTIES[int(np.argmax(tried))]
        right[test] = _right(vectors[train], truth[train], vectors[test], truth[test], best)
    return right


def _folds(artists: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    names, index = np.unique(artists, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    folds: NDArray[np.int64] = shuffled[index] % count
    return folds


def _right(
    train: Rows, truth: NDArray[np.bool_], test: Rows, wanted: NDArray[np.bool_], penalty: float
) -> Rows:
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-9
    x, y = (train - mean) / spread, truth - truth.mean(axis=0)
    kernel = x @ x.T / x.shape[1]
    weights = np.linalg.solve(kernel + penalty * np.eye(len(x)), y)
    scores = ((test - mean) / spread) @ x.T / x.shape[1] @ weights + truth.mean(axis=0)
    rows: Rows = wanted[np.arange(len(test)), scores.argmax(axis=1)].astype(float)
    return rows


def model_vectors(name: str, paths: list[Path]) -> Rows:
    """A musicu model's vectors of the clips."""
    embedder = Embedder.load(Path(name) if Path(name).is_dir() else name)
    audios = (read_audio(path, embedder.sample_rate, embedder.windows) for path in paths)
    return np.stack([embedder.embed(audio) for audio in audios]).astype(np.float64)


def teacher_vectors(folder: Path, paths: list[Path]) -> dict[str, Rows]:
    """The teachers' hidden layers, standardised by these clips."""
    import soxr
    import torch

    from recipes.audio_v2.teachers import RATE, AudioSetTeacher, TaggingTeacher

    first = AudioSetTeacher(folder / "mn04_as.safetensors")
    second = TaggingTeacher(folder / "fcn_msd.safetensors")
    hidden, tags = [], []
    for path in paths:
        sound = read_audio(path, RATE).samples
        sound = sound * np.float32(0.1 / max(float(np.sqrt(np.mean(sound**2))), 1e-6))
        windows = np.stack(np.array_split(sound[: len(sound) // 7 * 7], 7))
        with torch.inference_mode():
            heard, *_ = first.hear(first.mel_power(torch.from_numpy(windows)))
            half = torch.from_numpy(soxr.resample(sound, 2, 1)[None])
            tagged, *_ = second.hear(second.mel_power(half))
        hidden.append(heard.numpy().mean(axis=0))
        tags.append(tagged.numpy()[0])
    mn04, fcn = (_standardised(np.stack(rows).astype(float)) for rows in (hidden, tags))
    both = np.concatenate([unit_rows(mn04), 0.7 * unit_rows(fcn)], axis=1)
    return {"mn04": mn04, "fcn": fcn, "mn04 and fcn": both}


def _standardised(rows: Rows) -> Rows:
    return (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-6)


def summary(values: Rows, artists: NDArray[np.int64], sign: str = "") -> str:
    """The mean with its interval."""
    known = np.isfinite(values)
    draws = Resamples(artists[known], DRAWS, 0).means(values[known])
    low, high = interval(draws) or (np.nan, np.nan)
    return f"{values[known].mean():{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("songs", type=Path)
    parser.add_argument("--models", nargs="+", default=["musicu-audio-v1", "musicu-audio-v2"])
    parser.add_argument("--teachers", type=Path)
    parser.add_argument("--half", choices=["development", "final"], default="development")
    parser.add_argument("--seed", type=int, default=0, help="Of the probes' folds.")
    options = parser.parse_args()
    clips = read_clips(options.songs, options.half)
    found = {name: model_vectors(name, clips.paths) for name in options.models}
    if options.teachers:
        found |= teacher_vectors(options.teachers, clips.paths)
    print(f"{options.half}: {len(clips.paths)} clips by {len(set(clips.artists))} artists")
    base: dict[str, Rows] = {}
    for name, vectors in found.items():
        print(name)
        for line, values in lines(vectors, clips, options.seed).items():
            apart = summary(values - base[line], clips.artists, "+") if line in base else ""
            base.setdefault(line, values)
            print(f"  {line:15} {summary(values, clips.artists)}  {apart}", flush=True)


if __name__ == "__main__":
    main()
