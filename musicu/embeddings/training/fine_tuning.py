"""Fine-tuning a finished model: a change must prove itself on one's own recordings.

Where artists or albums are known, the network learns on, the projection is refit by them and
vectors are smoothed with their neighbours; what counts is whether recordings of label groups that
had no part in this find each other, and a change is kept only where the 95 % interval of its gain
lies above zero. Where nothing is known the network is frozen, and neighbour smoothing alone is
kept unless halves of recordings say that it harms. Else the model stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.training.adaptation import (
    add_neighbours,
    mix_quantiles,
    raw_vectors,
    refit_projection,
    smoothed,
)
from musicu.embeddings.training.encoder_export import Encoder
from musicu.embeddings.training.fitting import FitData
from musicu.embeddings.training.gains import Gain
from musicu.embeddings.training.model_selection import (
    WEIGHT,
    Adaptation,
    SelectionGroups,
    select_adaptation,
)
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.pairs import Grouping
from musicu.embeddings.training.recipe import TrainingRecipe
from musicu.embeddings.training.split_half import split_half_gain
from musicu.embeddings.training.wccn import wccn_projection

HARMLESS = 0.015  # what halves may lose at most: the end of a 95 % interval
LEAST_QUERIES, LEAST_GROUPS = 20, 6


@dataclass(frozen=True, slots=True, eq=False)
class FineTuned:
    """A model to use, what of it is new ("unchanged", "refitted", "learned"), and its gain.

    Where nothing was gained, `gain` is of the best change, which was refused.
    """

    encoder: Encoder
    kept: str
    gain: Gain


def fine_tune(
    old: Encoder, network: AudioNetwork, data: FitData, recipe: TrainingRecipe
) -> FineTuned:
    """The best of a model and what its network learned, refit and smoothed with the fit data's
    recordings; the model as it was where nothing is clearly gained.

    network: the old one itself where it is frozen. Where nothing is named, the data has three
    crops of each recording: the whole, then its halves.
    """
    old = replace(old, recipe=recipe)
    known = data.material.real.grouping.take(data.recordings)
    labels = find_labels(known, data.learns, recipe)
    if labels is None:
        return _smooth_unnamed(old, data, recipe)
    encoders, vectors = _starts(old, network, data, recipe)
    best, gain = select_adaptation(smoothed(old, vectors[0]), vectors, labels, recipe.seed)
    if best == Adaptation():
        return FineTuned(old, "unchanged", gain)
    start, rows = encoders[best.start], vectors[best.start]
    projection = wccn_projection(rows, labels.groups, best.strength)
    tuned = refit_projection(start, projection)
    tuned = add_neighbours(tuned, rows @ projection, best.weight, recipe.seed)
    return FineTuned(tuned, "refitted" if start.network is old.network else "learned", gain)


def _starts(
    old: Encoder, network: AudioNetwork, data: FitData, recipe: TrainingRecipe
) -> tuple[list[Encoder], list[NDArray[np.float64]]]:
    """The old network and the new one, each with its quantiles as they are and mixed; and the
    `raw_vectors` of each."""
    statistics = None if data.statistics is None else data.statistics[0]
    songs = None if data.songs is None else data.songs[0]
    encoders, vectors = [], []
    for each in [old.network] if network is old.network else [old.network, network]:
        pooled = data.pool(each, recipe)[0]
        plain = replace(old, network=each)
        mixed = [] if statistics is None else [mix_quantiles(plain, statistics)]
        for encoder in (plain, *mixed):
            encoders.append(encoder)
            vectors.append(raw_vectors(encoder, pooled, statistics, songs))
    return encoders, vectors


def find_labels(
    known: Grouping, learns: NDArray[np.bool_], recipe: TrainingRecipe
) -> SelectionGroups | None:
    """Artists, or else albums, that are named often enough to judge by; None where neither is.

    learns: bool [recordings], what the network learned from. Where it was trained with labels
    too, only the other recordings can judge.
    """
    pairs = recipe.pairs
    with_labels = max(pairs.album, pairs.artist, pairs.tags, pairs.listens) > 0
    queries = ~learns if with_labels else np.ones(len(known), dtype=np.bool_)
    for kind, groups in (("artist", known.artist), ("album", known.album)):
        names, counts = np.unique(groups[groups >= 0], return_counts=True)
        asked = queries & np.isin(groups, names[counts > 1])
        if asked.sum() >= LEAST_QUERIES and len(np.unique(groups[asked])) >= LEAST_GROUPS:
            return SelectionGroups(kind, groups, queries)
    return None


def _smooth_unnamed(old: Encoder, data: FitData, recipe: TrainingRecipe) -> FineTuned:
    """The old encoder with the data's recordings for neighbours, where that does no harm."""
    crops = data.pool(old.network, recipe)
    statistics = [None] * len(crops) if data.statistics is None else list(data.statistics)
    songs = [None] * len(crops) if data.songs is None else list(data.songs)
    parts = zip(crops, statistics, songs, strict=True)
    whole, *halves = (raw_vectors(old, *part) for part in parts)
    gain = split_half_gain(np.stack(halves), WEIGHT, recipe.seed)
    if not gain.low > -HARMLESS:
        return FineTuned(old, "unchanged", gain)
    return FineTuned(add_neighbours(old, whole, WEIGHT, recipe.seed), "refitted", gain)
