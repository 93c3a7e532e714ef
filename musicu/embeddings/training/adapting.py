"""A finished model brought to other recordings: what its last map is told of them.

The quantiles and the map are shrunk towards the model as it is, by how many recordings speak for
a change; neighbours need no names. All were found to help on sources that no part of a model had
heard (`benchmarks/README.md`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.neighbours import Neighbours, draw_near
from musicu.embeddings.stats import LEVELS, Constants
from musicu.embeddings.training.export import Encoder
from musicu.embeddings.training.finish import kin_spread
from musicu.embeddings.training.head import placed
from musicu.normalisation import unit_rows

Rows = NDArray[np.float64]
NEVER = float("inf")
REMEMBERED = 4096  # recordings that a model keeps as neighbours, at most: 4 MB
MOST = 8  # recordings that a group of kin counts for at most, as in `kin_spread`


def tell_quantiles(constants: Constants, statistics: Rows, strength: float) -> Constants:
    """The constants with quantiles between their own and those of `statistics` [recordings, S].

    The quantiles of n recordings weigh n / (n + strength). So music that lies beyond all that
    the model was made from is spread out again, where its normal scores were at their bounds.
    """
    weight = len(statistics) / (len(statistics) + strength)
    if weight == 0.0:
        return constants
    own = np.quantile(statistics, LEVELS, axis=0)
    mixed = (1 - weight) * constants.quantiles + weight * own  # both rise, so their mean does
    return replace(constants, quantiles=mixed.astype(np.float32))


def kin_map(vectors: Rows, kin: NDArray[np.int64], strength: float) -> Rows:
    """The map [dim, dim] that shortens directions in which kin differ, as Hatch et al. (2006).

    vectors: float64 [recordings, dim], before they are brought to unit length. kin: int64
    [recordings], equal for what belongs together, -1 where unknown. The model's own map made the
    spread within its training artists about alike in all directions, so that an even spread
    stands for what it learned: the spread measured here weighs m / (m + strength) against it,
    with m recordings beyond the first of each group. Where no two recordings are kin, or for an
    infinite strength, nothing changes.
    """
    _, counts = np.unique(kin[kin >= 0], return_counts=True)
    beyond = float((np.minimum(counts, MOST) / counts * (counts - 1)).sum())
    weight = beyond / (beyond + strength) if beyond else 0.0
    spread = kin_spread(vectors, kin) if weight else np.zeros((vectors.shape[1],) * 2)
    values, axes = np.linalg.eigh(spread)
    if values.mean() <= 0:
        return np.eye(len(values))
    # the even part counts once more as the shrinkage of every such map
    values = weight * np.maximum(values, 0.0) / values.mean() + (1 - weight) + 1.0
    root: Rows = axes * np.sqrt(2.0 / values) @ axes.T
    return root


def tell_map(encoder: Encoder, root: Rows) -> Encoder:
    """The encoder with `root` [dim, dim] after its last map."""
    if encoder.constants is not None:
        final = (encoder.constants.final.astype(np.float64) @ root).astype(np.float32)
        return replace(encoder, constants=replace(encoder.constants, final=final))
    matrix = (encoder.finish.matrix.astype(np.float64) @ root).astype(np.float32)
    return replace(encoder, finish=replace(encoder.finish, matrix=matrix))


def tell_neighbours(encoder: Encoder, vectors: Rows, weight: float, seed: int) -> Encoder:
    """The encoder that draws what it hears towards these recordings, or some of very many.

    vectors: float64 [recordings, dim], its `long_vectors`. weight: 0 for no neighbours.
    """
    if weight == 0.0:
        return replace(encoder, neighbours=None)
    kept = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:REMEMBERED])
    return replace(
        encoder, neighbours=Neighbours(unit_rows(vectors[kept]).astype(np.float32), weight)
    )


def vectors_now(encoder: Encoder, vectors: Rows) -> Rows:
    """What an encoder gives where its `long_vectors` are these, float64 [recordings, dim]."""
    near = encoder.neighbours
    return vectors if near is None else draw_near(vectors, near.vectors.astype(float), near.weight)


def long_vectors(encoder: Encoder, summaries: NDArray[np.float32], statistics: Rows | None) -> Rows:
    """Vectors before they are brought to unit length and drawn to neighbours, float64 [n, dim].

    summaries: float32 [recordings, summary], the network's. statistics: float64 [recordings, S],
    where the encoder has constants.
    """
    if encoder.constants is None:
        apart = summaries.astype(np.float64) - encoder.finish.centre
        return apart @ encoder.finish.matrix.astype(np.float64)
    assert statistics is not None
    rows = placed(statistics, encoder.finish.apply(summaries), encoder.constants)
    return (rows - encoder.constants.centre) @ encoder.constants.final.astype(np.float64)
