"""More like this track; more like this artist."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from musicu.catalog.words import one_line
from musicu.retrieval.similar import Searchable
from musicu.shelves.build import Ask, by_score
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.rules import Rules
from musicu.shelves.shelf import Shelf, ShelfTrack
from musicu.shelves.world import Anchor, World

#: The most tracks of an artist that others are likened to.
MAX_SEEDS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreLikeTrack(Recipe):
    """Tracks like one track, the nearest first. track: an id, a path, or "Artist - Title"."""

    name: ClassVar[str] = "more-like-track"
    track: str

    def shelves(self, world: World) -> list[Shelf]:
        """One shelf."""
        seed = world.find(self.track)
        row = world.rows([seed])[seed]
        title = self.title or f"More like {ShelfTrack(row).title}"

        def ask(pool: int) -> Ask:
            choices = world.choices(world.near([seed], pool, self.where), [Anchor(row)])
            return Ask(title=title, choices=choices, barred=[row], seed=row, arrange=by_score)

        return [self.filled(world, ask)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreLikeArtist(Recipe):
    """Tracks by others that are like an artist's; each says which of the artist's tracks."""

    name: ClassVar[str] = "more-like-artist"
    artist: str

    def shelves(self, world: World) -> list[Shelf]:
        """One shelf."""
        own = world.rows(world.by_artist(self.artist))
        seeds = [row for t, row in own.items() if t in world.with_vector][:MAX_SEEDS]
        anchors = [Anchor(row) for row in seeds]
        names = self.rules.blocked_artists | {self.artist}
        others = replace(self, rules=replace(self.rules, blocked_artists=names))

        def ask(pool: int) -> Ask:
            near = world.near([row["track_id"] for row in seeds], pool, self.where)
            return Ask(
                title=self.title or f"More like {one_line(self.artist)}",
                about="by other artists",
                choices=world.choices([t for t in near if t not in own], anchors),
                barred=list(own.values()),
                arrange=by_score,
            )

        return [others.filled(world, ask)]


def more_like(
    catalog: Searchable,
    track_id: str,
    *,
    size: int = 20,
    where: Any = None,
    model: str | None = None,
    rules: Rules | None = None,
) -> Shelf:
    """A shelf of the tracks that are most like one track.

    size: how many tracks at most. where: a filter that candidates must meet. model: whose
    vectors to compare; those last added unless told otherwise.

    Looks at the nearest max(200, 10 * size) tracks, and further where the rules leave too few
    of them. Raises QueryError where the track, its vector or the model is missing.
    """
    recipe = MoreLikeTrack(track=track_id, size=size, where=where, rules=rules or Rules())
    return recipe.shelves(World(catalog, model=model))[0]
