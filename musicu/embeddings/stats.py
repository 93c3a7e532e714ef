"""Models of kind "stats": statistics of a recording, made comparable by fitted constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from scipy.special import ndtri

from musicu.embeddings.cards import ModelCard
from musicu.embeddings.embedder import Embedder
from musicu.errors import ModelError
from musicu.features.powers import SAMPLE_RATE, Sums
from musicu.features.statistics import BLOCKS, track_statistics
from musicu.records import Audio

CONSTANTS = "constants.safetensors"
LEVELS = np.linspace(0.0, 1.0, 17)[1:-1]
_SCORES = ndtri(LEVELS)
_TAIL, _TAIL_RATE, _LONGEST_TAIL = 0.5, 4.0, 3.0
_NORM_FLOOR = 1e-3  # keeps a block that says almost nothing from being blown up to full length


@dataclass(frozen=True, slots=True, eq=False)
class Constants:
    """The fitted numbers; S statistics, B blocks, D numbers out of all blocks together.

    quantiles: float32 [15, S], each statistic's quantiles over the music of the fit.
    mean: float32 [S], of the statistics as normal scores.
    projections: block → float32 [statistics of the block, numbers of the block].
    centre: float32 [D]; final: float32 [D, dim], over the blocks side by side. Where a network's
    vector stands beside the blocks, D counts its numbers too.
    """

    quantiles: NDArray[np.float32]
    mean: NDArray[np.float32]
    projections: dict[str, NDArray[np.float32]]
    centre: NDArray[np.float32]
    final: NDArray[np.float32]


class StatsEmbedder(Embedder):
    """Timbre, harmony, rhythm and dynamics statistics, whitened by block; NumPy and SciPy only.

    Raises ModelError where the constants are missing or do not fit the card.
    """

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        if card.sample_rate != SAMPLE_RATE:
            raise ModelError(
                f"{card.name} wants {card.sample_rate} Hz; its statistics exist at {SAMPLE_RATE} Hz"
            )
        self.constants = read_constants(card, dim=card.dim)

    def embed_batch(self, audios: Sequence[Audio]) -> NDArray[np.float32]:
        """Vectors float32 [recordings, dim] of unit length, each computed by itself.

        Digital silence has a vector of its own, that of a perfectly flat and steady spectrum.
        """
        self.check(audios)
        vectors = [project(flat_statistics(audio), self.constants) for audio in audios]
        return np.array(vectors, dtype=np.float32).reshape(len(vectors), self.dim)


def flat_statistics(audio: Audio, sums: Sequence[Sums] | None = None) -> NDArray[np.float64]:
    """The statistics of a recording as one row, float64 [S], block after block.

    sums: of its `powers.spectrograms`, where they are at hand.
    """
    blocks = track_statistics(audio, sums).values()
    return np.concatenate([values for groups in blocks for values in groups.values()])


def normal_scores(
    statistics: NDArray[np.float64], quantiles: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Each statistic as the normal score of its rank among the fit's music, within ±3.04.

    Ranks are deaf to outliers, which recordings from elsewhere are full of. Beyond the outermost
    quantiles, at ±1.53, the score grows with the logarithm of the distance, in half their range:
    music unlike the fit's lies there in many statistics, and is to be told apart all the same.
    """
    rows = np.asarray(quantiles, dtype=np.float64)
    # equal quantiles must not divide by nothing
    rows = rows + np.arange(len(rows))[:, None] * 1e-9
    below = np.clip((statistics >= rows).sum(axis=0) - 1, 0, len(rows) - 2)
    each = np.arange(len(statistics))
    low, high = rows[below, each], rows[below + 1, each]
    share = np.clip((statistics - low) / (high - low), 0.0, 1.0)
    scores: NDArray[np.float64] = _SCORES[below] + share * (_SCORES[below + 1] - _SCORES[below])
    outside = statistics - np.clip(statistics, rows[0], rows[-1])
    tails = np.log1p(np.abs(outside) * _TAIL_RATE / (rows[-1] - rows[0]))
    scores += _TAIL * np.sign(outside) * np.minimum(tails, _LONGEST_TAIL)
    return scores


def project_blocks(
    scores: NDArray[np.float64], projections: dict[str, NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Each block whitened and brought to about unit length, side by side, float64 [D].

    So a cosine of two results is the mean of the blocks' cosines (compare Seyerlehner et al.,
    DAFx 2010, who add normalised distances of blocks).
    """
    parts, start = [], 0
    for block in BLOCKS:
        matrix = projections[block].astype(np.float64)
        # einsum and not BLAS: the same bits whatever the number of threads
        part = np.einsum("s,sd->d", scores[start : start + len(matrix)], matrix)
        parts.append(part / np.sqrt(np.sum(part**2) + _NORM_FLOOR * len(part)))
        start += len(matrix)
    return np.concatenate(parts)


def project(
    statistics: NDArray[np.float64],
    constants: Constants,
    learned: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Statistics float64 [S] to a unit vector float32 [dim].

    learned: a network's unit vector of the same recording, where the constants want one.
    """
    blocks = side_by_side(statistics, constants, learned) - constants.centre
    vector = np.einsum("s,sd->d", blocks, constants.final.astype(np.float64))
    unit: NDArray[np.float32] = (vector / np.sqrt(np.sum(vector**2))).astype(np.float32)
    return unit


def side_by_side(
    statistics: NDArray[np.float64],
    constants: Constants,
    learned: NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """What `centre` and `final` apply to, float64 [D]: all blocks, and a network's vector."""
    scores = normal_scores(statistics, constants.quantiles) - constants.mean
    blocks = project_blocks(scores, constants.projections)
    return blocks if learned is None else np.concatenate([blocks, learned.astype(np.float64)])


def read_constants(card: ModelCard, learned: int = 0, dim: int = 0) -> Constants:
    """The constants in a model's folder; ModelError where they are damaged or do not fit.

    learned: how many numbers of a network stand beside the statistics. dim: of the result; any
    where it is 0, because another map follows.
    """
    path = card.path(CONSTANTS)
    try:
        found = load_file(path)
        projections = {block: found[f"project.{block}"] for block in BLOCKS}
        plain = {name: found[name] for name in ("quantiles", "mean", "centre", "final")}
    except (OSError, SafetensorError, KeyError) as error:
        raise ModelError(f"{path} does not hold the constants of {card.name}: {error}") from error
    statistics = sum(len(matrix) for matrix in projections.values())
    numbers = sum(matrix.shape[1] for matrix in projections.values()) + learned
    shapes = {
        "quantiles": (len(LEVELS), statistics),
        "mean": (statistics,),
        "centre": (numbers,),
        "final": (numbers, dim or plain["final"].shape[-1]),
    }
    for name, shape in shapes.items():
        if plain[name].shape != shape or not np.isfinite(plain[name]).all():
            raise ModelError(
                f"{path}: {name} has shape {plain[name].shape} where {shape} of finite numbers "
                "is needed; fit the model again"
            )
    return Constants(projections=projections, **plain)
