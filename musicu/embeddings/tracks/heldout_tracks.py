"""Recall of held-out tracks by an encoder and by baselines.

Convention. Tracks are held out at random and entirely: neither their groups nor their collaborative
vectors are used in training. Each group with held-out tracks is a query, by the mean of its other
tracks, among all held-out tracks; recall@10 is the share of its held-out tracks among the first
ten, averaged over groups. Ties are broken by one random order for all queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.embeddings.tracks.track_features import Features, Floats
from musicu.embeddings.tracks.track_groups import scale_columns
from musicu.normalisation import unit_rows

K = 10
_MOST_GROUPS = 500
_MOST_TRACKS = 2000
_FEWEST = 20  # held-out tracks; fewer are not reliable


@dataclass(frozen=True, slots=True, eq=False)
class HeldoutQueries:
    """Held-out tracks, int64 [heldout], and the groups that query them.

    known, wanted: csr [groups, tracks], the groups' other tracks and their held-out ones.
    ties: float64 [heldout], random numbers smaller than any relevant difference.
    """

    tracks: NDArray[np.int64]
    known: csr_matrix
    wanted: csr_matrix
    ties: NDArray[np.float64]

    def recall(self, vectors: Floats) -> float:
        """Recall@10 of vectors of all tracks, float32 [tracks, dim]; zeros for unknown ones."""
        means = unit_rows(np.asarray(self.known @ vectors))
        scores = means @ vectors[self.tracks].T + self.ties
        first = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        wanted = self.wanted[:, self.tracks]
        found = np.take_along_axis(wanted.toarray(), first, axis=1) > 0
        return float(np.mean(found.sum(axis=1) / np.diff(wanted.indptr)))


def choose_heldout(
    members: csr_matrix, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """A random share of the tracks in groups: bool [tracks]; none where there are few tracks."""
    grouped = np.flatnonzero(np.bincount(members.indices, minlength=members.shape[1]))
    count = min(int(share * len(grouped)), _MOST_TRACKS)
    chosen = np.zeros(members.shape[1], bool)
    if count >= _FEWEST:
        chosen[rng.choice(grouped, count, replace=False)] = True
    return chosen


def heldout_queries(
    members: csr_matrix, heldout: NDArray[np.bool_], rng: np.random.Generator
) -> HeldoutQueries | None:
    """The queries for held-out tracks; None where no group has both kinds of tracks."""
    keep = members[:, ~heldout], members[:, heldout]
    querying = np.flatnonzero((np.diff(keep[0].indptr) > 0) & (np.diff(keep[1].indptr) > 0))
    if not len(querying):
        return None
    if len(querying) > _MOST_GROUPS:
        querying = np.sort(rng.choice(querying, _MOST_GROUPS, replace=False))
    groups = members[querying]
    known, wanted = (scale_columns(groups, mask) for mask in (~heldout, heldout))
    tracks = np.flatnonzero(heldout)
    return HeldoutQueries(tracks, known, wanted, rng.random(len(tracks)) * 1e-7)


def baseline_vectors(features: Features, keys: Floats) -> Mapping[str, Floats]:
    """Vectors without training: the content itself, the artist's other tracks, and chance."""
    rng = np.random.default_rng(0)
    found = {"chance": rng.normal(size=keys.shape).astype(np.float32), "content": keys}
    if "past" in features.blocks:
        own, past = features.blocks["collaborative"], features.blocks["past"]
        mean, attended = np.split(np.asarray(past), 2, axis=1)
        missing = ~features.known["collaborative"][:, None]
        found["artist mean"] = np.where(missing, mean, own).astype(np.float32)
        found["artist attention"] = np.where(missing, attended, own).astype(np.float32)
    return found
