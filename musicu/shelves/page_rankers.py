"""The role of a page ranker: in which order a page shows its shelves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from musicu.errors import QueryError
from musicu.listening.profiles import TasteProfile
from musicu.registry import Registry
from musicu.shelves.shelf import Shelf


class PageRanker(Protocol):
    """Orders the shelves of a page; made without arguments."""

    @property
    def name(self) -> str:
        """As it is registered."""

    def rank(self, shelves: Sequence[Shelf], profile: TasteProfile | None) -> list[int]:
        """The positions of the shelves, the first one to show first; each position once.

        profile: of whom the page is for, None where that is anybody.
        """


@dataclass(frozen=True, slots=True)
class GivenOrder:
    """Leaves the shelves in the order of their recipes."""

    name: ClassVar[str] = "given"

    def rank(self, shelves: Sequence[Shelf], profile: TasteProfile | None) -> list[int]:
        """All positions as they are."""
        return list(range(len(shelves)))


#: Page rankers by name.
PAGE_RANKERS: Registry[type[PageRanker]] = Registry(
    "page ranker",
    "musicu.page_rankers",
    {
        "given": "musicu.shelves.page_rankers:GivenOrder",
        "learned": "musicu.shelves.learned_page_ranker:LearnedPageRanker",
    },
)


def order_page(
    shelves: Sequence[Shelf], profile: TasteProfile | None, ranker: PageRanker | str = "given"
) -> list[Shelf]:
    """The shelves in the order of a page ranker, or of one by its name.

    Raises QueryError where it does not give each position once.
    """
    made = PAGE_RANKERS.load(ranker)() if isinstance(ranker, str) else ranker
    order = made.rank(shelves, profile)
    if sorted(order) != list(range(len(shelves))):
        raise QueryError(
            f"the page ranker {made.name!r} answers {order} for {len(shelves)} shelves: it must "
            "give each position once"
        )
    return [shelves[n] for n in order]
