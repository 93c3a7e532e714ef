"""Candidates for listeners: taste profiles, sources of tracks, and what joins them."""

from musicu.candidates.generator import Finder, find_candidates
from musicu.candidates.request import Ranked, Request, Source
from musicu.candidates.run import Report, Settings, write_candidates
from musicu.candidates.schema import CANDIDATES
from musicu.candidates.sources import (
    ArtistAdjacent,
    DeepCatalog,
    MoreLike,
    NewReleases,
    Popular,
    Random,
)
from musicu.items.constraints import Limits
from musicu.items.table import Stock
from musicu.listening.listens import LISTENS, Checked, check_listens
from musicu.listening.profile_arrays import Listener
from musicu.listening.profiles import Interest, TasteOptions, TasteProfile, tastes

__all__ = [
    "CANDIDATES",
    "LISTENS",
    "ArtistAdjacent",
    "Checked",
    "DeepCatalog",
    "Finder",
    "Interest",
    "Limits",
    "Listener",
    "MoreLike",
    "NewReleases",
    "Popular",
    "Random",
    "Ranked",
    "Report",
    "Request",
    "Settings",
    "Source",
    "Stock",
    "TasteOptions",
    "TasteProfile",
    "check_listens",
    "find_candidates",
    "tastes",
    "write_candidates",
]
