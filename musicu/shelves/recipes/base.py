"""What every recipe has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from musicu.errors import QueryError
from musicu.retrieval import Filter
from musicu.shelves.build import Ask
from musicu.shelves.rules import Rules
from musicu.shelves.shelf import Shelf
from musicu.shelves.world import FIRST_POOL, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(ABC):
    """A shelf by purpose; the options that all recipes share.

    size: tracks on a shelf at most. where: a filter that candidates must meet. rules: what may
    stand together. title: in place of the recipe's own.
    """

    name: ClassVar[str]
    size: int = 20
    where: Filter = None
    rules: Rules = field(default_factory=Rules)
    title: str | None = None

    def __post_init__(self) -> None:
        """Refuse a size that no shelf has."""
        if self.size < 1:
            raise QueryError(f"the size of a shelf is {self.size}: it must be 1 or more")

    @abstractmethod
    def shelves(self, world: World) -> list[Shelf]:
        """The shelves of this recipe; QueryError where the world lacks what it needs."""

    def shelf(self, world: World, ask: Ask) -> Shelf:
        """The one shelf that is asked for, under this recipe's rules and size."""
        return world.shelf(ask, self.rules, self.size)

    def filled(self, world: World, ask: Callable[[int], Ask]) -> Shelf:
        """A shelf from as large a pool of candidates as it takes to fill it.

        ask: the shelf that is wanted, from a pool of that many.
        """
        pool = max(FIRST_POOL, 10 * self.size)
        while True:
            asked = ask(pool)
            shelf = self.shelf(world, asked)
            if len(shelf) == self.size or len(asked.choices) < pool:
                return shelf
            pool *= 8
