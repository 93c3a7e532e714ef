"""What artists make who are like those that a listener plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from musicu.candidates.request import Ranked, Request
from musicu.errors import QueryError
from musicu.items.item_table import Ints, ItemTable
from musicu.items.joins import MANY
from musicu.retrieval.exact_index import ExactIndex
from musicu.retrieval.hits import Hits
from musicu.retrieval.ordering import ranges


@dataclass(frozen=True, slots=True)
class ArtistAdjacent:
    """Tracks by artists that a listener does not play, next to one that is played.

    An artist is the mean of the artist's tracks. For each interest the artists nearest to the
    medoid's artist are asked in turn, and each gives at most `tracks_each`, in the catalog's
    order. The score is the cosine of the two artists. Artists of whom the listener has heard a
    track are left out; an interest whose medoid has no artist gets an empty list.
    """

    tracks_each: int = 3
    name: ClassVar[str] = "artist-adjacent"
    reason_prefix: ClassVar[str] = "By an artist"
    anchor_kind: ClassVar[str] = "artist"
    ranker: ClassVar[str] = "taste"

    def __post_init__(self) -> None:
        """Refuse to take no tracks."""
        if self.tracks_each < 1:
            raise QueryError(f"tracks_each is {self.tracks_each}: it must be 1 or more")

    def candidates(self, request: Request) -> Ranked:
        """One list an interest, in falling cosine of the artists."""
        artists, first, tracks = _tracks_by_artist(request.items, request.rows)
        asked, queries = _medoid_artists(request)
        heard = _heard(request)
        k = int(request.fetch_factor * (request.quotas.max(initial=0) + 30))
        found = Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        if len(artists) and len(asked):
            means = request.items.artist_means
            found = ExactIndex(means[artists]).search(means[queries], k)
        list_of, artist = asked[found.query], found.row
        new = ~np.isin(request.interests.listener[list_of] * MANY + artists[artist], heard)
        list_of, artist, score = list_of[new], artist[new], found.score[new]
        counts = np.minimum(np.diff(first)[artist], self.tracks_each)
        row = tracks[ranges(first[artist], counts)]
        hits = Hits(np.repeat(list_of, counts), row, np.repeat(score, counts))
        hits = _without_heard(request, hits, heard)
        unasked = np.ones(len(request.quotas), bool)
        unasked[asked] = False
        return _lists(request, _without_repeats(hits), unasked | (k >= len(artists)))


def _tracks_by_artist(items: ItemTable, rows: Ints) -> tuple[Ints, Ints, Ints]:
    """The artists of some rows that have a direction, where the rows of each begin, those rows."""
    artists, first, tracks = items.rows_by_artist(rows)
    known = items.artist_means[artists].any(axis=1)
    counts = np.diff(first)[known]
    tracks = tracks[ranges(first[:-1][known], counts)]
    return artists[known], np.concatenate([[0], np.cumsum(counts)]), tracks


def _medoid_artists(request: Request) -> tuple[Ints, Ints]:
    """The interests whose medoid has an artist, and the first artist of each."""
    rows = request.interests.medoid
    first = np.where(rows >= 0, request.items.credits.padded(np.maximum(rows, 0))[:, 0], -1)
    known = first >= 0
    known[known] = request.items.artist_means[first[known]].any(axis=1)
    return np.flatnonzero(known), first[known]


def _heard(request: Request) -> Ints:
    """Listener and artist, as one number, for every artist heard."""
    artists = request.items.credits.padded(request.history.row)
    keys = request.history.listener[:, None] * MANY + artists
    return np.unique(keys[artists >= 0])


def _without_heard(request: Request, hits: Hits, heard: Ints) -> Hits:
    """The hits none of whose artists the listener has heard: a track may credit several."""
    artists = request.items.credits.padded(hits.row)
    keys = request.interests.listener[hits.query][:, None] * MANY + artists
    new = ~(np.isin(keys, heard) & (artists >= 0)).any(axis=1)
    return Hits(hits.query[new], hits.row[new], hits.score[new])


def _without_repeats(hits: Hits) -> Hits:
    """A track of two artists counts once in a list, with the nearer one."""
    first = np.sort(np.unique(hits.query * MANY + hits.row, return_index=True)[1])
    return Hits(hits.query[first], hits.row[first], hits.score[first])


def _lists(request: Request, hits: Hits, exhausted: NDArray[np.bool_]) -> Ranked:
    quotas = request.quotas
    start = np.searchsorted(hits.query, np.arange(len(quotas) + 1))
    numbers = request.interests.number.astype(np.int32)
    return Ranked(
        request.interests.listener, numbers, quotas, exhausted, start, hits.row, hits.score
    )
