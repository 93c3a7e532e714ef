"""How well tracks fit a set of tracks: a playlist, a listener's history, one of their interests.

The mean of a set says what it is about, and blurs what only some of it is; the few tracks of it
that are nearest to a candidate say whether it has a corner for it. Both together find new tracks
for playlists more evenly than either, over worlds of many kinds, and how much of the set is by the
candidate's artist adds to them (`benchmarks/candidates_placement.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError

NEAREST = 5
MEAN = 2.0  # what the mean weighs, where the nearest weigh 1
ARTIST_BONUS = 0.15  # where the set has any track by an artist of the candidate
ARTIST_SHARE = 1.0  # times the share of the set that is by them


def score_set(
    members: NDArray[np.float32],
    candidates: NDArray[np.float32],
    *,
    weights: NDArray[np.float32] | None = None,
    artist_share: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The fit of candidates to a set: float32 [candidates], higher is better, at most 4.15.

    members: unit vectors float32 [members, dim]. candidates: float32 [candidates, dim].
    weights: of the members in the mean, at least 0; alike where None. artist_share: float32
    [candidates] in [0, 1], how much of the set is by an artist of the candidate.

        MEAN cos(mean, c) + mean of the NEAREST highest cos(m, c)
            + ARTIST_BONUS [artist_share > 0] + ARTIST_SHARE artist_share

    Raises QueryError where there are no members, or the lengths of vectors differ.
    """
    if not len(members) or members.shape[1] != candidates.shape[1]:
        raise QueryError(
            f"a set of shape {list(members.shape)} cannot be compared with candidates of shape "
            f"{list(candidates.shape)}: give at least one member, of the same model"
        )
    mean = np.average(members, axis=0, weights=weights)
    mean = mean / max(float(np.linalg.norm(mean)), 1e-9)
    likeness = members @ candidates.T
    nearest = min(NEAREST, len(members))
    best = np.partition(likeness, len(members) - nearest, axis=0)[len(members) - nearest :]
    scores = MEAN * (candidates @ mean) + best.mean(axis=0)
    if artist_share is not None:
        scores = scores + ARTIST_BONUS * (artist_share > 0) + ARTIST_SHARE * artist_share
    return np.asarray(scores, np.float32)
