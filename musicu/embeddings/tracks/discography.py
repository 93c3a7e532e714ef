"""Features from an artist's other tracks: their mean, and attention over them by content.

A new track by a known artist finds its listeners among those of the artist's earlier tracks. Each
track uses the artist's others, never itself, so that training matches the case of a new track: the
mean of their collaborative vectors, and the mean weighted by the similarity of their content,

    weight_s ∝ exp( cos(key_t, key_s) / temperature ),

softmax attention with keys that are random projections of the content (Johnson and Lindenstrauss,
1984), which keep lengths and angles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.catalog.identity import fold
from musicu.embeddings.tracks.track_features import Features, Floats, Known
from musicu.normalisation import unit_rows

KEY_DIM = 32
MOST_TRACKS = 64  # of one artist that are used: the latest
_TEMPERATURE = 0.2
_ROWS_AT_ONCE = 4096
_KEYED = ("tags", "numbers", "audio")


@dataclass(frozen=True, slots=True, eq=False)
class Discography:
    """Tracks with collaborative vectors, the latest last.

    ids: object [stored]. artists: the folded names of each. vectors: float32 [stored, factors],
    of unit length. keys: float32 [stored, KEY_DIM], of unit length.
    """

    ids: NDArray[np.object_]
    artists: list[list[str]]
    vectors: Floats
    keys: Floats

    def past(
        self, ids: Sequence[str], artists: Sequence[Sequence[str]], keys: Floats
    ) -> tuple[Floats, Known]:
        """Mean and attended vector of the other tracks by each track's artists, concatenated.

        Returns float32 [tracks, 2 * factors], and bool [tracks]: whether there are others.
        """
        stored = self._by_artist()
        found = np.zeros((len(ids), 2 * self.vectors.shape[1]), np.float32)
        known = np.zeros(len(ids), bool)
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            shares = self._others(ids[part], artists[part], stored)
            found[part] = self._pooled(shares, keys[part])
            known[part] = np.diff(shares.indptr) > 0
        return found, known

    def _pooled(self, shares: csr_matrix, keys: Floats) -> Floats:
        """Mean and attended vector for each row of shares: float32 [rows, 2 * factors]."""
        row = np.repeat(np.arange(len(keys)), np.diff(shares.indptr))
        similarity = np.einsum("ij,ij->i", keys[row], self.keys[shares.indices])
        attention = csr_matrix(
            (np.exp((similarity - 1) / _TEMPERATURE), shares.indices, shares.indptr), shares.shape
        )
        parts = [_mean(weights, self.vectors) for weights in (shares, attention)]
        return np.concatenate(parts, axis=1)

    def _by_artist(self) -> dict[str, list[int]]:
        """The stored tracks of each artist, the latest MOST_TRACKS of them."""
        stored: dict[str, list[int]] = {}
        for row, names in enumerate(self.artists):
            for name in names:
                stored.setdefault(name, []).append(row)
        return {name: rows[-MOST_TRACKS:] for name, rows in stored.items()}

    def own(self, ids: Sequence[str]) -> tuple[Floats, Known]:
        """Each track's collaborative vector, float32 [tracks, factors], and whether it has one."""
        found = pc.index_in(pa.array(ids, pa.string()), value_set=pa.array(self.ids, pa.string()))
        rows = pc.fill_null(found, -1).to_numpy()
        nothing = np.zeros((1, self.vectors.shape[1]), np.float32)
        return np.concatenate([self.vectors, nothing])[rows], rows >= 0

    def _others(
        self,
        ids: Sequence[str],
        artists: Sequence[Sequence[str]],
        stored: dict[str, list[int]],
    ) -> csr_matrix:
        """1 where a stored track is another one by an artist of the track: csr [tracks, stored]."""
        indptr, indices = [0], []
        for track_id, names in zip(ids, artists, strict=True):
            rows = sorted({row for name in names for row in stored.get(name, [])})
            indices += [row for row in rows if self.ids[row] != track_id]
            indptr.append(len(indices))
        ones = np.ones(len(indices), np.float32)
        return csr_matrix((ones, indices, indptr), shape=(len(ids), len(self.ids)))


def artists_of(tracks: pa.Table) -> list[list[str]]:
    """The folded names of each track's artists, or of its album artist where it has none."""
    empty = pa.nulls(tracks.num_rows, pa.string())
    names = tracks["artists"] if "artists" in tracks.column_names else empty
    makers = tracks["album_artist"] if "album_artist" in tracks.column_names else empty
    pairs = zip(names.to_pylist(), makers.to_pylist(), strict=True)
    return [
        sorted({fold(name) for name in several or ([one] if one else []) if name})
        for several, one in pairs
    ]


def with_listening(
    content: Features,
    tracks: pa.Table,
    discography: Discography | None,
    projections: dict[str, Floats],
) -> Features:
    """Content features with the blocks `past` and `collaborative`, where there is a discography."""
    if discography is None:
        return content
    ids = tracks["track_id"].to_pylist()
    past, has_past = discography.past(ids, artists_of(tracks), keys_of(content, projections))
    own, has_own = discography.own(ids)
    return Features(
        {**content.blocks, "past": past, "collaborative": own},
        {**content.known, "past": has_past, "collaborative": has_own},
    )


def key_projections(features: Features, rng: np.random.Generator) -> dict[str, Floats]:
    """A random projection of each block that is part of the key: float32 [width, KEY_DIM]."""
    return {
        name: rng.normal(size=(features.blocks[name].shape[1], KEY_DIM)).astype(np.float32)
        for name in _KEYED
        if name in features.blocks
    }


def keys_of(features: Features, projections: dict[str, Floats]) -> Floats:
    """The content key of each track, float32 [tracks, KEY_DIM]: unit length, or zero."""
    keys = np.zeros((len(features), KEY_DIM), np.float32)
    for name in sorted(projections):  # a fixed order of summation, also after loading
        keys += unit_rows(np.asarray(features.blocks[name] @ projections[name]))
    return unit_rows(keys)


def _mean(weights: csr_matrix, vectors: Floats) -> Floats:
    """Weighted means, float32 [rows, factors]; zero where a row has no weights."""
    total = np.asarray(weights.sum(axis=1)).reshape(-1, 1)
    mean: Floats = (np.asarray(weights @ vectors) / np.maximum(total, 1e-12)).astype(np.float32)
    return mean
