"""Shelves: recipes, rules, diversity, order, reasons, and ways to show them."""

from musicu.items.constraints import Constraints
from musicu.shelves.context import ShelfContext
from musicu.shelves.given import build_shelf, shelves_of_candidates
from musicu.shelves.recipes import RECIPES, Recipe, load_recipes, more_like, recipe_of
from musicu.shelves.shelf import Shelf, ShelfItem, ShelfTrack

__all__ = [
    "RECIPES",
    "Constraints",
    "Recipe",
    "Shelf",
    "ShelfContext",
    "ShelfItem",
    "ShelfTrack",
    "build_shelf",
    "load_recipes",
    "more_like",
    "recipe_of",
    "shelves_of_candidates",
]


def __dir__() -> list[str]:
    return __all__
