"""The default ranker: how well a track fits all that a listener likes.

    score = MEAN cos(mean, c) + nearest(c) + ARTIST_BONUS [share > 0] + ARTIST_SHARE share

as `set_fit.score_set` has it, which finds most of what listeners and playlists take up next
(`benchmarks/candidates_quality.py`). The mean is that of the liked tracks, each weighing
log(1 + weight / mean weight) with its listens faded; share is how many of them are by an artist
of c; nearest is the mean cosine with the five liked tracks that are nearest to c. It is computed
for each listener's most promising candidates (`head`) from the tracks that weigh most
(`members`); for those further down, it is the mean cosine with the tracks of the nearest interest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from musicu.items.item_table import Floats, Ints
from musicu.items.joins import MANY, join_positions, may_be_among
from musicu.listening.profile_arrays import HistoryArrays, ProfileArrays
from musicu.ranking.ranker import Pool, PoolScores
from musicu.ranking.set_fit import ARTIST_BONUS, ARTIST_SHARE, MEAN, NEAREST


@dataclass(frozen=True, slots=True)
class TasteRanker:
    """Ranks by the fit with a listener's liked tracks and their artists.

    head: of how many candidates of a listener the nearest liked tracks are looked for. members:
    among how many liked tracks.
    """

    head: int = 64
    members: int = 64
    name: ClassVar[str] = "taste"

    def rank(self, pool: Pool) -> PoolScores:
        """The fit of each entry, in parts: "taste", "nearest" and "artist"."""
        share = liked_artist_share(pool.profiles, pool.listener, pool.row)
        artist = np.float32(ARTIST_BONUS) * (share > 0) + np.float32(ARTIST_SHARE) * share
        taste, nearest, likeness = (np.zeros(len(pool), np.float32) for _ in range(3))
        interest = np.full(len(pool), -1, np.int32)
        likeness[:] = np.nan
        listeners = np.arange(len(pool.profiles) + 1)
        entries = np.searchsorted(pool.listener, listeners).tolist()
        own = np.searchsorted(pool.profiles.interests.listener, listeners).tolist()
        liked = _Liked(pool.profiles.history, len(pool.profiles))
        for listener in np.unique(pool.listener).tolist():
            if own[listener] == own[listener + 1]:
                continue  # nothing liked has a vector
            part = slice(entries[listener], entries[listener + 1])
            values = pool.items.values[pool.row[part]]
            found = _by_interest(pool, values, listener, own[listener], own[listener + 1])
            taste[part], nearest[part], interest[part], likeness[part] = found
            self._look_closer(
                pool, values, liked.rows(listener, self.members), nearest[part],
                taste[part] + nearest[part] + artist[part],
            )  # fmt: skip
        score = taste + nearest + artist
        parts = {"taste": taste, "nearest": nearest, "artist": artist}
        return PoolScores(score, parts, interest, likeness)

    def _look_closer(
        self, pool: Pool, values: Floats, liked: Ints, nearest: Floats, score: Floats
    ) -> None:
        """Put the mean cosine with the nearest liked tracks in place for the best entries."""
        head = np.arange(len(score))
        if len(score) > self.head:
            head = np.argpartition(-score, self.head)[: self.head]
            head.sort()
        cosines = values[head] @ pool.items.values[liked].T
        count = min(NEAREST, len(liked))
        best = np.partition(cosines, len(liked) - count, axis=1)[:, len(liked) - count :]
        nearest[head] = best.mean(axis=1)


def _by_interest(
    pool: Pool, values: Floats, listener: int, first: int, last: int
) -> tuple[Floats, Floats, NDArray[np.intp], Floats]:
    """What the mean and the interests say of a listener's entries.

    MEAN times the cosine with the mean; the mean cosine with the tracks of the nearest interest;
    which that is; and the cosine with its medoid.
    """
    interests = pool.profiles.interests
    medoids = interests.medoid[first:last]
    middle = pool.items.values[np.maximum(medoids, 0)]
    queries = np.concatenate([interests.mean[None, listener], interests.centroid[first:last]])
    products = values @ np.concatenate([queries, middle]).T
    count = last - first
    each = products[:, 1 : count + 1]
    best = each.argmax(axis=1)
    rows = np.arange(len(values))
    likeness = np.where(medoids[best] >= 0, products[rows, count + 1 + best], np.nan)
    taste = np.float32(MEAN) * products[:, 0]
    return taste, each[rows, best], best, likeness.astype(np.float32)


class _Liked:
    """The liked tracks of each listener, those that weigh most first."""

    def __init__(self, history: HistoryArrays, listeners: int) -> None:
        liked = history.take(np.flatnonzero(history.weight > 0))
        self._history = liked
        self._edges = np.searchsorted(liked.listener, np.arange(listeners + 1)).tolist()

    def rows(self, listener: int, most: int) -> Ints:
        """At most so many rows, those that weigh most; of equals the first."""
        part = slice(self._edges[listener], self._edges[listener + 1])
        rows = self._history.row[part]
        if len(rows) > most:
            rows = rows[np.argsort(-self._history.weight[part], kind="stable")[:most]]
        return rows


def liked_artist_share(profiles: ProfileArrays, listener: Ints, row: Ints) -> Floats:
    """How much of what each listener likes is by an artist of a row: float32 [entries], 0 to 1.

    listener, row: int64 [entries]. Of a track by several liked artists the sum, at most 1.
    """
    credits, history = profiles.items.credits, profiles.history
    liked = np.flatnonzero(history.weight > 0)
    totals = np.bincount(history.listener[liked], minlength=len(profiles))
    artists = credits.padded(row)
    asked = np.where(artists >= 0, listener[:, None] * MANY + artists, -1)
    wanted = np.zeros(len(credits.keys) + 1, bool)
    wanted[artists] = True
    wanted[-1] = False  # where -1 leads
    theirs = credits.padded(history.row[liked])
    entry, column = np.nonzero(wanted[theirs])
    keys = history.listener[liked[entry]] * MANY + theirs[entry, column]
    known, counts = np.unique(keys[may_be_among(keys, asked)], return_counts=True)
    place = join_positions(asked, known)
    found = np.append(counts, 0)[place].sum(axis=1)
    share: Floats = np.minimum(found / np.maximum(totals[listener], 1), 1).astype(np.float32)
    return share
