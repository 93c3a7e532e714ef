"""Because you listened to …: one shelf for each of a listener's interests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from musicu.catalog.identity import Row
from musicu.catalog.words import one_line
from musicu.shelves.assembly import ShelfSpec, by_score
from musicu.shelves.context import Anchor, ShelfContext
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.shelf import Shelf, ShelfTrack


@dataclass(frozen=True, slots=True, kw_only=True)
class BecauseYouListened(Recipe):
    """Unheard tracks like the one in the middle of each interest. count: interests, at most."""

    name: ClassVar[str] = "because-you-listened"
    count: int = 3

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """A shelf an interest, the most important first; no track stands on two of them."""
        heard = context.rows(sorted(context.heard), missing_ok=True)
        middles = [interest.medoid for interest in context.profile.interests]
        seeds = [heard[t] for t in middles if t in heard and context.has_vector(t)]
        groups = [[seed["track_id"]] for seed in seeds]
        near = context.near_each(groups[: self.count], self.first_pool, self.constraints.where)
        shelves: list[Shelf] = []
        for place, seed in enumerate(seeds):
            shown = {t for shelf in shelves for t in shelf.track_ids}
            barred = [*heard.values(), *context.rows(sorted(shown)).values()]
            found = near[place] if place < len(near) else None
            shelf = self.filled(context, self._ask(context, seed, barred, found))
            shelves += [shelf] if len(shelf) else []
            if len(shelves) == self.count:
                break
        return shelves

    def _ask(
        self, context: ShelfContext, seed: Row, barred: list[Row], found: list[str] | None
    ) -> Callable[[int], ShelfSpec]:
        """What asks for a shelf; found: what is near to the seed in the first pool."""
        short = one_line(ShelfTrack(seed).title, 40)

        def ask(pool: int) -> ShelfSpec:
            near = found if pool == self.first_pool else None
            if near is None:
                near = context.near([seed["track_id"]], pool, self.constraints.where)
            return ShelfSpec(
                title=self.title or f"Because you listened to {short}",
                about=f"by {ShelfTrack(seed).artist}",
                items=context.likened(near, [Anchor(seed)]),
                excluded=barred,
                seed=seed,
                order=by_score,
            )

        return ask
