"""Artists kept aside, and how well their recordings find each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.training.gains import average_precisions, precisions
from musicu.embeddings.training.pairs import Grouping


def hold_out(grouping: Grouping, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Recordings kept for validation, bool [recordings]: whole artists, about `share` of all.

    A recording without an artist goes with its album, one without either on its own. Artists
    with more than a fifth of that share's room are left for training.
    """
    n = len(grouping)
    makers = np.where(grouping.artist >= 0, grouping.artist, -2 - 2 * n - grouping.album)
    alone = (grouping.artist < 0) & (grouping.album < 0)
    makers = np.where(alone, -2 - np.arange(n), makers)
    room = share * n
    held = np.zeros(n, dtype=np.bool_)
    for maker in rng.permutation(np.unique(makers)):
        rows = makers == maker
        if held.sum() + rows.sum() <= room and rows.sum() <= max(2, room / 5):
            held |= rows
    return held


@dataclass(frozen=True, slots=True)
class HeldOutScore:
    """Mean average precisions in 0 to 1, NaN where no query has an answer.

    track: the first half of a recording finds its second half.
    artist: a recording finds others by its artist. queries: recordings with such an answer.
    """

    track: float
    artist: float
    queries: int

    def as_dict(self) -> dict[str, float | int | None]:
        """For JSON: what could not be measured is None."""
        track, artist = (None if np.isnan(x) else x for x in (self.track, self.artist))
        return {"track": track, "artist": artist, "queries": self.queries}

    def words(self) -> str:
        """For people."""
        if np.isnan(self.track):
            return "nothing was held out"
        found = f"a recording's halves find each other {self.track:.3f}"
        if self.queries:
            found += f", recordings by one artist {self.artist:.3f} ({self.queries} queries)"
        return found


def score(
    halves: NDArray[np.float32], whole: NDArray[np.float32], artist: NDArray[np.int64]
) -> HeldOutScore:
    """Held-out retrieval by cosine.

    halves: unit float32 [recordings, 2, dim], one vector from each half. whole: unit float32
    [recordings, dim]. artist: int64 [recordings], -1 where unknown.
    """
    same = np.eye(len(halves), dtype=np.bool_)
    track = average_precisions(halves[:, 0].astype(float) @ halves[:, 1].T, same)
    found = precisions(whole.astype(float), artist, np.ones(len(whole), dtype=np.bool_))
    found = found[np.isfinite(found)]
    of_artists = float(found.mean()) if len(found) else float("nan")
    return HeldOutScore(float(track.mean()), of_artists, len(found))
