"""Daily mixes: one for each of a listener's interests, named by what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from musicu.catalog.identity import Row
from musicu.shelves.arranging import flowing
from musicu.shelves.build import Ask, Choice
from musicu.shelves.naming import Namer
from musicu.shelves.reasons import Reason
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.recipes.interests import anchors_in
from musicu.shelves.shelf import Shelf
from musicu.shelves.world import FIRST_POOL, World

#: The most tracks of an interest that others are likened to.
MAX_ANCHORS = 20
#: What having been heard is worth in a mix, beside a cosine that goes to 1.
POINTS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyMixes(Recipe):
    """Heard and unheard tracks around each interest, to listen through. count: mixes at most."""

    name: ClassVar[str] = "daily-mixes"
    count: int = 4

    def shelves(self, world: World) -> list[Shelf]:
        """A mix an interest, the most important first; no track is in two of them."""
        namer = Namer(world.tracks, world.character)
        mixes: list[Shelf] = []
        for interest in world.listener.interests[: self.count]:
            anchors = anchors_in(world, interest, MAX_ANCHORS)
            if not anchors:
                continue
            used = world.rows(sorted({t for mix in mixes for t in mix.track_ids})).values()
            near = world.near([a.row["track_id"] for a in anchors], FIRST_POOL, self.where)
            familiar = [_familiar(c, world.heard) for c in world.choices(near, anchors)]
            name = namer.name([a.row for a in anchors])
            mix = self.shelf(world, self._ask(len(mixes), name, familiar, list(used)))
            mixes += [mix] if len(mix) else []
        return mixes

    def _ask(self, place: int, name: str, choices: Sequence[Choice], used: list[Row]) -> Ask:
        """One mix, with its number where it would share its title with others."""
        return Ask(
            title=f"{self.title or 'Daily mix'} {place + 1}",
            about=name,
            choices=choices,
            barred=used,
            arrange=flowing(),
        )


def _familiar(choice: Choice, heard: frozenset[str]) -> Choice:
    """The choice with what it is worth that the listener knows it."""
    if choice.track_id not in heard:
        return choice
    return choice.plus(Reason("heard", {}, "one that you know", POINTS), first=False)
