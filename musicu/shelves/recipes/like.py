"""More like this track; more like this artist."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from musicu.catalog.words import one_line
from musicu.items.constraints import Constraints
from musicu.retrieval import Filter
from musicu.retrieval.similar import Searchable
from musicu.shelves.assembly import ShelfSpec, by_score
from musicu.shelves.context import Anchor, ShelfContext
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.shelf import Shelf, ShelfTrack

#: The most tracks of an artist that others are likened to.
MAX_SEEDS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreLikeTrack(Recipe):
    """Tracks like one track, the nearest first. track: an id, a path, or "Artist - Title"."""

    name: ClassVar[str] = "more-like-track"
    track: str

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """One shelf."""
        seed = context.find(self.track)
        row = context.rows([seed])[seed]
        title = self.title or f"More like {ShelfTrack(row).title}"

        def ask(pool: int) -> ShelfSpec:
            choices = context.likened(
                context.near([seed], pool, self.constraints.where), [Anchor(row)]
            )
            return ShelfSpec(title=title, items=choices, excluded=[row], seed=row, order=by_score)

        return [self.filled(context, ask)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreLikeArtist(Recipe):
    """Tracks by others that are like an artist's; each says which of the artist's tracks."""

    name: ClassVar[str] = "more-like-artist"
    artist: str

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """One shelf."""
        own = context.by_artist(self.artist)
        seeds = [row for t, row in own.items() if context.has_vector(t)][:MAX_SEEDS]
        anchors = [Anchor(row) for row in seeds]
        names = self.rules.blocked_artists | {self.artist}
        others = replace(self, rules=replace(self.rules, blocked_artists=names))

        def ask(pool: int) -> ShelfSpec:
            near = context.near([row["track_id"] for row in seeds], pool, self.constraints.where)
            return ShelfSpec(
                title=self.title or f"More like {one_line(self.artist)}",
                about="by other artists",
                items=context.likened([t for t in near if t not in own], anchors),
                excluded=list(own.values()),
                order=by_score,
            )

        return [others.filled(context, ask)]


def more_like(
    catalog: Searchable,
    track_id: str,
    *,
    size: int = 20,
    where: Filter = None,
    model: str | None = None,
    rules: Constraints | None = None,
) -> Shelf:
    """A shelf of the tracks that are most like one track.

    size: how many tracks at most. where: a filter that candidates must meet. model: whose
    vectors to compare. Default: the catalog's default model.

    Looks at the nearest max(200, 10 * size) tracks, and further where the rules leave too few
    of them. Raises QueryError where the track, its vector or the model is missing.
    """
    recipe = MoreLikeTrack(track=track_id, size=size, where=where, rules=rules or Constraints())
    return recipe.shelves(ShelfContext(catalog, model=model))[0]
