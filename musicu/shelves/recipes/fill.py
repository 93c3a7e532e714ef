"""Fill this playlist: more tracks like those that it has, going on where it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from musicu.candidates.request import CandidateSource
from musicu.candidates.sources.for_you import ForYou
from musicu.candidates.sources.next_item import NextItem
from musicu.catalog.identity import Row
from musicu.errors import QueryError
from musicu.listening.profiles import TasteProfile
from musicu.ranking.diversity import POOL_FACTOR
from musicu.records import Vectors, counted
from musicu.shelves.assembly import ShelfSpec
from musicu.shelves.context import ShelfContext
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.sequencing import flowing
from musicu.shelves.shelf import Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class FillPlaylist(Recipe):
    """Tracks that fit the playlist as a whole, so ordered that they go on from its last one.

    Where the catalog has a next-item model, half of them are what comes next by it.

    tracks: ids, paths, or "Artist - Title", in the playlist's order.
    """

    name: ClassVar[str] = "fill-playlist"
    tracks: tuple[str, ...]

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """One shelf of new tracks; QueryError where the playlist has none with a vector."""
        rows = context.rows([context.find(words) for words in self.tracks])
        about = f"to follow its {counted(len(rows), 'track')}"
        return [continued(self, context, rows, "More for this playlist", about)]


def continued(
    recipe: Recipe, context: ShelfContext, rows: Mapping[str, Row], title: str, about: str
) -> Shelf:
    """The shelf that goes on from some tracks, by id, the latest last.

    title: where the recipe has none. Raises QueryError where no track has a vector.
    """
    known = [t for t in rows if context.has_vector(t)]
    if not known:
        raise QueryError("none of the given tracks has a vector under this model")
    vectors = Vectors(context.items.ids, context.items.values)
    profile = TasteProfile.from_seeds(known, vectors, now=context.now)
    size = POOL_FACTOR * recipe.size
    spec = ShelfSpec(
        title=recipe.title or title,
        about=about,
        items=context.candidates(_sources(context, rows), size, recipe.constraints, profile),
        excluded=list(rows.values()),
        order=flowing(list(rows.values())[-1]),
    )
    return recipe.shelf(context, spec)


def _sources(context: ShelfContext, after: Iterable[str]) -> list[CandidateSource]:
    """What fits, and what comes next where a model says so."""
    if context.next_model is None:
        return [ForYou()]
    return [NextItem(context.next_model, tuple(after)), ForYou()]
