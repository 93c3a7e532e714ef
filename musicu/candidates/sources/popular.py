"""What most people play: the baseline that every recommender has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from musicu.candidates.request import Ranked, Request
from musicu.candidates.sources.taste_lists import same_for_all


@dataclass(frozen=True, slots=True)
class Popular:
    """The tracks with most listens, or of highest popularity where no listens are known.

    The same for every listener; ties go by id. A track without listens, or of no or unknown
    popularity, is never popular. The score is the share of the most popular one, from 0 to 1.
    """

    name: ClassVar[str] = "popular"
    reason_prefix: ClassVar[str] = "Popular"
    anchor_kind: ClassVar[str] = "track"
    ranker: ClassVar[str] = "source"

    def candidates(self, request: Request) -> Ranked:
        """One list a listener, in falling popularity."""
        popularity = np.nan_to_num(request.items.popularity[request.rows])
        rows, popularity = request.rows[popularity > 0], popularity[popularity > 0]
        order = np.lexsort((request.items.order_by_id[rows], -popularity))
        order = order[: request.fetch_factor * (2 * request.want + 50)]
        score = (popularity / popularity.max(initial=0)).astype(np.float32)
        return same_for_all(request, rows[order], score[order], len(order) == len(rows))
