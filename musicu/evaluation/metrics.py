"""Ranking metrics: how many relevant items stand on a list, and how far up.

Conventions, the same for tracks found by vectors and for candidates of listeners:

- A list holds the candidates of one query by falling score. It may be shorter than `k`: the
  missing places are misses.
- Relevance is 0 or 1. A query without relevant items has no recall or nDCG: NaN.
- Recall is of all relevant items: with more than `k` of them it cannot reach 1. Precision, hit
  rate, MRR and nDCG read the first `k` places alone.
- Every metric lies in [0, 1], 1 is best, and is averaged over queries.

hits: bool [queries, places], whether the item at a place is relevant. relevant: int64 [queries],
how many relevant items each query has.

Ties. Equal similarities of vectors go by row order, once the rows were shuffled by the seed.
Equal scores of a listener's candidates go by an order that the seed draws once for all models and
listeners: a constant score is one random list, the same for everybody.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

ACCURACY = ("recall", "ndcg", "mrr", "hit rate")


def recall(hits: Mask, relevant: Ints, k: int) -> Floats:
    """The share of each query's relevant items that are among the first `k`: float64 [queries]."""
    _check(hits, relevant, k)
    return _shares(hits[:, :k].sum(axis=1).astype(np.float64), relevant)


def precision(hits: Mask, candidates: Ints, k: int) -> Floats:
    """The share of the first `k` that is relevant; of all candidates where there are fewer."""
    _check(hits, candidates, k)
    return _shares(hits[:, :k].sum(axis=1).astype(np.float64), np.minimum(candidates, k))


def hit_rate(hits: Mask, k: int) -> Floats:
    """1 where any of the first `k` is relevant, else 0: float64 [queries]."""
    found: Floats = np.max(hits[:, :k], axis=1).astype(np.float64)
    return found


def mrr(hits: Mask, k: int) -> Floats:
    """1 over the place of the first hit, counted from 1; 0 where none is among the first `k`."""
    head = hits[:, :k]
    first = head.argmax(axis=1)
    found: Floats = np.where(np.any(head, axis=1), 1.0 / (first + 1.0), 0.0)
    return found


def ndcg(hits: Mask, relevant: Ints, k: int) -> Floats:
    """Normalised discounted cumulative gain of the first `k`, gains 0 and 1: float64 [queries].

    The discount at place r = 1, 2, … is 1 / log2(r + 1) (Järvelin and Kekäläinen, 2002); the
    ideal list has min(k, relevant) relevant items at its top.
    """
    _check(hits, relevant, k)
    width = min(k, hits.shape[1])
    discounts = 1.0 / np.log2(np.arange(k) + 2.0)
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant, k)]
    gained = hits[:, :k] @ discounts[:width]
    return _shares(gained, ideal)


def accuracy(hits: Mask, relevant: Ints, k: int) -> dict[str, Floats]:
    """All of ACCURACY at `k`, by name: float64 [queries] each."""
    values = (recall(hits, relevant, k), ndcg(hits, relevant, k), mrr(hits, k), hit_rate(hits, k))
    return dict(zip(ACCURACY, values, strict=True))


def average_precision(ranks: Ints) -> float:
    """Precision at the place of each relevant item, averaged over all of them.

    ranks: int64 [relevant], the places of the relevant items in a whole ranking, rising from 0.
    Its mean over queries is the mean average precision (Manning, Raghavan and Schütze, 2008,
    eq. 8.8), without a cut. Raises QueryError where nothing is relevant.
    """
    if len(ranks) == 0:
        raise QueryError("a query without relevant candidates has no metric: leave it out")
    return float(np.mean(np.arange(1, len(ranks) + 1) / (ranks + 1.0)))


def _shares(part: Floats, whole: Floats | Ints) -> Floats:
    """Part over whole, NaN where the whole is 0."""
    shares: Floats = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return shares


def _check(hits: Mask, counts: Ints, k: int) -> None:
    if k < 1:
        raise QueryError(f"k is {k}: give 1 or more")
    if len(hits) != len(counts):
        raise QueryError(f"{len(hits)} lists do not fit {len(counts)} counts of relevant items")
