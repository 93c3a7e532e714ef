"""Lists of the rows nearest to what listeners like, and of the rows by artists they like."""

from __future__ import annotations

import numpy as np

from musicu.candidates.request import Ranked, Request
from musicu.items.item_table import Floats, Ints
from musicu.items.joins import MANY
from musicu.retrieval.ordering import best_first, places_in, ranges

#: How long a list is: of a hundred wanted, a hundred and fifty hold 99 of those that the ranker
#: puts first on made playlists and on HetRec.
LONGER, FEWEST = 1.5, 64
#: Rows by liked artists: at most so many of a listener, and of one artist.
BY_ARTISTS, BY_ARTIST = 64, 8


def nearest_to_taste(request: Request, rows: Ints) -> Ranked:
    """For every listener the rows nearest to the mean of what is liked, and by liked artists."""
    liking = np.flatnonzero(request.interests.mean.any(axis=1))
    length = max(FEWEST, int(LONGER * request.want)) * request.fetch_factor
    hits = request.items.ranked(request.interests.mean[liking], length, rows)
    count = len(request.profiles)
    owner = liking[hits.query]
    lengths = np.bincount(owner, minlength=count)
    exhausted = lengths >= len(rows)
    exhausted |= ~request.interests.mean.any(axis=1)
    nearest = Ranked(
        np.arange(count),
        np.full(count, -1, np.int32),
        np.full(count, request.want),
        exhausted,
        np.concatenate([[0], np.cumsum(lengths)]),
        hits.row,
        _falling(hits.query, hits.score),
    )
    return Ranked.joined([nearest, by_liked_artists(request, rows)])


def _falling(query: Ints, score: Floats) -> Floats:
    """Scores that are only near the true ones, in [-1, 1], none above the one before it."""
    apart = 4.0 * query
    falling: Floats = (np.minimum.accumulate(score - apart) + apart).astype(np.float32)
    return falling


def by_liked_artists(request: Request, rows: Ints) -> Ranked:
    """One list a listener: rows by the artists of whom most tracks are liked.

    Of an artist the rows come in the order of the table. The score is how many tracks are liked.
    """
    artists, first, by_artist = request.items.rows_by_artist(rows)
    number = np.full(len(request.items.credits.keys) + 1, -1, np.int64)  # the last is of nobody
    number[artists] = np.arange(len(artists))
    history = request.history
    liked = np.flatnonzero(history.weight > 0)
    theirs = number[request.items.credits.padded(history.row[liked])]
    entry, column = np.nonzero(theirs >= 0)
    keys = history.listener[liked[entry]] * MANY + theirs[entry, column]
    known, likes = np.unique(keys, return_counts=True)
    listener, artist = np.divmod(known, MANY)
    order = best_first(listener, likes.astype(np.float32), artist)
    listener, artist, likes = listener[order], artist[order], likes[order]
    counts = np.minimum(np.diff(first)[artist], BY_ARTIST)
    row = by_artist[ranges(first[artist], counts)]
    owner, score = np.repeat(listener, counts), np.repeat(likes.astype(np.float32), counts)
    once = np.sort(np.unique(owner * MANY + row, return_index=True)[1])  # by two liked artists
    kept = once[places_in(owner[once]) < BY_ARTISTS]
    owner, row, score = owner[kept], row[kept], score[kept]
    count = len(request.profiles)
    return Ranked(
        np.arange(count),
        np.full(count, -1, np.int32),
        np.zeros(count, np.int64),
        np.ones(count, bool),  # more of them is never waited for
        np.searchsorted(owner, np.arange(count + 1)),
        row,
        score,
    )


def same_for_all(request: Request, row: Ints, score: Floats, exhausted: bool) -> Ranked:
    """One ranked list, given to every listener."""
    count = len(request.profiles)
    return Ranked(
        np.arange(count),
        np.full(count, -1, np.int32),
        np.full(count, request.want),
        np.full(count, exhausted),
        np.arange(count + 1) * len(row),
        np.tile(row, count),
        np.tile(score, count),
    )
