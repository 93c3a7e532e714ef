"""What comes next in a session or history, by a next-item model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from musicu.candidates.request import Ranked, Request
from musicu.errors import QueryError
from musicu.items.item_table import Ints
from musicu.sequences.next_item_model import NextItemModel

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog


@dataclass(frozen=True, slots=True, eq=False)
class NextItem:
    """Tracks that come next, those that nobody has played among them; the score is a share.

    model: of `musicu train next`. after: ids, the session that goes on, for every listener. None:
    each listener's history, in which what was played last and most counts as latest.
    """

    model: NextItemModel | None = None
    after: tuple[str, ...] | None = None
    name: ClassVar[str] = "next"
    reason_prefix: ClassVar[str] = "Likely to come next"
    anchor_kind: ClassVar[str] = "track"
    ranker: ClassVar[str] = "source"

    @classmethod
    def of(cls, catalog: Catalog, after: tuple[str, ...] | None = None) -> NextItem:
        """The source with the catalog's model; ModelError where it has none."""
        from musicu.sequences.catalog_models import open_next_model

        return cls(open_next_model(catalog), after)

    def candidates(self, request: Request) -> Ranked:
        """One list a listener, in falling score; QueryError without a model."""
        if self.model is None:
            raise QueryError(
                "the source next has no model: run `musicu train next`, then NextItem.of(catalog)"
            )
        place = request.items.rows_of(self.model.items)  # of the model's items
        allowed = np.zeros(len(request.items) + 1, bool)  # the last is of what is not here
        allowed[request.rows] = True
        kept = np.flatnonzero(allowed[place])
        want = request.fetch_factor * (2 * request.want + 50)
        rows, scores, counts = [], [], []
        for history in self._histories(request):
            found = self.model.scores([history])[0][kept]
            best = np.flatnonzero(found > 0)
            if len(best) > want:  # ties of the last included
                best = best[found[best] >= np.partition(found[best], -want)[-want]]
            tie = request.items.order_by_id[place[kept[best]]]
            best = best[np.lexsort((tie, -found[best]))][:want]
            rows.append(place[kept[best]])
            scores.append(found[best])
            counts.append(len(best))
        count = len(counts)
        return Ranked(
            np.arange(count),
            np.full(count, -1, np.int32),
            np.full(count, request.want),
            np.array(counts) < want,
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.concatenate([np.empty(0, np.int64), *rows]),
            np.concatenate([np.empty(0, np.float32), *scores]),
        )

    def _histories(self, request: Request) -> list[list[str]]:
        """The ids of each listener's history, the latest last."""
        if self.after is not None:
            return [list(self.after)] * len(request.profiles)
        heard = request.history
        liked = np.flatnonzero(heard.weight > 0)
        order: Ints = liked[np.lexsort((heard.weight[liked], heard.listener[liked]))]
        ends = np.searchsorted(heard.listener[order], np.arange(len(request.profiles) + 1))
        ids = request.items.ids[heard.row[order]].tolist()
        return [ids[a:b] for a, b in pairwise(ends.tolist())]
