"""Shelves: recipes, rules, diversity, order, reasons, and ways to show them."""

from musicu.shelves.build import build_shelf
from musicu.shelves.recipes import RECIPES, Recipe, load_recipes, more_like, recipe_of
from musicu.shelves.rules import Rules
from musicu.shelves.shelf import Shelf, ShelfItem, ShelfTrack
from musicu.shelves.world import World

__all__ = [
    "RECIPES",
    "Recipe",
    "Rules",
    "Shelf",
    "ShelfItem",
    "ShelfTrack",
    "World",
    "build_shelf",
    "load_recipes",
    "more_like",
    "recipe_of",
]
