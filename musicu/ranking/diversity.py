"""Choosing tracks that suit the seed and not only each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Diversity chooses among this many times the shelf's size of the best candidates, no further.
POOL_FACTOR = 5


def diversify(vectors: NDArray[np.float32], k: int, diversity: float) -> list[int]:
    """Choose k of the candidates by maximal marginal relevance, in the order of choice.

    vectors: float32 [candidates, dim] of unit length, the most relevant candidate first; a
    row of zeros, where a vector is not known, counts as unlike everything.

    Relevance falls evenly from 1 to 0 with the candidate's place, not with its score: the
    choice is then the same for every scale of scores. The first candidate is always chosen
    first. Carbonell & Goldstein, "The use of MMR" (SIGIR 1998), with lambda = 1 - diversity.
    """
    from pyversity import Strategy
    from pyversity import diversify as choose

    pool = min(len(vectors), POOL_FACTOR * k)
    if pool == 0 or diversity == 0:
        return list(range(min(k, pool)))
    relevance = np.linspace(1.0, 0.0, pool, dtype=np.float32)
    chosen = choose(
        embeddings=vectors[:pool],
        scores=relevance,
        k=k,
        strategy=Strategy.MMR,
        diversity=diversity,
    )
    return [int(i) for i in chosen.indices]
