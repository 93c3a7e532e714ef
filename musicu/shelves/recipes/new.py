"""New for you: recent releases, those first that suit the listener."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

import numpy as np

from musicu.candidates.sources.new_releases import NewReleases
from musicu.catalog.identity import Row
from musicu.errors import QueryError
from musicu.shelves.assembly import ScoredItem, ShelfSpec, as_ranked, by_score
from musicu.shelves.context import FIRST_POOL, ShelfContext
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.shelf import Shelf
from musicu.shelves.shelf_reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class NewForYou(Recipe):
    """Unheard releases of the last `days`, as candidates; without a listener the newest first."""

    name: ClassVar[str] = "new-for-you"
    days: int = 90

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """One shelf; QueryError for days below 1."""
        if self.days < 1:
            raise QueryError(f"days is {self.days}: it must be 1 or more")
        about = f"released since {context.today - timedelta(days=self.days - 1)}"
        if context.has_profile:
            sources = [NewReleases(self.days)]
            spec = ShelfSpec(
                title=self.title or "New for you",
                about=about,
                items=context.candidates(sources, self.wanted, self.constraints),
                order=as_ranked,
                diversity=0.0,
            )
            return [self.shelf(context, spec)]
        return [
            self.filled(
                context,
                lambda pool: ShelfSpec(
                    title=self.title or "New releases",
                    about=about,
                    items=self._newest(context, pool),
                    order=by_score,
                ),
            )
        ]

    def _newest(self, context: ShelfContext, pool: int) -> list[ScoredItem]:
        """The newest releases, scored by their age."""
        first = context.today - timedelta(days=self.days - 1)
        items = context.items
        within = context.matching(self.constraints.where)
        within = within[items.released_within(first, context.today)[within]]
        order = np.lexsort((items.order_by_id[within], -items.released[within]))
        rows = context.items_of(within[order[: max(pool, FIRST_POOL)]])
        return [self._newer(row, context.today) for row in rows.values()]

    def _newer(self, row: Row, today: date) -> ScoredItem:
        """A release with what its day is worth."""
        released: date = row["released"]
        age = (today - released).days
        text = "released today" if age == 0 else f"released {age} day{'s' * (age > 1)} ago"
        value = {"released": released.isoformat(), "days_ago": age}
        return ScoredItem(row, 0.0).plus(Reason("new", value, text, 1 - age / (self.days + 1)))
