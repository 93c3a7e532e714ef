"""Radio: tracks to go on with after some seeds, in an order to listen through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from musicu.records import counted
from musicu.shelves.context import ShelfContext, quoted
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.recipes.fill import continued
from musicu.shelves.shelf import Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Radio(Recipe):
    """What comes next after the seeds by the catalog's next-item model, and what fits them.

    Without a model, only what fits them. Each track follows well on the one before, the first on
    the last seed. tracks: the seeds: ids, paths, or "Artist - Title", the latest last.
    """

    name: ClassVar[str] = "radio"
    tracks: tuple[str, ...]

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """One shelf; QueryError where no seed has a vector."""
        rows = context.rows([context.find(words) for words in self.tracks])
        first = next(iter(rows.values()), None)
        title = f"Radio: {quoted(first)}" if first else "Radio"
        others = f"and {counted(len(rows) - 1, 'other track')}" if len(rows) > 1 else ""
        return [continued(self, context, rows, title, others)]
