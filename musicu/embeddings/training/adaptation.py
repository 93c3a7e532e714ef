"""Steps of fine-tuning that need no gradient: quantiles, projection, neighbour smoothing.

All were found to help on sources that no part of a model was trained with (`benchmarks/README.md`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.neighbours import Neighbours, smooth
from musicu.embeddings.stats import LEVELS
from musicu.embeddings.training.encoder_export import Encoder
from musicu.embeddings.training.projection_head import join_blocks
from musicu.normalisation import unit_rows

Rows = NDArray[np.float64]
QUANTILES = 400.0  # recordings as which a model's own quantiles count; 100 was no better
MOST_NEIGHBOURS = 4096  # recordings that a model keeps: 4 MB


def mix_quantiles(encoder: Encoder, statistics: Rows) -> Encoder:
    """The encoder with quantiles between its own and those of `statistics` [recordings, S].

    The quantiles of n recordings weigh n / (n + QUANTILES), so that music beyond all that the
    model was made from is spread out again, where its normal scores were at their bounds.
    """
    assert encoder.constants is not None
    weight = len(statistics) / (len(statistics) + QUANTILES)
    own = np.quantile(statistics, LEVELS, axis=0)
    mixed = (1 - weight) * encoder.constants.quantiles + weight * own  # both rise: so does it
    constants = replace(encoder.constants, quantiles=mixed.astype(np.float32))
    return replace(encoder, constants=constants)


def refit_projection(encoder: Encoder, projection: Rows) -> Encoder:
    """The encoder with `projection` [dim, dim] after its last linear map."""
    if encoder.songs is not None:
        last = encoder.songs.last
        turned = (last.matrix.astype(np.float64) @ projection).astype(np.float32)
        songs = replace(encoder.songs, last=replace(last, matrix=turned))
        return replace(encoder, songs=songs)
    if encoder.constants is not None:
        final = (encoder.constants.final.astype(np.float64) @ projection).astype(np.float32)
        return replace(encoder, constants=replace(encoder.constants, final=final))
    matrix = (encoder.whitening.matrix.astype(np.float64) @ projection).astype(np.float32)
    return replace(encoder, whitening=replace(encoder.whitening, matrix=matrix))


def add_neighbours(encoder: Encoder, vectors: Rows, weight: float, seed: int) -> Encoder:
    """The encoder that smooths vectors with these recordings, or some of very many.

    vectors: float64 [recordings, dim], its `raw_vectors`. weight: 0 for no neighbours.
    """
    if weight == 0.0:
        return replace(encoder, neighbours=None)
    kept = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:MOST_NEIGHBOURS])
    return replace(
        encoder, neighbours=Neighbours(unit_rows(vectors[kept]).astype(np.float32), weight)
    )


def smoothed(encoder: Encoder, vectors: Rows) -> Rows:
    """An encoder's vectors where its `raw_vectors` are these, float64 [recordings, dim]."""
    near = encoder.neighbours
    return vectors if near is None else smooth(vectors, near.vectors.astype(float), near.weight)


def raw_vectors(
    encoder: Encoder,
    pooled: NDArray[np.float32],
    statistics: Rows | None,
    songs: NDArray[np.float32] | None = None,
) -> Rows:
    """Vectors before unit length and neighbour smoothing, float64 [recordings, dim].

    pooled: float32 [recordings, pooled], of the network. statistics: float64 [recordings, S],
    where the encoder has constants. songs: float32 [recordings, numbers], where it has a songs
    network.
    """
    vectors = _without_songs(encoder, pooled, statistics)
    if encoder.songs is None:
        return vectors
    assert songs is not None
    return encoder.songs.last.apply(unit_rows(vectors).astype(np.float32), songs)


def _without_songs(encoder: Encoder, pooled: NDArray[np.float32], statistics: Rows | None) -> Rows:
    if encoder.constants is None:
        apart = pooled.astype(np.float64) - encoder.whitening.centre
        return apart @ encoder.whitening.matrix.astype(np.float64)
    assert statistics is not None
    rows = join_blocks(statistics, encoder.whitening.apply(pooled), encoder.constants)
    return (rows - encoder.constants.centre) @ encoder.constants.final.astype(np.float64)
