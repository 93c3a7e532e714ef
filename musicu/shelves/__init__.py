"""Shelves: rules, diversity, reasons, and ways to show them."""

from musicu.shelves.build import build_shelf
from musicu.shelves.recipes import more_like
from musicu.shelves.rules import Rules
from musicu.shelves.shelf import Shelf, ShelfItem, ShelfTrack

__all__ = ["Rules", "Shelf", "ShelfItem", "ShelfTrack", "build_shelf", "more_like"]
