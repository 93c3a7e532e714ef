"""The ranker that leaves candidates as their source ranked them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from musicu.ranking.ranker import Pool, PoolScores


@dataclass(frozen=True, slots=True)
class SourceOrder:
    """Keeps the source's scores: for popularity, chance, or what is like one track."""

    name: ClassVar[str] = "source"

    def rank(self, pool: Pool) -> PoolScores:
        """The scores of the source, which are made of one part."""
        unknown = np.full(len(pool), np.nan, np.float32)
        return PoolScores(pool.score, {"source": pool.score}, pool.interest, unknown)
