"""Whether neighbour smoothing harms where nothing is named: halves of a recording should agree.

The nearest recordings by one half should be found by the other half, which is different sound. So
a change that only moves vectors about, or joins what has nothing in common, is found out. What is
nearest is said by the model as it was, so that no change can make its own truth; for the same
reason most of a good change's gain is not seen here, and halves serve to refuse what harms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.neighbours import smooth
from musicu.embeddings.training.gains import Gain, average_precisions, paired_gain

Floats = NDArray[np.float64]

SIZES = (1, 2, 3, 5)  # of a recording's neighbourhood
MOST = 1500  # recordings that are compared, all with all


def split_half_gain(halves: Floats, weight: float, seed: int) -> Gain:
    """How much better, or worse, halves find each other's neighbours when smoothed.

    halves: float64 [2, recordings, dim], vectors of both by the model as it was, of any length.
    weight: of the neighbours, which are halves too: a whole would give the answer away.
    """
    some = np.sort(np.random.default_rng(seed).permutation(halves.shape[1])[:MOST])
    before, after = [], []
    plain, smoothed = ([smooth(h, h, w) for h in halves[:, some]] for w in (0.0, weight))
    for one, other in ((0, 1), (1, 0)):
        for size in SIZES:
            right = mutual(plain[one] @ plain[one].T, size)
            before.append(average_precisions(_apart(plain[other]), right))
            after.append(average_precisions(_apart(smoothed[other]), right))
    of = "what is near one half of a recording is found by its other half"
    return paired_gain(of, _mean(before), _mean(after), some)


def mutual(likeness: Floats, size: int) -> NDArray[np.bool_]:
    """Whether each is among the other's `size` nearest, bool [n, n]; never of one with itself."""
    apart = likeness.copy()
    np.fill_diagonal(apart, -np.inf)
    nearest = np.argsort(-apart, axis=1, kind="stable")[:, :size]
    among = np.zeros(apart.shape, dtype=np.bool_)
    np.put_along_axis(among, nearest, True, axis=1)
    np.fill_diagonal(among, False)
    both: NDArray[np.bool_] = among & among.T
    return both


def _apart(units: Floats) -> Floats:
    """Cosine of each with all others, float64 [n, n]; with itself -inf."""
    likeness: Floats = units @ units.T
    np.fill_diagonal(likeness, -np.inf)
    return likeness


def _mean(rows: list[Floats]) -> Floats:
    """The mean of what is no NaN, float64 [n]; NaN where nothing is."""
    known = np.isfinite(rows)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(known, rows, 0.0).sum(axis=0) / known.sum(axis=0)
    return mean
