"""What every recipe has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from musicu.items.constraints import Constraints
from musicu.ranking.diversity import POOL_FACTOR
from musicu.records import check_count
from musicu.retrieval import Filter
from musicu.shelves.assembly import ShelfSpec
from musicu.shelves.context import FIRST_POOL, ShelfContext
from musicu.shelves.shelf import Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(ABC):
    """A shelf by purpose; the options that all recipes share.

    size: tracks on a shelf at most. where: a filter that candidates must meet. rules: what may
    stand together. title: in place of the recipe's own.
    """

    name: ClassVar[str]
    size: int = 20
    where: Filter = None
    rules: Constraints = field(default_factory=Constraints)
    title: str | None = None

    def __post_init__(self) -> None:
        """Refuse a size that no shelf has."""
        check_count("size", self.size)

    @abstractmethod
    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """The shelves of this recipe; QueryError where the context lacks what it needs."""

    @property
    def constraints(self) -> Constraints:
        """The rules, with the recipe's own filter where it has one."""
        return self.rules if self.where is None else replace(self.rules, where=self.where)

    @property
    def wanted(self) -> int:
        """How many candidates to ask for: more where they are to be varied."""
        return self.size * (POOL_FACTOR if self.rules.diversity else 1)

    @property
    def first_pool(self) -> int:
        """How many candidates `filled` asks for first."""
        return max(FIRST_POOL, 10 * self.size)

    def shelf(self, context: ShelfContext, spec: ShelfSpec) -> Shelf:
        """The one shelf that is asked for, under this recipe's constraints and size."""
        shelf = context.shelf(spec, self.rules, self.size)
        return replace(shelf, rules=self.constraints)

    def filled(self, context: ShelfContext, spec: Callable[[int], ShelfSpec]) -> Shelf:
        """A shelf from as large a pool of candidates as it takes to fill it.

        spec: the shelf that is wanted, from a pool of that many.
        """
        pool = self.first_pool
        while True:
            asked = spec(pool)
            shelf = self.shelf(context, asked)
            if len(shelf) == self.size or len(asked.items) < pool:
                return shelf
            pool *= 8
