"""Lists of the rows nearest to what listeners like."""

from __future__ import annotations

import numpy as np

from musicu.candidates.request import Ranked, Request
from musicu.items.table import Floats, Ints


def nearest_to_interests(request: Request, rows: Ints) -> Ranked:
    """For every interest the rows nearest to its vector, in falling cosine."""
    quotas = request.quotas
    usual = quotas + quotas // 5 + 4  # what is heard or over a cap falls out of a list
    hits, settle = request.stock.ranked(request.interests.vector, request.deeper * usual, rows)
    counts = np.bincount(hits.query, minlength=len(quotas))
    start = np.concatenate([[0], np.cumsum(counts)])
    whole = counts >= len(rows)
    interest = request.interests.number.astype(np.int32)
    return Ranked(
        request.interests.listener, interest, quotas, whole, start, hits.row, hits.score, settle
    )


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
