"""Because you listened to …: one shelf for each of a listener's interests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from musicu.catalog.identity import Row
from musicu.catalog.words import one_line
from musicu.shelves.build import Ask, by_score
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.shelf import Shelf, ShelfTrack
from musicu.shelves.world import Anchor, World


@dataclass(frozen=True, slots=True, kw_only=True)
class BecauseYouListened(Recipe):
    """Unheard tracks like the one in the middle of each interest. count: interests, at most."""

    name: ClassVar[str] = "because-you-listened"
    count: int = 3

    def shelves(self, world: World) -> list[Shelf]:
        """A shelf an interest, the most important first; no track stands on two of them."""
        heard = world.rows(sorted(world.heard), missing_ok=True)
        shelves: list[Shelf] = []
        for interest in world.listener.interests:
            seed = heard.get(interest.medoid)
            if seed is None or interest.medoid not in world.with_vector:
                continue
            shown = {t for shelf in shelves for t in shelf.track_ids}
            barred = [*heard.values(), *world.rows(sorted(shown)).values()]
            shelf = self.filled(world, self._ask(world, seed, barred))
            shelves += [shelf] if len(shelf) else []
            if len(shelves) == self.count:
                break
        return shelves

    def _ask(self, world: World, seed: Row, barred: list[Row]) -> Callable[[int], Ask]:
        short = one_line(ShelfTrack(seed).title, 40)

        def ask(pool: int) -> Ask:
            near = world.near([seed["track_id"]], pool, self.where)
            return Ask(
                title=self.title or f"Because you listened to {short}",
                about=f"by {ShelfTrack(seed).artist}",
                choices=world.choices(near, [Anchor(seed)]),
                barred=barred,
                seed=seed,
                arrange=by_score,
            )

        return ask
