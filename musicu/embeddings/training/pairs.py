"""Which recordings meet in a batch, and which of them belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

COMMON = 0.2  # a tag on more of the recordings than this says little of any


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """What is known of each recording.

    artist, album, source: int64 [recordings], -1 is unknown. tags, listeners: 0 or 1,
    [recordings, tags or listeners], or None where nothing is known of any.
    """

    artist: NDArray[np.int64]
    album: NDArray[np.int64]
    source: NDArray[np.int64]
    tags: csr_matrix | None = None
    listeners: csr_matrix | None = None

    def __len__(self) -> int:
        return len(self.artist)

    def take(self, rows: NDArray[np.int64]) -> Grouping:
        """The grouping of some recordings, in the order of `rows`."""
        sparse = (None if m is None else m[rows] for m in (self.tags, self.listeners))
        return Grouping(self.artist[rows], self.album[rows], self.source[rows], *sparse)


def as_numbers(names: Sequence[str | None]) -> NDArray[np.int64]:
    """One number a distinct name, in order of first sight; -1 for None and empty."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(n, len(seen)) if n else -1 for n in names], dtype=np.int64)


def as_members(bags: Sequence[Sequence[str]], common: float = 1.0) -> csr_matrix | None:
    """Who has what as a matrix of 0 and 1, float32 [bags, names]; None where that says nothing.

    Left out are names that only one bag has, or more than the share `common` of all.
    """
    distinct = [[name for name in dict.fromkeys(bag) if name] for bag in bags]
    rows = np.repeat(np.arange(len(bags)), [len(bag) for bag in distinct])
    names = as_numbers([name for bag in distinct for name in bag])
    if len(names) == 0:
        return None
    members = csr_matrix(
        (np.ones(len(names), np.float32), (rows, names)), (len(bags), int(names.max()) + 1)
    )
    holders = np.asarray(members.sum(axis=0)).ravel()
    telling = (holders > 1) & (holders <= max(2.0, common * len(bags)))
    return members[:, np.flatnonzero(telling)] if telling.any() else None


@dataclass(frozen=True, slots=True)
class PairWeights:
    """Weights of positive pairs by what two recordings share, 0 to leave alone.

    tags, listens: the weight of two recordings with the same tags or listeners; others that share
    some weigh the share of what either has (Jaccard).
    """

    track: float = 1.0
    album: float = 0.0
    artist: float = 0.0
    tags: float = 0.0
    listens: float = 0.0


def sampling_weights(grouping: Grouping, balance: float) -> NDArray[np.float64]:
    """Chance of each recording to be drawn, float64 [recordings], summing to 1.

    balance: 0 draws every recording alike, 1 draws every artist alike, whatever their number
    of recordings; the same again for sources. Recordings with no artist count by album.
    """
    weights = np.ones(len(grouping), dtype=np.float64)
    makers = np.where(grouping.artist >= 0, grouping.artist, -2 - grouping.album)
    for groups in (makers, grouping.source):
        _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
        known = groups != -1
        weights[known] /= counts[inverse][known] ** (balance / 2)
    total: float = weights.sum()
    return weights / total


def draw_tracks(
    weights: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Distinct recordings for one batch, int64 [min(count, recordings)]."""
    count = min(count, int(np.count_nonzero(weights)))
    drawn: NDArray[np.int64] = rng.choice(len(weights), count, replace=False, p=weights)
    return drawn


def pair_matrices(
    tracks: NDArray[np.int64], grouping: Grouping, weights: PairWeights
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Positives float32 [n, n] and negatives bool [n, n] of windows drawn from `tracks`.

    tracks: int64 [n], the recording of each window. Two windows of one artist or album
    that a weight of 0 leaves alone are neither: false negatives are not pushed apart. So
    are those that share at least half of their tags or listeners, where these have a weight.
    """
    rows = grouping.take(tracks)
    same_track = tracks[:, None] == tracks[None, :]
    same_album = _same(rows.album)
    same_artist = _same(rows.artist)
    positives = np.zeros(same_track.shape, dtype=np.float32)
    negatives = ~(same_track | same_album | same_artist)
    for members, weight in ((rows.tags, weights.tags), (rows.listeners, weights.listens)):
        if members is not None and weight > 0:
            shared = _jaccard(members)
            positives = np.maximum(positives, weight * shared)
            negatives &= shared < 0.5
    positives[same_artist] = np.maximum(positives[same_artist], weights.artist)
    positives[same_album] = np.maximum(positives[same_album], weights.album)
    positives[same_track] = weights.track
    np.fill_diagonal(positives, 0.0)
    return positives, negatives


def _jaccard(members: csr_matrix) -> NDArray[np.float32]:
    """Share of what two rows have together of what either has, float32 [n, n]; 0 of nothing."""
    both = np.asarray((members @ members.T).todense(), dtype=np.float32)
    sizes = np.asarray(members.sum(axis=1), dtype=np.float32).ravel()
    either = sizes[:, None] + sizes[None, :] - both
    shared: NDArray[np.float32] = both / np.maximum(either, 1.0)
    return shared


def _same(groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = (groups[:, None] == groups[None, :]) & (groups[:, None] >= 0)
    return equal
