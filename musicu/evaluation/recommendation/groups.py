"""Groups of tracks and of listeners, by what the training part holds of them.

Conventions:

- Tracks. Cold: nobody heard it in the training part. Head: the most heard tracks that together
  have 80 % of all pairs of listener and track; tail: the other heard ones (the cut of Celma,
  Music Recommendation and Discovery, 2010, chapter 5). Equals are in the same group: the head
  takes in all tracks with as many listeners as its last.
- Artists. Emerging: those outside the head, made in the same way from pairs of listener and
  artist; whoever nobody has heard is emerging too.
- Listeners. The mean of log2(1 + listeners) over a listener's history says how mainstream it is;
  the lowest third of those asked is niche, the highest mainstream. Their own listening counts
  among a track's, the same for everyone. Equals go by row, so that the thirds are thirds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.evaluation.labels import LabelGroups

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

HEAD_SHARE = 0.8
TRACK_GROUPS = ("cold", "tail", "head")
LISTENER_GROUPS = ("niche", "middle", "mainstream")


def listeners_of(history: csr_matrix) -> Ints:
    """How many listeners each track has: int64 [tracks]."""
    return np.asarray((history > 0).sum(axis=0), dtype=np.int64).ravel()


def head(listeners: Ints) -> Mask:
    """Who together has HEAD_SHARE of all listeners, the most heard first: bool, same length."""
    falling = np.sort(listeners)[::-1]
    total = int(falling.sum())
    if total == 0:
        return np.zeros(len(listeners), dtype=bool)
    last = int(np.searchsorted(np.cumsum(falling), HEAD_SHARE * total))
    mask: Mask = listeners >= max(int(falling[last]), 1)
    return mask


def track_groups(listeners: Ints) -> dict[str, Mask]:
    """Cold, tail and head: bool [tracks] each, of which every track has one."""
    cold, top = listeners == 0, head(listeners)
    return dict(zip(TRACK_GROUPS, (cold, ~cold & ~top, top), strict=True))


def emerging(history: csr_matrix, artists: LabelGroups) -> Mask:
    """Which tracks have only emerging artists: bool [tracks].

    A track without a known artist counts as an artist of its own.
    """
    owners = artist_matrix(artists)
    listeners = listeners_of((history > 0).astype(np.float32) @ owners)
    known = (owners @ head(listeners).astype(np.float32)) > 0
    mask: Mask = ~np.asarray(known).ravel()
    return mask


def artist_matrix(artists: LabelGroups) -> csr_matrix:
    """Which artists a track has: csr float32 [tracks, artists]; alone where none is known."""
    alone = np.flatnonzero(~artists.known)
    rows = np.repeat(np.arange(len(artists.codes)), [len(codes) for codes in artists.codes])
    columns = np.array([code for codes in artists.codes for code in codes], dtype=np.int64)
    rows = np.concatenate([rows, alone])
    columns = np.concatenate([columns, len(artists.names) + np.arange(len(alone))])
    shape = (len(artists.codes), len(artists.names) + len(alone))
    return csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)


def main_artist(artists: LabelGroups) -> Ints:
    """The first artist of each track, a code of its own where none is known: int64 [tracks]."""
    codes = artists.first()
    own = len(artists.names) + np.arange(len(codes))
    return np.where(codes < 0, own, codes)


def listener_groups(history: csr_matrix, asked: Ints) -> dict[str, Mask]:
    """Niche, middle and mainstream thirds of those asked: bool [asked] each."""
    heard = (history > 0).astype(np.float64)
    weight = np.log2(1.0 + listeners_of(history))
    mean = (heard @ weight)[asked] / np.diff(history.indptr)[asked]
    place = np.empty(len(asked), dtype=np.int64)
    place[np.argsort(mean, kind="stable")] = np.arange(len(asked))
    third = place * 3 // max(len(asked), 1)
    return {name: third == number for number, name in enumerate(LISTENER_GROUPS)}
