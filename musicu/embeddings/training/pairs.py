"""Which recordings meet in a batch, and which of them belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Grouping:
    """What is known of each recording, as numbers; -1 is unknown. Each int64 [recordings].

    duplicates: recordings with the same number (>= 0) are known to hold the same music.
    """

    artist: NDArray[np.int64]
    album: NDArray[np.int64]
    source: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.artist)

    def take(self, rows: NDArray[np.int64]) -> Grouping:
        """The grouping of some recordings, in the order of `rows`."""
        return Grouping(self.artist[rows], self.album[rows], self.source[rows])


def as_numbers(names: Sequence[str | None]) -> NDArray[np.int64]:
    """One number a distinct name, in order of first sight; -1 for None and empty."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(n, len(seen)) if n else -1 for n in names], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class PairWeights:
    """How strongly each kinship draws together, 0 to leave alone."""

    track: float = 1.0
    album: float = 0.0
    artist: float = 0.0


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

    tracks: int64 [n], the recording of each window. Two windows of kin that a weight of 0
    leaves alone (same artist, same album) are neither: false negatives are not pushed apart.
    """
    rows = grouping.take(tracks)
    same_track = tracks[:, None] == tracks[None, :]
    same_album = _same(rows.album)
    same_artist = _same(rows.artist)
    positives = np.zeros(same_track.shape, dtype=np.float32)
    positives[same_artist] = weights.artist
    positives[same_album] = np.maximum(positives[same_album], weights.album)
    positives[same_track] = weights.track
    np.fill_diagonal(positives, 0.0)
    return positives, ~(same_track | same_album | same_artist)


def _same(groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = (groups[:, None] == groups[None, :]) & (groups[:, None] >= 0)
    return equal
