"""The role of a ranker: how well candidates suit listeners, and what each score is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.listening.profile_arrays import ProfileArrays
from musicu.records import short
from musicu.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Candidates of some listeners, before they are ranked: an entry each.

    listener: int64, rising, a position among the profiles. row: int64, of the item table, once a
    listener. interest: int32, for which interest a source found it, -1 for none. score: float32,
    the source's own. source: its name. at: the present, with a time zone, None where nobody said.
    """

    profiles: ProfileArrays
    listener: Ints
    row: Ints
    interest: NDArray[np.int32]
    score: Floats
    source: str = ""
    at: datetime | None = None

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
    likeness: float32, the cosine with the track that stands for that interest, NaN for none. Both
    may be left out: none for all.
    """

    score: Floats
    parts: Mapping[str, Floats]
    interest: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    likeness: Floats = field(default_factory=lambda: np.empty(0, np.float32))

    def __post_init__(self) -> None:
        """Fill in what was left out."""
        count = np.size(self.score)
        for name, nothing in (("interest", np.int32(-1)), ("likeness", np.float32(np.nan))):
            if not np.size(getattr(self, name)):
                object.__setattr__(self, name, np.full(count, nothing))


class Ranker(Protocol):
    """Scores candidates; a small frozen dataclass.

    The scores of a listener's candidates do not depend on who else is in the pool. A ranker may
    have `phrases`, words by part of its scores: then they are the reasons of candidates.
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
        "learned": "musicu.ranking.learned_ranker:LearnedRanker",
    },
)


def scores_of(ranker: Ranker, pool: Pool) -> PoolScores:
    """What a ranker says of a pool; raises QueryError where that is no answer for each entry."""
    found = ranker.rank(pool)
    if not isinstance(found, PoolScores):
        raise QueryError(f"the ranker {ranker.name!r} answers {short(found)}: give PoolScores")
    score = np.asarray(found.score)
    each = (score, found.interest, found.likeness, *found.parts.values())
    if any(np.shape(values) != (len(pool),) for values in each) or not np.isfinite(score).all():
        raise QueryError(
            f"the ranker {ranker.name!r} answers scores {score.shape}: give finite ones for each "
            f"of {len(pool):,} candidates, and as many interests, likenesses and parts"
        )
    return found
