"""Lists of the rows nearest to what listeners like."""

from __future__ import annotations

import numpy as np

from musicu.candidates.request import Ranked, Request
from musicu.candidates.stock import Floats, Ints
from musicu.retrieval.index import Hits

#: Lists are searched together by length; each is searched as long as the next of these.
_LENGTHS = np.array([8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024])


def nearest_to_interests(request: Request, rows: Ints) -> Ranked:
    """For every interest the rows nearest to its vector, in falling cosine."""
    quotas = request.quotas
    usual = quotas + quotas // 4 + 6  # what is heard or over a cap falls out of a list
    lengths = np.minimum(request.deeper * usual, len(rows))
    hits = _searched(request, rows, lengths)
    counts = np.bincount(hits.query, minlength=len(quotas))
    start = np.concatenate([[0], np.cumsum(counts)])
    whole = counts >= len(rows)
    interest = request.number.astype(np.int32)
    return Ranked(request.owner, interest, quotas, whole, start, hits.row, hits.score)


def _searched(request: Request, rows: Ints, lengths: Ints) -> Hits:
    """The hits of each interest, at least as many as its length, in order of interest."""
    place = np.searchsorted(_LENGTHS, lengths)
    doubled = 1 << np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64)
    asked = np.where(place < len(_LENGTHS), np.append(_LENGTHS, 0)[place], doubled)
    found = []
    for k in np.unique(asked[lengths > 0]):
        own = np.flatnonzero((asked == k) & (lengths > 0))
        hits = request.stock.search(request.vectors[own], int(k), rows)
        found.append(Hits(own[hits.query], hits.row, hits.score))
    query = np.concatenate([np.empty(0, np.int64), *(part.query for part in found)])
    order = np.argsort(query, kind="stable")
    row = np.concatenate([np.empty(0, np.int64), *(part.row for part in found)])
    score = np.concatenate([np.empty(0, np.float32), *(part.score for part in found)])
    return Hits(query[order], row[order], score[order])


def same_for_all(request: Request, row: Ints, score: Floats, whole: bool) -> Ranked:
    """One ranked list, given to every listener."""
    count = len(request.listeners)
    return Ranked(
        np.arange(count),
        np.full(count, -1, np.int32),
        np.full(count, request.want),
        np.full(count, whole),
        np.arange(count + 1) * len(row),
        np.tile(row, count),
        np.tile(score, count),
    )
