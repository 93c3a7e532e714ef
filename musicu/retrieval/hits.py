"""What a search finds, and its order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.retrieval.ordering import best_first, places_in

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What was found, flat: one entry a hit, in order of query, falling score, rising row.

    query: int64 [hits], the position of the query; a query may have fewer than k hits, or none.
    row: int64 [hits], the row of the index.
    score: float32 [hits], the cosine, within rounding of [-1, 1].
    """

    query: Ints
    row: Ints
    score: Floats

    def __len__(self) -> int:
        return len(self.row)

    def of(self, query: int) -> Hits:
        """The hits of one query, best first."""
        part = slice(*np.searchsorted(self.query, [query, query + 1]))
        return Hits(self.query[part], self.row[part], self.score[part])

    def take(self, places: Ints) -> Hits:
        """Some of the hits."""
        return Hits(self.query[places], self.row[places], self.score[places])

    def rank(self) -> Ints:
        """Each hit's place among its query's hits, from 1: int64 [hits]."""
        return places_in(self.query) + 1

    def best(self, k: Ints) -> Hits:
        """The k best of each query, in order; k: int64 [queries]."""
        order = best_first(self.query, self.score, self.row)
        query = self.query[order]
        return self.take(order[places_in(query) < k[query]])


def joined(parts: list[Hits]) -> Hits:
    """All hits, one part after the other."""
    if not parts:
        return Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    return Hits(
        np.concatenate([part.query for part in parts]),
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.score for part in parts]),
    )


def undecided(hits: Hits, error: np.float32) -> tuple[Ints, Ints]:
    """Of hits in order of their scores, those whose true place may be another's.

    error: by how much a score may differ from the true one. Two scores further apart than twice
    that are in their true order. Gives the places of the others, rising, and for each a number
    that it shares with those it may have to change places with: int64 [undecided].
    """
    apart = hits.query[1:] != hits.query[:-1]
    apart |= hits.score[:-1] - hits.score[1:] > 2 * error
    first = np.append(True, apart)[: len(hits)]
    places = np.flatnonzero(~(first & np.append(apart, True)[: len(hits)]))
    return places, np.cumsum(first)[places]
