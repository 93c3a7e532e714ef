"""The role of a ranker: how well candidates suit listeners, and what each score is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.listening.profile_arrays import ProfileArrays
from musicu.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Candidates of some listeners, before they are ranked: an entry each.

    listener: int64, rising, a position among the profiles. row: int64, of the item table, once a
    listener. interest: int32, for which interest a source found it, -1 for none. score: float32,
    the source's own.
    """

    profiles: ProfileArrays
    listener: Ints
    row: Ints
    interest: NDArray[np.int32]
    score: Floats

    def __len__(self) -> int:
        return len(self.row)

    @property
    def items(self) -> ItemTable:
        """The item table that the rows are of."""
        return self.profiles.items


@dataclass(frozen=True, slots=True, eq=False)
class PoolScores:
    """What a ranker says of a pool, an entry each.

    score: float32, finite, the higher the better. parts: by name float32, what the score is made
    of; they sum to it. interest: int32, which of the listener's interests it suits, -1 for none.
    likeness: float32, the cosine with the track that stands for that interest, NaN for none.
    """

    score: Floats
    parts: Mapping[str, Floats]
    interest: NDArray[np.int32]
    likeness: Floats


class Ranker(Protocol):
    """Scores candidates; a small frozen dataclass.

    The scores of a listener's candidates do not depend on who else is in the pool.
    """

    @property
    def name(self) -> str:
        """As it is registered."""

    def rank(self, pool: Pool) -> PoolScores:
        """Scores of all entries of the pool."""


#: Rankers by name.
RANKERS: Registry[type[Ranker]] = Registry(
    "ranker",
    "musicu.rankers",
    {
        "taste": "musicu.ranking.taste:TasteRanker",
        "source": "musicu.ranking.source_order:SourceOrder",
    },
)
