"""Fewer tracks of a style that a listener keeps skipping, and none the fewer for a few skips.

Each skipped track speaks against tracks like it, in the measure in which they resemble it more
than chance tracks do; each liked one speaks for those like it. Where more than ALLOWED speaks
against a track after all, its style is shown as often as the excess says: half as often at twice
ALLOWED, a third as often at three times it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.items.item_table import Floats, ItemTable
from musicu.listening.profiles import TasteProfile
from musicu.serving.listener_states import SkippedStyles

#: What may speak against a style before anything of it is left out: a skip and a half.
ALLOWED = 1.5
_SAMPLE = 4_000
_ASKED = 64


@dataclass(frozen=True, slots=True)
class StyleScale:
    """Cosines between chance tracks, and between tracks of one style."""

    chance: float
    alike: float

    @classmethod
    def of(cls, items: ItemTable) -> StyleScale:
        """By a sample: a style is what the nearest hundredth of the catalog is, 50 tracks at most.

        Chance tracks are taken a standard deviation above their mean.
        """
        rng = np.random.default_rng(0)
        sample = rng.integers(0, len(items), _SAMPLE)
        others = rng.integers(0, len(items), _SAMPLE)
        cosines = np.einsum("ij,ij->i", items.values[sample], items.values[others])[
            sample != others
        ]
        chance = float(cosines.mean() + cosines.std()) if len(cosines) else 0.0
        rank = int(np.clip(len(items) / 100, 5, 50))
        hits = items.index.search(items.values[sample[:_ASKED]], min(rank + 1, len(items)))
        alike = float(np.median(hits.score[hits.rank() == hits.rank().max()]))
        return cls(chance, max(alike, chance + 0.05))


class StyleThinning:
    """How often a listener's page shows what is like tracks that were skipped."""

    def __init__(
        self, items: ItemTable, scale: StyleScale, taste: TasteProfile, skipped: SkippedStyles
    ) -> None:
        self._items, self._scale = items, scale
        rows = items.rows_of(skipped.track_ids)
        self._against = items.values[rows[rows >= 0]]
        self._evidence = skipped.evidence[rows >= 0]
        history = taste.history
        liked = history.weights > 0
        rows = items.rows_of_table(history.names)[history.place[liked]]
        self._liked = items.values[rows[rows >= 0]]
        self._weights = history.weights[liked][rows >= 0]

    def shares(self, vectors: Floats) -> NDArray[np.float64]:
        """The share, above 0 and at most 1, in which tracks like each are shown: [tracks]."""
        if not len(self._evidence):
            return np.ones(len(vectors))
        against = self._likeness(vectors, self._against) @ self._evidence
        shares = np.ones(len(vectors))
        some = np.flatnonzero(against > ALLOWED)  # of the others all are shown
        speaking_for = self._likeness(vectors[some], self._liked) @ self._weights
        shares[some] = 1 / np.maximum(1.0, (against[some] - speaking_for) / ALLOWED)
        return shares

    def kept(self, track_ids: list[str]) -> list[bool]:
        """Which of the tracks of a shelf, the best first, stay on it."""
        if not len(self._evidence):
            return [True] * len(track_ids)
        rows = self._items.rows_of(track_ids)
        shares = np.ones(len(rows))
        shares[rows >= 0] = self.shares(self._items.values[rows[rows >= 0]])
        due = np.cumsum(np.where(shares < 1, shares, 0.0))
        stays = np.floor(due + 1e-9) > np.floor(due - shares + 1e-9)
        return [bool(stay or share >= 1) for stay, share in zip(stays, shares, strict=True)]

    def _likeness(self, vectors: Floats, others: Floats) -> NDArray[np.float64]:
        """How much more alike than chance tracks, 0 to 1: [vectors, others]."""
        chance, alike = self._scale.chance, self._scale.alike
        likeness: NDArray[np.float64] = np.clip(
            (vectors @ others.T - chance) / (alike - chance), 0, 1
        )
        return likeness
