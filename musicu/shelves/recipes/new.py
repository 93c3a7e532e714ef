"""New for you: recent releases, those first that suit the listener."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

from musicu.errors import QueryError
from musicu.shelves.build import Ask, Choice, by_score
from musicu.shelves.reasons import Reason
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.recipes.interests import anchors_of
from musicu.shelves.shelf import Shelf
from musicu.shelves.world import World, released_since

#: What being released today is worth, beside a cosine that goes to 1.
POINTS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewForYou(Recipe):
    """Unheard releases of the last `days`; without a listener the newest first."""

    name: ClassVar[str] = "new-for-you"
    days: int = 90

    def shelves(self, world: World) -> list[Shelf]:
        """One shelf; QueryError for days below 1."""
        if self.days < 1:
            raise QueryError(f"days is {self.days}: it must be 1 or more")
        first = world.today - timedelta(days=self.days)
        fresh = set(released_since(world.tracks, first, world.today)) - world.heard
        ids = [t for t in world.matching(self.where) if t in fresh]
        if world.has_listener:
            title, plain = "New for you", world.choices(ids, anchors_of(world))
        else:
            title, plain = "New releases", [Choice(row, 0.0) for row in world.rows(ids).values()]
        ask = Ask(
            title=self.title or title,
            about=f"released since {first}",
            choices=[self._newer(choice, world.today) for choice in plain],
            barred=list(world.rows(sorted(world.heard), missing_ok=True).values()),
            arrange=by_score,
        )
        return [self.shelf(world, ask)]

    def _newer(self, choice: Choice, today: date) -> Choice:
        """The choice with what its day of release is worth."""
        released: date = choice.row["released"]
        age = (today - released).days
        points = POINTS * (1 - age / (self.days + 1))
        text = "released today" if age == 0 else f"released {age} day{'s' * (age > 1)} ago"
        value = {"released": released.isoformat(), "days_ago": age}
        return choice.plus(Reason("new", value, text, points))
