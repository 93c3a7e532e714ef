"""How good one ranking is.

Conventions, the same in every protocol:

- A query ranks its candidates by falling cosine similarity; the query itself is no candidate.
- Equal similarities go by row order. `evaluate` shuffles the rows once by its seed, so that a
  catalog which is sorted by artist gains nothing from ties.
- A metric sees only the ranks of the relevant candidates: int [relevant], 0 is the first place,
  rising, each once. There is always at least one: queries with nothing relevant are left out
  by the protocols, and counted.
- Every metric lies in [0, 1], 1 is best, and is averaged over queries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError

Ranks = NDArray[np.int64]


def average_precision(ranks: Ranks) -> float:
    """Precision at the place of each relevant candidate, averaged over all of them.

    Its mean over queries is the mean average precision (Manning, Raghavan and Schütze, 2008,
    eq. 8.8), over the whole ranking, without a cut.
    """
    _check(ranks)
    found = np.arange(1, len(ranks) + 1)
    return float(np.mean(found / (ranks + 1.0)))


def recall_at(ranks: Ranks, k: int) -> float:
    """The share of all relevant candidates that are among the first `k`.

    The share is of all, so a query with more than `k` relevant candidates cannot reach 1.
    """
    _check(ranks)
    return float(np.count_nonzero(ranks < k) / len(ranks))


def precision_at(ranks: Ranks, k: int, candidates: int) -> float:
    """The share of the first `k` that is relevant; of all candidates where there are fewer."""
    _check(ranks)
    return float(np.count_nonzero(ranks < k) / min(k, candidates))


def hit_at(ranks: Ranks, k: int) -> float:
    """1 where any relevant candidate is among the first `k`, otherwise 0."""
    _check(ranks)
    return float(ranks[0] < k)


def ndcg_at(ranks: Ranks, k: int) -> float:
    """Normalised discounted cumulative gain of the first `k`, with gains of 0 and 1.

    The discount at place r = 1, 2, … is 1 / log2(r + 1) (Järvelin and Kekäläinen, 2002); the
    ideal ranking has min(k, relevant) relevant candidates at its top.
    """
    _check(ranks)
    gained = np.sum(1.0 / np.log2(ranks[ranks < k] + 2.0))
    ideal = np.sum(1.0 / np.log2(np.arange(min(k, len(ranks))) + 2.0))
    return float(gained / ideal)


def _check(ranks: Ranks) -> None:
    if len(ranks) == 0:
        raise QueryError("a query without relevant candidates has no metric: leave it out")
