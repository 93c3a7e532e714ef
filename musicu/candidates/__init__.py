"""Candidates for listeners: taste profiles, sources of tracks, and what joins them."""

from musicu.candidates.candidate_run import CandidateOptions, CandidateReport, write_candidates
from musicu.candidates.candidate_schema import CANDIDATES, floor_counts
from musicu.candidates.generator import CandidateGenerator
from musicu.candidates.one_question import find_candidates
from musicu.candidates.request import CandidateSource, Ranked, Request
from musicu.candidates.sources import (
    ArtistAdjacent,
    DeepCatalog,
    ForYou,
    MoreLike,
    NewReleases,
    NextItem,
    Popular,
    Random,
)
from musicu.items.constraints import Constraints
from musicu.items.exposure_floors import ExposureFloors
from musicu.items.item_table import ItemTable
from musicu.listening.listens import LISTENS, Checked, check_listens
from musicu.listening.profile_arrays import UserProfile
from musicu.listening.profiles import Interest, TasteOptions, TasteProfile, tastes

__all__ = [
    "CANDIDATES",
    "LISTENS",
    "ArtistAdjacent",
    "CandidateGenerator",
    "CandidateOptions",
    "CandidateReport",
    "CandidateSource",
    "Checked",
    "Constraints",
    "DeepCatalog",
    "ExposureFloors",
    "ForYou",
    "Interest",
    "ItemTable",
    "MoreLike",
    "NewReleases",
    "NextItem",
    "Popular",
    "Random",
    "Ranked",
    "Request",
    "TasteOptions",
    "TasteProfile",
    "UserProfile",
    "check_listens",
    "find_candidates",
    "floor_counts",
    "tastes",
    "write_candidates",
]


def __dir__() -> list[str]:
    return __all__
