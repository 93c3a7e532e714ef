"""How near tracks lie to each other, by their vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from musicu.records import Vectors
from musicu.shelves.reasons import Likeness


class Space:
    """The vectors of a catalog, asked by track id."""

    def __init__(self, vectors: Vectors) -> None:
        self.ids: list[str] = list(vectors.ids)
        self._values = vectors.values
        self._place = {track_id: i for i, track_id in enumerate(vectors.ids)}
        self._around: dict[str, NDArray[np.float32]] = {}

    def rows(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of tracks, float32 [ids, dim]; zeros where one has none."""
        found = np.zeros((len(ids), self._values.shape[1]), np.float32)
        for i, track_id in enumerate(ids):
            if (place := self._place.get(track_id)) is not None:
                found[i] = self._values[place]
        return found

    def cosine(self, a: str, b: str) -> float | None:
        """The cosine of two tracks, -1 to 1; None where one has no vector."""
        i, j = self._place.get(a), self._place.get(b)
        return None if i is None or j is None else float(self._values[i] @ self._values[j])

    def likeness(self, seed: str, track: str) -> Likeness | None:
        """How near a track is to the seed, among all tracks; None where one has no vector."""
        place = self._place.get(track)
        if place is None or seed not in self._place:
            return None
        cosines = self._cosines(seed)
        own = cosines[place]
        others = len(cosines) - 1
        nearer = int((cosines > own).sum())  # the seed itself is set to -inf
        farther = int((cosines < own).sum()) - 1
        return Likeness(float(own), nearer + 1, others, farther / others)

    def _cosines(self, seed: str) -> NDArray[np.float32]:
        """Cosines of the seed with every track, float32 [tracks]; -inf for itself."""
        if seed not in self._around:
            cosines = self._values @ self._values[self._place[seed]]
            cosines[self._place[seed]] = -np.inf
            self._around[seed] = cosines
        return self._around[seed]
