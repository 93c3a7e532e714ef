"""What a model does to the catalog, beside being right: whom it shows, and how often.

Conventions:

- `lists` are rows of tracks by listener, int64 [listeners, places], best first, -1 where a model
  offers nothing; measures see the first `k` places. Empty places count for nothing.
- The catalog is the candidates of the split: what could have been shown at all.
- Popularity is the number of listeners of a track in the training part, never of the other part.
- Coverage and Gini are of all lists together, so no interval is drawn from listeners: a draw has
  fewer different listeners, and its coverage is lower than that of a new sample would be.
- What an empty list cannot have (novelty, diversity, shares) is NaN and left out of the mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def exposure(lists: Ints, tracks: int) -> Ints:
    """How often each track is shown: int64 [tracks]."""
    shown = lists[lists >= 0]
    return np.bincount(shown, minlength=tracks)


def coverage(exposed: Ints) -> float:
    """The share of the candidates that are shown to anybody, in [0, 1].

    exposed: int64 [candidates], how often each is shown.
    """
    return float(np.count_nonzero(exposed) / len(exposed))


def gini(exposed: Ints) -> float:
    """How unevenly the candidates are shown: 0 all alike, near 1 a few for everybody.

    G = Σ (2i − n − 1) x_i / (n Σ x_i) over the n candidates by rising exposure x_i, i = 1 … n,
    those never shown included (Fleder and Hosanagar, Management Science 2009, for sales). NaN
    where nothing is shown.
    """
    count, total = len(exposed), int(exposed.sum())
    if total == 0:
        return float("nan")
    places = 2 * np.arange(1, count + 1) - count - 1
    return float((places * np.sort(exposed)).sum() / (count * total))


def self_information(listeners: Ints, users: int) -> Floats:
    """How surprising it is that somebody has heard a track, in bits: float64 [tracks].

    −log2 of the share of listeners (Zhou et al., PNAS 2010), with one listener added to every
    track so that one nobody has heard is finite: −log2((listeners + 1) / (users + 1)).
    """
    bits: Floats = -np.log2((listeners + 1.0) / (users + 1.0))
    return bits


def mean_of(values: Floats, lists: Ints, k: int) -> Floats:
    """The mean of a number of the tracks over each list's first `k`: float64 [listeners].

    values: float64 [tracks]; of a yes-or-no it gives the share.
    """
    head = lists[:, :k]
    filled = head >= 0
    total = np.where(filled, values[np.maximum(head, 0)], 0.0).sum(axis=1)
    return _over(total, filled.sum(axis=1))


def artist_diversity(artist: Ints, lists: Ints, k: int) -> Floats:
    """Different artists over tracks, in each list's first `k`: float64 [listeners], in (0, 1].

    artist: int64 [tracks], the main artist; two tracks with equal codes have the same.
    """
    head = lists[:, :k]
    codes = np.sort(np.where(head >= 0, artist[np.maximum(head, 0)], -1), axis=1)
    filled = codes >= 0
    first = np.ones_like(filled)
    first[:, 1:] = codes[:, 1:] != codes[:, :-1]
    return _over((first & filled).sum(axis=1).astype(np.float64), filled.sum(axis=1))


def _over(total: Floats, count: Ints) -> Floats:
    means: Floats = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return means
