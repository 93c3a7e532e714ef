"""Mixtures of scorers, weighted so that what came next is likeliest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from musicu.sequences.heldout_sessions import HeldOut, gain, rank_of
from musicu.sequences.next_item_model import NextItemScorer, distribution

_ROUNDS = 200
_LESS = (1.0, 0.2, 0.04)  # parts of popularity that are tried


def mixture(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights under which the mixture of scorers makes the targets likeliest.

    Expectation maximisation (deleted interpolation: Jelinek and Mercer, 1980). shares: float64
    [targets, scorers]. float64 [scorers], of sum 1.
    """
    weights = np.full(shares.shape[1], 1 / shares.shape[1])
    told = shares[shares.any(axis=1)]
    for _ in range(_ROUNDS if len(told) else 0):
        part = told * weights
        weights = (part / part.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights


def target_shares(
    scorers: Sequence[NextItemScorer], held: HeldOut, repeats: bool
) -> NDArray[np.float64]:
    """What each scorer gives to each target: float64 [targets, scorers]."""
    shares = np.zeros((len(held), len(scorers)))
    for column, scorer in enumerate(scorers):
        for row, (history, target) in enumerate(zip(held.histories, held.targets, strict=True)):
            excluded = history[:0] if repeats else history
            shares[row, column] = distribution(scorer.scores(history), excluded)[target]
    return shares


def mixture_ranks(
    scorers: Sequence[NextItemScorer],
    ways: Sequence[NDArray[np.float64]],
    held: HeldOut,
    repeats: bool,
) -> NDArray[np.float64]:
    """Each target's rank from 0 under each of some mixtures: float64 [ways, targets]."""
    rank = np.zeros((len(ways), len(held)))
    for row, (history, target) in enumerate(zip(held.histories, held.targets, strict=True)):
        excluded = history[:0] if repeats else history
        found = np.stack([distribution(each.scores(history), excluded) for each in scorers])
        for way, mixed in enumerate(ways):
            rank[way, row] = rank_of(mixed.astype(np.float32) @ found, target)
    return rank


def with_less_popularity(
    names: Sequence[str],
    scorers: Sequence[NextItemScorer],
    weights: NDArray[np.float64],
    held: HeldOut,
    repeats: bool,
) -> NDArray[np.float64]:
    """The mixture with as much of its popularity as does best by NDCG@20.

    The likeliest mixture gives popularity the targets that nothing else explains.
    """
    plays = np.array([name in {"popularity", "recent"} for name in names])
    ways = [np.where(plays, weights * factor, weights) for factor in _LESS]
    rank = mixture_ranks(scorers, ways, held, repeats)
    return ways[int(np.argmax([gain(each) for each in rank]))]
