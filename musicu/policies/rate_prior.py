"""What rates of items are like, learned from all items that were tried (empirical Bayes).

The successes of an item are Beta-binomial: its rate is Beta(s m, s (1 - m)). The mean m of an item
never tried and the strength s (in rounds) are those under which what was seen is likeliest
(Casella, "An introduction to empirical Bayes data analysis", The American Statistician 1985). The
mean is over items: one over rounds would be that of the items a policy already prefers, and every
new item would look like them.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln

from musicu.policies.bandit import Doubles

#: What is tried: a factor of the means, and the strength in rounds.
FACTORS = np.geomspace(1 / 64, 2, 22)
STRENGTHS = np.geomspace(0.5, 512, 16)
#: The usual strength, and how far it may be off (of its logarithm): what little data start from.
USUAL, SPREAD = 20.0, 1.5
LEAST = 1e-4  # a mean
_BINS_PER_E = 8  # of means that are taken as one


def fitted_prior(
    won: Doubles, lost: Doubles, means: Doubles, factors: Doubles = FACTORS
) -> tuple[float, float]:
    """The factor of the means and the strength under which what items earned is likeliest.

    won, lost: float64 [items]. means: float64 [items], what each is expected to earn, up to one
    factor for all. factors: those that are tried.
    """
    level = np.round(np.log(np.clip(means, LEAST, 1.0)) * _BINS_PER_E)
    cells, count = np.unique(np.stack([level, won, lost]), axis=1, return_counts=True)
    mean = np.exp(cells[0] / _BINS_PER_E)
    center = np.clip(factors[:, None] * mean, LEAST, 1 - LEAST)[:, None, :]  # factor, 1, cell
    good, bad = (STRENGTHS[:, None] * part for part in (center, 1 - center))
    likely = betaln(good + cells[1], bad + cells[2]) - betaln(good, bad)
    usual = -0.5 * (np.log(STRENGTHS / USUAL) / SPREAD) ** 2
    factor, strength = np.unravel_index(
        int(((likely @ count) + usual).argmax()), (len(factors), len(STRENGTHS))
    )
    return float(factors[factor]), float(STRENGTHS[strength])
