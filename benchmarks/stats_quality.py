"""musicu-stats against other systems on artists that its constants were not fitted on.

    python benchmarks/stats_quality.py MUSIC PEERS [--cache FILE]

MUSIC is a folder with `tracks.csv`, as `fit_stats` takes it; PEERS a Parquet file with a `path`
column and one column of fixed-size lists per system, for some of the same recordings. Artists are
cut into four folds, in three ways; constants (and each peer's standardisation) are fitted on the
other three folds. The answer to every query of the held-out fold is ranked by cosine. Of each
peer, the best of four treatments is taken, chosen on the very numbers that are reported.
Protocols (mean average precision; same artist is relevant, the query itself never listed):
  artist        among the held-out artists
  one source    among the recordings of the query's own source, so mastering and codec don't help
  other albums  among all recordings that are not of the query's album
  other sources among all recordings that are not of the query's source
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from musicu.bootstrap import Resamples, interval
from musicu.embeddings.cards import find_model
from musicu.embeddings.stats import project
from recipes.fit_stats import fit_constants, measure, read_tracks

Rows = NDArray[np.float64]
Mapping = Callable[[Rows], Rows]
Fit = Callable[[Rows, list[str]], Mapping]
PROTOCOLS = ("artist", "one source", "other albums", "other sources")
FOLDS, SEEDS, DRAWS = 4, 3, 2000


def unit(rows: Rows) -> Rows:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def fit_stats_model(rows: Rows, artists: list[str]) -> Mapping:
    constants = fit_constants(rows, artists)
    return lambda new: np.stack([project(row, constants) for row in new]).astype(np.float64)


def fit_whitening(shrinkage: float | None, clip: float = 4.0) -> Fit:
    """z-scores, and principal components with shrinkage after them unless that is None."""

    def fit(rows: Rows, artists: list[str]) -> Mapping:
        mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
        scores = np.clip((rows - mean) / scale, -clip, clip)
        _, singular, axes = np.linalg.svd(scores, full_matrices=False)
        variance, kept = singular**2 / len(rows), min(64, len(singular))
        if shrinkage is None:
            return lambda new: unit(np.clip((new - mean) / scale, -clip, clip))
        turn = axes[:kept].T / np.sqrt(variance[:kept] + shrinkage * variance[:20].mean())
        return lambda new: unit(np.clip((new - mean) / scale, -clip, clip) @ turn)

    return fit


PEER_FITS: dict[str, Fit] = {
    "raw": lambda rows, artists: unit,
    "z": fit_whitening(None),
    "whitened": fit_whitening(0.1),
    "shrunk": fit_whitening(1.0),
}


class TrackLabels:
    """What the protocols need to know of the recordings, as arrays of text."""

    def __init__(self, tracks: list[dict[str, str]]) -> None:
        self.artist = np.array([track["artist"] for track in tracks])
        self.album = np.array([f"{track['artist']}\n{track['album']}" for track in tracks])
        self.source = np.array([track["source_repo"] for track in tracks])

    def masks(self, query: int, held_out: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        others = np.arange(len(self.artist)) != query
        same_source = self.source == self.source[query]
        return {
            "artist": others & held_out,
            "one source": others & same_source,
            "other albums": others & (self.album != self.album[query]),
            "other sources": ~same_source,
        }


def average_precision(scores: Rows, relevant: NDArray[np.bool_]) -> float:
    hits = relevant[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)).mean())


def evaluate(rows: Rows, labels: TrackLabels, fit: Fit) -> dict[str, Rows]:
    """Average precision of every recording as query, NaN where nothing is relevant, [tracks]."""
    found = {name: [[] for _ in rows] for name in PROTOCOLS}  # type: dict[str, list[list[float]]]
    for seed in range(SEEDS):
        names = np.random.default_rng(seed).permutation(np.unique(labels.artist))
        fold = dict(zip(names, np.arange(len(names)) % FOLDS, strict=True))
        folds = np.array([fold[name] for name in labels.artist])
        for held in (folds == k for k in range(FOLDS)):
            vectors = fit(rows[~held], list(labels.artist[~held]))(rows)
            likeness = vectors @ vectors.T
            for query in np.flatnonzero(held & (labels.artist != "")):
                relevant = labels.artist == labels.artist[query]
                for name, mask in labels.masks(query, held).items():
                    if relevant[mask].any() and not relevant[mask].all():
                        score = average_precision(likeness[query, mask], relevant[mask])
                        found[name][query].append(score)
    return {
        name: np.array([np.mean(scores) if scores else np.nan for scores in lists])
        for name, lists in found.items()
    }


def summary(
    scores: dict[str, Rows], labels: TrackLabels, base: dict[str, Rows] | None = None
) -> str:
    """Means over queries, and over artists, with 95 % intervals that draw artists."""
    cells = []
    for name in PROTOCOLS:
        values = scores[name] - base[name] if base else scores[name]
        known = np.isfinite(values)
        artists = np.unique(labels.artist[known], return_inverse=True)[1]
        draws = Resamples(artists, DRAWS, 0).means(values[known])
        low, high = interval(draws) or (np.nan, np.nan)
        per_artist = np.bincount(artists, values[known]) / np.bincount(artists)
        sign = "+" if base else ""
        cells.append(
            f"{values[known].mean():{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}] "
            f"artists {per_artist.mean():{sign}.3f}"
        )
    return " | ".join(cells)


def best_of(rows: Rows, labels: TrackLabels) -> tuple[str, dict[str, Rows]]:
    tried = {name: evaluate(rows, labels, fit) for name, fit in PEER_FITS.items()}
    best = max(tried, key=lambda name: float(np.nanmean(tried[name]["artist"])))
    return best, tried[best]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("music", type=Path)
    parser.add_argument("peers", type=Path)
    parser.add_argument("--cache", type=Path, help=".npy to keep the statistics in")
    options = parser.parse_args()
    tracks = read_tracks(options.music)
    if options.cache and options.cache.exists():
        rows = np.load(options.cache)
    else:
        windows = find_model("musicu-stats-v1").windows
        rows = measure([options.music / track["path"] for track in tracks], windows)
        if options.cache:
            np.save(options.cache, rows)
    print("                      " + " | ".join(PROTOCOLS))
    labels = TrackLabels(tracks)
    print("stats, all tracks    ", summary(evaluate(rows, labels, fit_stats_model), labels))
    peers = pq.read_table(options.peers)
    at = {path: row for row, path in enumerate(peers["path"].to_pylist())}
    chosen = [i for i, track in enumerate(tracks) if track["path"] in at]
    labels = TrackLabels([tracks[i] for i in chosen])
    ours = evaluate(rows[chosen], labels, fit_stats_model)
    print(f"stats, {len(chosen)} tracks    ", summary(ours, labels))
    for name in (column for column in peers.column_names if column != "path"):
        vectors = np.stack(peers[name].to_numpy(zero_copy_only=False)).astype(np.float64)
        vectors = np.nan_to_num(vectors[[at[tracks[i]["path"]] for i in chosen]])
        how, theirs = best_of(vectors, labels)
        print(f"{name} ({how})".ljust(21), summary(theirs, labels))
        print(f"  stats - {name}".ljust(21), summary(ours, labels, theirs))


if __name__ == "__main__":
    main()
