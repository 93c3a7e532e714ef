"""How many of the right tracks stand on a list of candidates, and how far up.

Conventions:

- A list holds a listener's candidates by falling score, without what is in their history, at
  most `k` of them. A model may offer fewer, or none: the missing places are misses.
- Equal scores go by an order of the candidates that the seed draws once for all models and
  listeners: a constant score is one list, drawn at random, that is the same for everybody.
- Relevance is 0 or 1: the listener's answers, see `splits`. Everyone who is asked has at least one.
- Recall is of all answers: with more than `k` answers it cannot reach 1. Hit rate, MRR and nDCG
  look at the first `k` places alone. All lie in [0, 1] and are averaged over listeners.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

ACCURACY = ("recall", "ndcg", "mrr", "hit rate")


def recall(hits: Mask, answers: Ints, k: int) -> Floats:
    """The share of each listener's answers that are among the first `k`: float64 [listeners].

    hits: bool [listeners, places], whether the track at a place is an answer. answers: how many
    each listener has. Where there are none, as in a group of tracks, it is NaN.
    """
    _check(hits, answers, k)
    return _shares(hits[:, :k].sum(axis=1).astype(np.float64), answers)


def hit_rate(hits: Mask, k: int) -> Floats:
    """1 where any of the first `k` is an answer, else 0: float64 [listeners]."""
    found: Floats = np.max(hits[:, :k], axis=1).astype(np.float64)
    return found


def mrr(hits: Mask, k: int) -> Floats:
    """1 over the place of the first answer, places from 1; 0 where none is among the first `k`."""
    head = hits[:, :k]
    first = head.argmax(axis=1)
    found: Floats = np.where(np.any(head, axis=1), 1.0 / (first + 1.0), 0.0)
    return found


def ndcg(hits: Mask, answers: Ints, k: int) -> Floats:
    """Normalised discounted cumulative gain of the first `k`, gains 0 and 1: float64 [listeners].

    The discount at place r = 1, 2, … is 1 / log2(r + 1) (Järvelin and Kekäläinen, 2002); the
    ideal list has min(k, answers) answers at its top.
    """
    _check(hits, answers, k)
    width = min(k, hits.shape[1])
    discounts = 1.0 / np.log2(np.arange(k) + 2.0)
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(answers, k)]
    gained = hits[:, :k] @ discounts[:width]
    return _shares(gained, ideal)


def accuracy(hits: Mask, answers: Ints, k: int) -> dict[str, Floats]:
    """All of ACCURACY at `k`, by name: float64 [listeners] each."""
    values = (recall(hits, answers, k), ndcg(hits, answers, k), mrr(hits, k), hit_rate(hits, k))
    return dict(zip(ACCURACY, values, strict=True))


def _shares(part: Floats, whole: Floats | Ints) -> Floats:
    """Part over whole, NaN where the whole is 0."""
    shares: Floats = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return shares


def _check(hits: Mask, answers: Ints, k: int) -> None:
    if k < 1:
        raise QueryError(f"k is {k}: give 1 or more")
    if len(hits) != len(answers):
        raise QueryError(f"{len(hits)} lists do not fit {len(answers)} counts of answers")
