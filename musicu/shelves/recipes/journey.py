"""A journey: from one track to another, by small steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from musicu.catalog.identity import Row
from musicu.catalog.words import one_line
from musicu.errors import QueryError
from musicu.shelves.assembly import ScoredItem, ShelfSpec
from musicu.shelves.context import ShelfContext, quoted
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.sequencing import Fits, slotted
from musicu.shelves.shelf import Shelf, ShelfTrack
from musicu.shelves.shelf_reasons import Reason

#: Nearer to one end than to the other by less than this cosine is as near to both.
EVEN = 0.05
#: Candidates looked at around each step.
POOL_A_STEP = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey(Recipe):
    """The tracks nearest to even steps on the way from `start` to `end`, each nearer to the end.

    A step is a point on the arc between the two vectors (slerp, Shoemake 1985); a score is the
    cosine with it, which is a sum of two: of the likeness to either end, each by its weight. The
    tracks that fit the steps best, taken together, come in the order of how much more like the end
    than like the start they are.
    """

    name: ClassVar[str] = "journey"
    start: str
    end: str

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """One shelf; neither end is on it. QueryError where the ends are one track."""
        ids = [context.find(self.start), context.find(self.end)]
        if ids[0] == ids[1]:
            raise QueryError("a journey needs two tracks, and start and end are the same one")
        if unknown := [t for t in ids if not context.has_vector(t)]:
            raise QueryError(f"track {unknown[0]!r} has no vector under this model")
        rows = context.rows(ids)
        way = _Way(context, rows[ids[0]], rows[ids[1]])
        ask = ShelfSpec(
            title=self.title or f"From {way.titles[0]} to {way.titles[1]}",
            about=f"a journey in {self.size} steps",
            items=self._choices(context, way),
            excluded=list(rows.values()),
            seed=rows[ids[0]],
            order=slotted(way.fits, way.tell, way.in_order),
        )
        return [self.shelf(context, ask)]

    def _choices(self, context: ShelfContext, way: _Way) -> list[ScoredItem]:
        """The tracks around every step, scored at the step that each is best for."""
        own = context.places(way.ids)
        allowed = np.setdiff1d(context.matching(self.constraints.where), own)
        found: dict[str, None] = {}
        for weights in way.weights(self.size):
            point = weights @ way.ends
            found.update(dict.fromkeys(context.near_vector(point, POOL_A_STEP, allowed)))
        plain = [ScoredItem(row, 0.0) for row in context.rows(found).values()]
        best = way.fits(plain, self.size).max(axis=0, initial=-1.0)
        return [replace(c, score=float(score)) for c, score in zip(plain, best, strict=True)]


class _Way:
    """The arc from one vector to another."""

    def __init__(self, context: ShelfContext, start: Row, end: Row) -> None:
        self._context = context
        self.ids = (start["track_id"], end["track_id"])
        self.titles = tuple(one_line(ShelfTrack(row).title, 40) for row in (start, end))
        self._quoted = (quoted(start), quoted(end))
        self.ends: NDArray[np.float32] = context.items.values[context.places(self.ids)]

    def weights(self, slots: int) -> NDArray[np.float64]:
        """How much of either end each step has, float64 [slots, 2]."""
        steps = np.arange(1, slots + 1) / (slots + 1)
        angle = np.arccos(np.clip(float(self.ends[0] @ self.ends[1]), -1.0, 1.0))
        if np.sin(angle) < 1e-3:  # the same place or the opposite one: a straight line
            return np.stack([1 - steps, steps], axis=1)
        arc = np.stack([np.sin((1 - steps) * angle), np.sin(steps * angle)], axis=1)
        weights: NDArray[np.float64] = arc / np.sin(angle)
        return weights

    def _cosines(self, ids: Sequence[str]) -> NDArray[np.float64]:
        """Cosines with either end, float64 [2, ids]."""
        cosines: NDArray[np.float32] = (
            self.ends @ self._context.items.values[self._context.places(ids)].T
        )
        return cosines.astype(np.float64)

    def fits(self, choices: Sequence[ScoredItem], slots: int) -> Fits:
        """Cosines of choices with steps."""
        return self.weights(slots) @ self._cosines([c.track_id for c in choices])

    def in_order(self, choices: list[ScoredItem]) -> list[ScoredItem]:
        """The same choices, so that none is further on the way than the one after it."""
        start, end = self._cosines([c.track_id for c in choices])
        return [choices[i] for i in np.argsort(end - start, kind="stable")]

    def tell(self, choice: ScoredItem, slot: int, slots: int) -> ScoredItem:
        """The choice in its place, with its likeness to both ends."""
        cosines = self._cosines([choice.track_id])[:, 0]
        points = float(self.weights(slots)[slot] @ cosines)
        if points <= 0:
            return replace(choice, score=points, reasons=())
        facts = self._facts(slot, slots, cosines)
        reason = Reason("journey", facts, self._said(cosines), points)
        return replace(choice, score=points, reasons=(reason,))

    def _facts(self, slot: int, slots: int, cosines: NDArray[np.float64]) -> dict[str, object]:
        return {
            "step": slot + 1,
            "of": slots,
            "start_cosine": round(float(cosines[0]), 4),
            "end_cosine": round(float(cosines[1]), 4),
        }

    def _said(self, cosines: NDArray[np.float64]) -> str:
        """Which end the track is nearer to."""
        if abs(cosines[0] - cosines[1]) < EVEN:
            return f"about as close to {self._quoted[0]} as to {self._quoted[1]}"
        near, far = (0, 1) if cosines[0] > cosines[1] else (1, 0)
        close = " in sound" if self._context.items.of_sound else ""
        return f"closer{close} to {self._quoted[near]} than to {self._quoted[far]}"
