"""The constants of statistics (`embeddings.stats`): how blocks are fitted and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from musicu.embeddings.stats import CONSTANTS, LEVELS, Constants, normal_scores
from musicu.features.powers import SAMPLE_RATE
from musicu.features.statistics import track_statistics
from musicu.records import Audio

SHRINKAGE = 1.0  # of a block's variances, towards their mean over at most twenty directions
# chosen on artist-disjoint folds; the folds want no finer steps than these
BLOCK_WEIGHTS = {"colour": 1.3, "harmony": 1.5, "pitch": 1.3}
BLOCK_WEIGHTS |= {"pulse": 0.7, "spread": 0.7, "fluctuation": 0.7, "togetherness": 0.8}

Rows = NDArray[np.float64]


def fit_blocks(
    statistics: Rows, numbers: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """Quantiles, mean and projections of `Constants`, with at most `numbers` a block.

    statistics: float64 [recordings, S].
    """
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


def save_constants(constants: Constants, folder: Path) -> None:
    """Write the constants of a model folder."""
    plain = {name: getattr(constants, name) for name in ("quantiles", "mean", "centre", "final")}
    projections = {f"project.{block}": m for block, m in constants.projections.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in (plain | projections).items()}
    (folder / CONSTANTS).write_bytes(save(arrays))
