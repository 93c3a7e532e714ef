"""Candidates for listeners: taste profiles, sources of tracks, and what joins them."""

from musicu.candidates.find import Finder, find_candidates
from musicu.candidates.limits import Limits
from musicu.candidates.listeners import Listener
from musicu.candidates.listens import LISTENS, Checked, check_listens
from musicu.candidates.record import CANDIDATES
from musicu.candidates.request import Ranked, Request, Source
from musicu.candidates.run import Report, Settings, write_candidates
from musicu.candidates.sources import (
    ArtistAdjacent,
    DeepCatalog,
    MoreLike,
    NewReleases,
    Popular,
    Random,
)
from musicu.candidates.stock import Stock
from musicu.candidates.taste import Interest, TasteOptions, TasteProfile, tastes

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
