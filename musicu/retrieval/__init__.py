"""Finding tracks: by their sound, by filters, by name."""

from musicu.retrieval.exact_index import ExactIndex
from musicu.retrieval.filters import Filter, matching_rows, where_options
from musicu.retrieval.hits import Hits
from musicu.retrieval.indexes import INDEXES, Index
from musicu.retrieval.matcher import TrackMatch, TrackMatcher
from musicu.retrieval.mention import Mention
from musicu.retrieval.names import LooseMatchWarning, find_track, label
from musicu.retrieval.parsing import parse_where
from musicu.retrieval.similar import similar, similar_to_vector
from musicu.retrieval.where import Where

__all__ = [
    "INDEXES",
    "ExactIndex",
    "Filter",
    "Hits",
    "Index",
    "LooseMatchWarning",
    "Mention",
    "TrackMatch",
    "TrackMatcher",
    "Where",
    "find_track",
    "label",
    "matching_rows",
    "parse_where",
    "similar",
    "similar_to_vector",
    "where_options",
]


def __dir__() -> list[str]:
    return __all__
