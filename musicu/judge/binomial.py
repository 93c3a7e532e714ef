"""Whether a preference is more than chance, and how many answers it takes to tell.

Answers without a preference are left out, as the sign test does; the interval is Clopper and
Pearson's (Biometrika 26, 1934), the test the exact two-sided binomial one against 1/2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
POWER = 0.8
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Preference:
    """Of `wins + losses` answers with a preference: the share for the first, with its interval.

    share, low, high: in [0, 1]; 95 % confidence. p_value: of a share that far from 1/2 by chance.
    """

    wins: int
    losses: int
    share: float
    low: float
    high: float
    p_value: float

    @property
    def told(self) -> bool:
        """Whether the interval leaves out 1/2."""
        return self.low > 0.5 or self.high < 0.5


def preference(wins: int, losses: int, level: float = LEVEL) -> Preference:
    """The share of wins with its exact interval; without any answer 1/2, and all of [0, 1]."""
    from scipy import stats

    total = wins + losses
    if total == 0:
        return Preference(0, 0, 0.5, 0.0, 1.0, 1.0)
    tested = stats.binomtest(wins, total)
    ends = tested.proportion_ci(1 - level, method="exact")
    low, high = float(ends.low), float(ends.high)
    return Preference(wins, losses, wins / total, low, high, float(tested.pvalue))


def answers_needed(share: float, power: float = POWER, level: float = LEVEL) -> int | None:
    """How many answers tell a true share from 1/2 with that power; None where 20,000 do not.

    Fewer than that many may do, by luck; from it on every larger number does.
    """
    short = np.flatnonzero(_powers(share, level) < power)
    needed = int(short[-1]) + 2 if len(short) else 1  # the first place stands for one answer
    return needed if needed <= _MOST else None


def _powers(share: float, level: float) -> NDArray[np.float64]:
    """The chance that the two-sided exact test tells, of 1 to `_MOST` answers, [_MOST]."""
    from scipy import stats

    answers = np.arange(1, _MOST + 1)
    most = stats.binom.ppf(level / 2, answers, 0.5)  # so few wins, or one less, are told
    most -= 2 * stats.binom.cdf(most, answers, 0.5) > level
    few = stats.binom.cdf(most, answers, share)
    many = stats.binom.sf(answers - most - 1, answers, share)
    powers: NDArray[np.float64] = np.where(most >= 0, few + many, 0.0)
    return powers
