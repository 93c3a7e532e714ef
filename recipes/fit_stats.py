"""The recipe of `musicu-stats-v1`: python -m recipes.fit_stats FOLDER OUT.

FOLDER holds the music and a `tracks.csv` with the columns path, title, artist, album, license,
source_repo, source_commit and source_path. OUT is a model folder whose `card.json` says what to
read; `constants.safetensors` and `credits.csv` are written into it. Nothing is random.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.audio import read_audio
from musicu.embeddings.cards import read_card
from musicu.embeddings.stats import (
    CONSTANTS,
    Constants,
    flat_statistics,
    normal_scores,
    project_blocks,
)
from musicu.embeddings.training.constants import block_weights, fit_blocks, save_constants
from musicu.embeddings.training.pairs import as_numbers
from musicu.embeddings.training.wccn import inverse_root, within_class_covariance
from musicu.errors import SourceError
from musicu.features.powers import SAMPLE_RATE
from musicu.records import Windows

NUMBERS_PER_BLOCK = 24
WITHIN_SHRINKAGE = 5.0  # of the spread within artists, towards the same in all directions
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
    """The input windows of the model's card; the constants need not exist yet."""
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
    covariance, freedom = within_class_covariance(blocks * weights, as_numbers(artists))
    if freedom == 0.0:
        raise SourceError("no artist has two recordings: tracks.csv must name some that have")
    projection = inverse_root(covariance, WITHIN_SHRINKAGE)
    final = (weights[:, None] * projection).astype(np.float32)
    centre = blocks.mean(axis=0).astype(np.float32)
    return Constants(quantiles, mean, projections, centre, final)


def write_credits(tracks: list[dict[str, str]], out: Path) -> None:
    """List every recording that was used, with its licence and where it comes from."""
    with (out / "credits.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, CREDITS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(tracks)


if __name__ == "__main__":
    main(sys.argv[1:])
