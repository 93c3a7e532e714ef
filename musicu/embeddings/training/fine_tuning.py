"""Going on from a finished model: a change must prove itself on one's own recordings.

Where artists or albums are known, the last map may learn from them, its vectors may be drawn
towards their neighbours, and what counts is whether recordings of artists or albums that it was
not told of find each other: a change is kept only where the 95 % interval of its gain lies above
zero. Where nothing is known, neighbours alone are told, unless halves of recordings say that it
harms; a network alone learns on, and must find held-out recordings by degraded excerpts of
themselves, more clearly and no later. Else the model stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.training.adapting import (
    NEVER,
    kin_map,
    long_vectors,
    tell_map,
    tell_neighbours,
    tell_quantiles,
    vectors_now,
)
from musicu.embeddings.training.excerpts import Excerpts
from musicu.embeddings.training.export import Encoder
from musicu.embeddings.training.fitting import Evidence
from musicu.embeddings.training.gains import Gain, found_soon, paired_gain
from musicu.embeddings.training.halves import judge_halves
from musicu.embeddings.training.model_selection import WEIGHT, Labels, Way, choose_way
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.pairs import Grouping
from musicu.embeddings.training.train_config import Recipe

QUANTILES = 400.0  # from held-out sources, where 100 was no better
HARMLESS = 0.015  # what halves may lose at most: the end of a 95 % interval
LEAST_QUERIES, LEAST_GROUPS = 20, 6
EXCERPTS = "how clearly degraded excerpts find their recordings"

TakeExcerpts = Callable[[NDArray[np.int64]], Excerpts]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A model to use, what of it is new ("unchanged", "refitted", "learned"), and its gain.

    Where nothing was gained, `gain` is of the best change, which was refused.
    """

    encoder: Encoder
    kept: str
    gain: Gain


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    """A model that may be kept; vectors: float64 [recordings, dim], not of unit length."""

    kept: str
    encoder: Encoder
    vectors: NDArray[np.float64]


def go_on(
    old: Encoder, network: AudioNetwork, evidence: Evidence, recipe: Recipe, take: TakeExcerpts
) -> Outcome:
    """The best of a model and what its network learned, with its statistics and map told of the
    evidence's recordings; the model as it was where nothing is clearly gained.

    take: gives excerpts of some rows of the evidence. Where `network` is the old one itself, only
    what follows it goes on.
    """
    known = evidence.material.real.grouping.take(evidence.recordings)
    labels = labels_of(known, evidence.learns, recipe)
    if labels is None and old.constants is not None:
        return _by_halves(old, evidence, recipe)
    starts = _starts(old, network, evidence, recipe)
    if labels is None:
        return _by_excerpts(starts, evidence, take)
    now = vectors_now(old, starts[0].vectors)
    way, gain = choose_way(now, [start.vectors for start in starts], labels, recipe.seed)
    if way == Way():
        return Outcome(replace(old, recipe=recipe), "unchanged", gain)
    start = starts[way.ground]
    root = kin_map(start.vectors, labels.kin, way.kin)
    told = tell_map(start.encoder, root)
    told = tell_neighbours(told, start.vectors @ root, way.weight, recipe.seed)
    return Outcome(told, "refitted" if start.kept == "unchanged" else start.kept, gain)


def labels_of(known: Grouping, learns: NDArray[np.bool_], recipe: Recipe) -> Labels | None:
    """Artists, or else albums, that are named often enough to judge by; None where neither is.

    learns: bool [recordings], what the network learned from. Where it was told of labels too,
    only the others can judge.
    """
    pairs = recipe.pairs
    taught = max(pairs.album, pairs.artist, pairs.tags, pairs.listens) > 0
    queries = ~learns if taught else np.ones(len(known), dtype=np.bool_)
    for of, kin in (("artist", known.artist), ("album", known.album)):
        groups, counts = np.unique(kin[kin >= 0], return_counts=True)
        asked = queries & np.isin(kin, groups[counts > 1])
        if asked.sum() >= LEAST_QUERIES and len(np.unique(kin[asked])) >= LEAST_GROUPS:
            return Labels(of, kin, queries)
    return None


def rests(old: Encoder, known: Grouping, learns: NDArray[np.bool_], recipe: Recipe) -> bool:
    """Whether a network had better learn nothing: with statistics, where nothing is named.

    What it learned so found excerpts more clearly, and artists and albums a little less well
    (`benchmarks/README.md`). Neighbours are told all the same.
    """
    return old.constants is not None and labels_of(known, learns, recipe) is None


def _starts(
    old: Encoder,
    network: AudioNetwork,
    evidence: Evidence,
    recipe: Recipe,
) -> list[_Start]:
    """The old network and the new one, each with its statistics as they were and told."""
    statistics = None if evidence.statistics is None else evidence.statistics[0]
    networks = {"unchanged": old.network, "learned": network}
    if network is old.network:
        del networks["learned"]
    found = []
    for name, heard in networks.items():
        summaries = evidence.summaries(heard, recipe)[0]
        for strength in (NEVER, QUANTILES):
            encoder = replace(old, network=heard, recipe=recipe)
            kept = name
            if strength != NEVER:
                if old.constants is None or statistics is None:
                    continue
                told = tell_quantiles(old.constants, statistics, strength)
                encoder = replace(encoder, constants=told)
                kept = "refitted" if name == "unchanged" else name
            vectors = long_vectors(encoder, summaries, statistics)
            found.append(_Start(kept, encoder, vectors))
    return found


def _by_halves(old: Encoder, evidence: Evidence, recipe: Recipe) -> Outcome:
    """The old encoder with the evidence's recordings for neighbours, where that does no harm.

    The evidence has three crops of each: the whole, then its halves.
    """
    assert evidence.statistics is not None
    crops = zip(evidence.summaries(old.network, recipe), evidence.statistics, strict=True)
    whole, *halves = (long_vectors(old, learned, measured) for learned, measured in crops)
    gain = judge_halves(np.stack(halves), WEIGHT, recipe.seed)
    old = replace(old, recipe=recipe)
    if not gain.low > -HARMLESS:
        return Outcome(old, "unchanged", gain)
    return Outcome(tell_neighbours(old, whole, WEIGHT, recipe.seed), "refitted", gain)


def _by_excerpts(starts: list[_Start], evidence: Evidence, take: TakeExcerpts) -> Outcome:
    """The start by which excerpts find held-out recordings most clearly, if no later on average.

    Clearness alone would reward whatever spreads vectors; ranks alone are nearly always 1.
    """
    excerpts = take(np.flatnonzero(~evidence.learns))
    asked = excerpts.recordings
    scores = [_soon(start, excerpts) for start in starts]
    best = max(range(len(starts)), key=lambda row: (row > 0, float(scores[row][1].sum())))
    gain = paired_gain(EXCERPTS, scores[0][1], scores[best][1], asked, max(1, len(starts) - 1))
    if not gain.real or scores[best][0].mean() < scores[0][0].mean():
        return Outcome(starts[0].encoder, "unchanged", gain)
    return Outcome(starts[best].encoder, starts[best].kept, gain)


def _soon(start: _Start, excerpts: Excerpts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(excerpts.recordings) == 0:
        return np.zeros(0), np.zeros(0)
    recipe = start.encoder.recipe
    summaries = excerpts.summaries(start.encoder.network, recipe.frames, recipe.window_count)
    queries = long_vectors(start.encoder, summaries, excerpts.statistics)
    return found_soon(queries, start.vectors, excerpts.recordings)
