"""What is like one track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from musicu.candidates.request import Ranked, Request
from musicu.candidates.sources.taste_lists import same_for_all
from musicu.errors import QueryError


@dataclass(frozen=True, slots=True)
class MoreLike:
    """Tracks nearest to a seed, the same for every listener; never the seed itself."""

    seed: str
    name: ClassVar[str] = "more-like"
    reason_prefix: ClassVar[str] = "Like"
    anchor_kind: ClassVar[str] = "track"
    ranker: ClassVar[str] = "source"

    def candidates(self, request: Request) -> Ranked:
        """One list a listener, in falling cosine to the seed.

        Raises QueryError where the seed has no vector.
        """
        seed = int(request.items.rows_of([self.seed])[0])
        if seed < 0:
            raise QueryError(
                f"the seed {self.seed!r} has no vector: give the id of a track that is embedded"
            )
        rows = request.rows[request.rows != seed]
        k = np.array([request.fetch_factor * (2 * request.want + 50)])
        hits = request.items.search(request.items.values[seed], k, rows)
        return same_for_all(request, hits.row, hits.score, len(hits) >= len(rows))
