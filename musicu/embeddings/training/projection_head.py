"""The projection head: statistics and the network's vector side by side, under one linear map.

Crops of one recording should be the same, and recordings by one artist nearly so: directions in
which they differ among themselves are shortened (`wccn`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.stats import Constants, side_by_side
from musicu.embeddings.training.constants import block_weights, fit_blocks
from musicu.embeddings.training.crops import CROPS
from musicu.embeddings.training.wccn import inverse_root, within_class_covariance
from musicu.normalisation import unit_rows

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """How the projection head is fitted.

    dim: numbers of a vector. numbers: of each block of statistics. learned: weight of the
    network's block, where a block of statistics has about 1. crops, lossy, artists: how much
    differences among crops of a recording, between it and its lossy copies, and among an artist's
    recordings, shorten a direction; artists = 0 needs no labels. made: the share of the latter
    that made pieces of one band stand for, where there are such pieces: they keep instruments and
    mix while keys, tempi and melodies change. shrinkage: added to the variance of every
    direction, in mean variances.
    """

    dim: int = 256
    numbers: int = 96
    learned: float = 1.0
    crops: float = 1.0
    lossy: float = 0.0
    artists: float = 1.0
    made: float = 0.0
    shrinkage: float = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class HeadInput:
    """Recordings before the projection head; crops in the order of `crops.CROPS`, the whole first.

    statistics: float64 [crops, recordings, S]. learned: the network's unit vectors, float32
    [crops, recordings, L]. groups: int64 [recordings], equal for one artist, -1 where unknown.
    """

    statistics: Rows
    learned: NDArray[np.float32]
    groups: NDArray[np.int64]

    def take(self, rows: NDArray[np.bool_]) -> HeadInput:
        """Some of the recordings."""
        return HeadInput(self.statistics[:, rows], self.learned[:, rows], self.groups[rows])


def fit_head(inputs: HeadInput, config: HeadConfig, made: HeadInput | None = None) -> Constants:
    """Constants for a network's vector beside statistics, from nothing but these recordings.

    made: made pieces, one crop each, grouped by band; only the covariance sees them.
    """
    quantiles, mean, projections = fit_blocks(inputs.statistics[0], config.numbers)
    nothing = np.zeros(0, np.float32)
    unfinished = Constants(quantiles, mean, projections, nothing, nothing)
    blocks = _blocks(inputs, unfinished)
    learned = np.full(inputs.learned.shape[-1], config.learned)
    weights = np.concatenate([block_weights(projections), learned])
    centre = blocks[0].mean(axis=0)
    weighted = (blocks - centre) * weights
    within, _ = within_class_covariance(weighted[0], inputs.groups)
    if made is not None and config.made > 0:
        pieces = (_blocks(made, unfinished)[0] - centre) * weights
        within = _joined(within, within_class_covariance(pieces, made.groups)[0], config.made)
    covariance = config.artists * within + _crop_covariance(weighted, config)
    root = inverse_root(covariance, config.shrinkage)
    whole = weighted[0] @ root  # with the crops, directions would be kept for what they differ in
    _, axes = np.linalg.eigh(whole.T @ whole)
    final = weights[:, None] * root @ axes[:, ::-1][:, : config.dim]
    return Constants(
        quantiles, mean, projections, centre.astype(np.float32), final.astype(np.float32)
    )


def head_vectors(constants: Constants, inputs: HeadInput) -> NDArray[np.float32]:
    """Unit vectors float32 [crops, recordings, dim]."""
    vectors = (_blocks(inputs, constants) - constants.centre) @ constants.final
    return unit_rows(vectors).astype(np.float32)


def join_blocks(statistics: Rows, learned: NDArray[np.float32], constants: Constants) -> Rows:
    """Blocks side by side, float64 [recordings, D].

    statistics: float64 [recordings, S]. learned: float32 [recordings, L].
    """
    pairs = zip(statistics, learned, strict=True)
    return np.stack([side_by_side(row, constants, vector) for row, vector in pairs])


def _blocks(inputs: HeadInput, constants: Constants) -> Rows:
    """Blocks side by side of every crop, float64 [crops, recordings, D]."""
    crops = zip(inputs.statistics, inputs.learned, strict=True)
    return np.stack([join_blocks(statistics, learned, constants) for statistics, learned in crops])


def _crop_covariance(rows: Rows, config: HeadConfig) -> Rows:
    """Covariances of crops about the whole, as much of each kind as the recipe says.

    rows: float64 [crops, recordings, D]. The result: float64 [D, D].
    """
    lossy = np.array([crop.codec is not None for crop in CROPS])
    total = np.zeros((rows.shape[-1],) * 2)
    for kind, weight in ((~lossy, config.crops), (lossy, config.lossy)):
        apart = (rows[kind] - rows[0]).reshape(-1, rows.shape[-1])
        others = len(apart) - len(rows[0]) * int(kind[0])  # not the whole from itself
        total += weight * apart.T @ apart / max(2 * others, 1)  # of a difference: twice
    return total


def _joined(named: Rows, made: Rows, share: float) -> Rows:
    """The covariance within artists, of which made bands give a share, scaled to the same size.

    Made pieces lie closer together than recordings; without artists they say too little (measured).
    """
    size = np.trace(made)
    joined: Rows = (
        (1 - share) * named + share * np.trace(named) / size * made if size > 0 else named
    )
    return joined
