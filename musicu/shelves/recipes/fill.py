"""Fill this playlist: more tracks like those that it has, going on where it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from musicu.errors import QueryError
from musicu.shelves.build import Ask
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.sequencing import flowing
from musicu.shelves.shelf import Shelf
from musicu.shelves.world import Anchor, World


@dataclass(frozen=True, slots=True, kw_only=True)
class FillPlaylist(Recipe):
    """Tracks like any of the playlist's, so ordered that they go on from its last one.

    tracks: ids, paths, or "Artist - Title", in the playlist's order.
    """

    name: ClassVar[str] = "fill-playlist"
    tracks: tuple[str, ...]

    def shelves(self, world: World) -> list[Shelf]:
        """One shelf of new tracks; QueryError where the playlist has none with a vector."""
        rows = world.rows([world.find(words) for words in self.tracks])
        heard = [row for t, row in rows.items() if t in world.with_vector]
        if not heard:
            raise QueryError("none of the playlist's tracks has a vector under this model")
        anchors = [Anchor(row) for row in heard]
        last = list(rows.values())[-1]

        def ask(pool: int) -> Ask:
            near = world.near([row["track_id"] for row in heard], pool, self.where)
            return Ask(
                title=self.title or "More for this playlist",
                about=f"to follow its {len(rows)} track{'s' * (len(rows) != 1)}",
                choices=world.choices(near, anchors),
                barred=list(rows.values()),
                arrange=flowing(last),
            )

        return [self.filled(world, ask)]
