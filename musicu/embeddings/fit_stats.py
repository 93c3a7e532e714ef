"""The recipe of `musicu-stats-v1`: python -m musicu.embeddings.fit_stats FOLDER OUT.

FOLDER holds the music and a `tracks.csv` with the columns path, title, artist, album, license,
source_repo, source_commit and source_path. OUT is a model folder whose `card.json` says what to
hear; `constants.safetensors` and `credits.csv` are written into it. Nothing is random.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from musicu.audio import read_audio
from musicu.embeddings.cards import read_card
from musicu.embeddings.stats import (
    CONSTANTS,
    LEVELS,
    Constants,
    flat_statistics,
    normal_scores,
    project_blocks,
)
from musicu.errors import SourceError
from musicu.features.powers import SAMPLE_RATE
from musicu.features.statistics import track_statistics
from musicu.records import Audio, Windows

NUMBERS_PER_BLOCK = 24
SHRINKAGE = 1.0  # of a block's variances, towards their mean over at most twenty directions
WITHIN_SHRINKAGE = 5.0  # of the spread within artists, towards the same in all directions
# chosen on artist-disjoint folds; the folds want no finer steps than these
BLOCK_WEIGHTS = {"colour": 1.3, "harmony": 1.5, "pitch": 1.3}
BLOCK_WEIGHTS |= {"pulse": 0.7, "spread": 0.7, "fluctuation": 0.7, "togetherness": 0.8}
MOST_PER_ARTIST = 8  # a prolific artist counts as this many recordings
CREDITS = ("title", "artist", "license", "source_repo", "source_commit", "source_path")

Rows = NDArray[np.float64]


def main(arguments: list[str]) -> None:
    """Fit the constants for the model folder `arguments[1]` on the music in `arguments[0]`."""
    folder, out = (Path(argument) for argument in arguments)
    tracks = read_tracks(folder)
    statistics = measure([folder / track["path"] for track in tracks], read_card_windows(out))
    constants = fit_constants(statistics, [track["artist"] for track in tracks])
    save_constants(constants, out)
    write_credits(tracks, out)


def read_tracks(folder: Path) -> list[dict[str, str]]:
    """The rows of the folder's `tracks.csv`, sorted by path."""
    try:
        with (folder / "tracks.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise SourceError(f"{folder}/tracks.csv cannot be read: {error.strerror}") from error
    return sorted(rows, key=lambda row: row["path"])


def read_card_windows(out: Path) -> Windows:
    """What the model's card says is to be heard; the constants need not exist yet."""
    (out / CONSTANTS).touch()
    return read_card(out).windows


def measure(paths: list[Path], windows: Windows) -> Rows:
    """The statistics of recordings, float64 [recordings, S]."""
    return np.stack([flat_statistics(read_audio(path, SAMPLE_RATE, windows)) for path in paths])


def fit_constants(statistics: Rows, artists: list[str]) -> Constants:
    """Constants from statistics float64 [recordings, S] and artists ("" where unknown)."""
    quantiles, mean, projections = fit_blocks(statistics, NUMBERS_PER_BLOCK)
    scores = np.stack([normal_scores(row, quantiles) for row in statistics]) - mean
    blocks = np.stack([project_blocks(row, projections) for row in scores])
    weights = block_weights(projections)
    final = (weights[:, None] * _within_artists(blocks * weights, artists)).astype(np.float32)
    centre = blocks.mean(axis=0).astype(np.float32)
    return Constants(quantiles, mean, projections, centre, final)


def fit_blocks(
    statistics: Rows, numbers: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """Quantiles, mean and projections of `Constants`, with at most `numbers` a block."""
    quantiles = np.quantile(statistics, LEVELS, axis=0).astype(np.float32)
    scores = np.stack([normal_scores(row, quantiles) for row in statistics])
    mean = scores.mean(axis=0).astype(np.float32)
    scores -= mean
    projections, start = {}, 0
    for block, sizes in block_sizes().items():
        columns = scores[:, start : start + sum(sizes)]
        projections[block] = _whitening(columns, sizes, numbers).astype(np.float32)
        start += sum(sizes)
    return quantiles, mean, projections


def block_weights(projections: dict[str, NDArray[np.float32]]) -> Rows:
    """BLOCK_WEIGHTS for every number out of all blocks, float64 [D]."""
    by_block = [BLOCK_WEIGHTS.get(block, 1.0) for block in projections]
    return np.repeat(by_block, [matrix.shape[1] for matrix in projections.values()])


def block_sizes() -> dict[str, list[int]]:
    """How many statistics each group of each block has."""
    found = track_statistics(Audio.of(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE))
    return {block: [len(v) for v in groups.values()] for block, groups in found.items()}


def _whitening(columns: Rows, sizes: list[int], numbers: int) -> Rows:
    """Principal components of a block to equal variance, float64 [statistics, numbers].

    A group of n statistics weighs n^(1/4), between one vote a group and one a statistic.
    """
    weights = np.concatenate([np.full(size, size**-0.25) for size in sizes])
    _, singular, axes = np.linalg.svd(columns * weights, full_matrices=False)
    variance = singular**2 / len(columns)
    kept = min(numbers, len(variance))
    shrunk = variance[:kept] + SHRINKAGE * variance.sum() / min(20, len(variance))
    axes = axes[:kept]
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.sign(axes[np.arange(kept), largest])[:, None]
    whitening: Rows = weights[:, None] * axes.T / np.sqrt(shrunk)
    return whitening


def _within_artists(blocks: Rows, artists: list[str]) -> Rows:
    """Within-class covariance normalisation, float64 [D, D], symmetric.

    Hatch, Kajarekar & Stolcke, "Within-class covariance normalization for SVM-based speaker
    recognition" (Interspeech 2006), with the covariance shrunk towards a multiple of the identity.
    """
    names = np.array(artists)
    total, count = np.zeros((blocks.shape[1],) * 2), 0.0
    for artist in sorted(set(artists) - {""}):
        own = blocks[names == artist]
        weight = min(len(own), MOST_PER_ARTIST) / len(own)
        centred = own - own.mean(axis=0)
        total += weight * centred.T @ centred
        count += weight * (len(own) - 1)
    if count == 0.0:
        raise SourceError("no artist has two recordings: tracks.csv must name some that have")
    values, axes = np.linalg.eigh(total / count)
    root: Rows = axes / np.sqrt(values + WITHIN_SHRINKAGE * values.mean()) @ axes.T
    return root


def save_constants(constants: Constants, out: Path) -> None:
    """Write the constants of a model folder."""
    plain = {name: getattr(constants, name) for name in ("quantiles", "mean", "centre", "final")}
    projections = {f"project.{block}": m for block, m in constants.projections.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in (plain | projections).items()}
    (out / CONSTANTS).write_bytes(save(arrays))


def write_credits(tracks: list[dict[str, str]], out: Path) -> None:
    """List every recording that was used, with its licence and where it comes from."""
    with (out / "credits.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, CREDITS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(tracks)


if __name__ == "__main__":
    main(sys.argv[1:])
