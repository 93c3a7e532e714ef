"""Finding tracks: by their sound, by filters, by name."""

from musicu.retrieval.catalog_index import CatalogIndex, open_index, update_index
from musicu.retrieval.disk_index import DiskIndex
from musicu.retrieval.disk_index_build import append_to_index, build_index
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
    "CatalogIndex",
    "DiskIndex",
    "ExactIndex",
    "Filter",
    "Hits",
    "Index",
    "LooseMatchWarning",
    "Mention",
    "TrackMatch",
    "TrackMatcher",
    "Where",
    "append_to_index",
    "build_index",
    "find_track",
    "label",
    "matching_rows",
    "open_index",
    "parse_where",
    "similar",
    "similar_to_vector",
    "update_index",
    "where_options",
]


def __dir__() -> list[str]:
    return __all__
