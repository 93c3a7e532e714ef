"""Recipes: shelves by purpose, each a small object that names its candidates and its order."""

from musicu.shelves.recipes.arc import Arc
from musicu.shelves.recipes.around import AroundTheCatalog
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.recipes.because import BecauseYouListened
from musicu.shelves.recipes.daily import DailyMixes
from musicu.shelves.recipes.deep import DeepCuts
from musicu.shelves.recipes.fill import FillPlaylist
from musicu.shelves.recipes.harmonic import HarmonicMix
from musicu.shelves.recipes.journey import Journey
from musicu.shelves.recipes.like import MoreLikeArtist, MoreLikeTrack, more_like
from musicu.shelves.recipes.load import RECIPES, load_recipes, recipe_of
from musicu.shelves.recipes.new import NewForYou
from musicu.shelves.recipes.radio import Radio

__all__ = [
    "RECIPES",
    "Arc",
    "AroundTheCatalog",
    "BecauseYouListened",
    "DailyMixes",
    "DeepCuts",
    "FillPlaylist",
    "HarmonicMix",
    "Journey",
    "MoreLikeArtist",
    "MoreLikeTrack",
    "NewForYou",
    "Radio",
    "Recipe",
    "load_recipes",
    "more_like",
    "recipe_of",
]
