"""Where candidates come from, one file a source."""

from musicu.candidates.sources.artist_adjacent import ArtistAdjacent
from musicu.candidates.sources.deep_catalog import DeepCatalog
from musicu.candidates.sources.for_you import ForYou
from musicu.candidates.sources.more_like import MoreLike
from musicu.candidates.sources.new_releases import NewReleases
from musicu.candidates.sources.next_item import NextItem
from musicu.candidates.sources.popular import Popular
from musicu.candidates.sources.random import Random

__all__ = [
    "ArtistAdjacent",
    "DeepCatalog",
    "ForYou",
    "MoreLike",
    "NewReleases",
    "NextItem",
    "Popular",
    "Random",
]
